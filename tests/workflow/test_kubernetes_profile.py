"""What profiles/kubernetes asks of a cluster, which a stand-in for its API writes down."""

from __future__ import annotations

import base64
import json
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from projects import PluggedProject, wait_for
from s3_server import SECRET, run_s3

PROFILE = "profiles/kubernetes"


@dataclass
class Kubernetes:
    """What was posted to the API, by the last part of its path."""

    address: str = ""
    posted: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def write_config(self, path: Path) -> None:
        """Writes what kubectl would find the cluster by."""
        context = {"cluster": "here", "user": "us"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": {"server": self.address}}],
            "users": [{"name": "us", "user": {}}],
            "contexts": [{"name": "here", "context": context}],
            "current-context": "here",
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")


@pytest.fixture
def kubernetes() -> Iterator[Kubernetes]:
    cluster = Kubernetes()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            cluster.posted.setdefault(self.path.rpartition("/")[2], []).append(body)
            self.answer(body)

        def do_GET(self) -> None:
            self.answer({"items": [], "metadata": {}, "status": {}})

        do_DELETE = do_GET  # noqa: N815 - as its superclass wants it

        def answer(self, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    cluster.address = f"http://127.0.0.1:{server.server_port}"
    yield cluster
    server.shutdown()


def test_a_video_is_one_pod_that_fetches_from_s3_and_knows_no_more_than_it_must(
    plugged_project: PluggedProject,
    kubernetes: Kubernetes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    kubernetes.write_config(tmp_path / "kubeconfig")
    plugged_project.configure(pathvars={"resources": "resources"})
    plugged_project.write_sheet({"video": "walk", "path": "s3://my-bucket/videos/walk.mp4"})
    with run_s3("my-bucket") as (bucket, environment):
        bucket.put_object(Key="videos/walk.mp4", Body=b"a video")
        bucket.put_object(Key="tapeless/resources/anny_shape_space.npz", Body=b"made before")
        for name, value in (environment | {"KUBECONFIG": str(tmp_path / "kubeconfig")}).items():
            monkeypatch.setenv(name, value)
        run = plugged_project.start("--workflow-profile", PROFILE)
        wait_for(lambda: bool(kubernetes.posted.get("jobs")), run)
        run.send_signal(signal.SIGINT)
        run.wait(60)

    (job,) = kubernetes.posted["jobs"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == read_profile()["container-image"]
    assert container["resources"]["requests"]["memory"] == "2500M"
    assert container["resources"]["limits"] == container["resources"]["requests"] | {"cpu": "2000m"}
    assert not (container.get("securityContext") or {}).get("privileged")
    (command,) = container["args"][1:]
    assert re.search("--default-storage-prefix '?s3://my-bucket/tapeless", command)
    assert all(f"{stage}:video=walk" in command for stage in ("sample_frames", "draw_video"))

    assert SECRET not in json.dumps(job)
    (secret,) = kubernetes.posted["secrets"]
    assert SECRET in {base64.b64decode(value).decode() for value in secret["data"].values()}


def read_profile() -> dict[str, Any]:
    path = Path(__file__).parents[2] / PROFILE / "profile.yaml"
    profile: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return profile
