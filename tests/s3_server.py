"""An S3 server of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

SECRET = "do not tell"


@contextmanager
def run_s3(bucket: str) -> Iterator[tuple[Any, dict[str, str]]]:
    """A bucket on a server, and by which environment Snakemake finds it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    s3 = boto3.resource(
        "s3",
        endpoint_url=url,
        aws_access_key_id="us",
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    settings = {"ENDPOINT_URL": url, "ACCESS_KEY": "us", "SECRET_KEY": SECRET}
    yield (
        s3.create_bucket(Bucket=bucket),
        {f"SNAKEMAKE_STORAGE_S3_{name}": value for name, value in settings.items()},
    )
    server.stop()
