"""Which files a person's recordings are, and which copies of them Snakemake has made."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from tapeless.erasure.places import Places
from tapeless.erasure.traces import RefusedError, Traces

_S3 = "s3://"


def find_recordings(traces: Traces) -> list[Path]:
    """The files, and links to files, that are to be deleted.

    Raises:
        RefusedError: if one is no file, or somebody else's, too.
    """
    others = {os.path.realpath(one.path): one.video for one in traces.staying if one.path}
    found = []
    for path in (Path(path) for path in traces.recordings if not path.startswith(_S3)):
        if path.exists() and not path.is_file():
            raise RefusedError(f"{path} is a folder or the like, not a recording: mend the sheet")
        if other := others.get(os.path.realpath(path)):
            raise RefusedError(
                f"{path} is the recording of {other}, too: forget that as well, or keep the "
                "recordings (--keep-recordings)"
            )
        if os.path.lexists(path):
            found.append(path)
    return found


def find_remote(traces: Traces) -> list[str]:
    """The addresses of recordings that lie on storage elsewhere."""
    return [path for path in traces.recordings if path.startswith(_S3)]


def find_copies(traces: Traces, places: Places) -> Iterator[Path]:
    """Snakemake's copies of recordings that lie elsewhere, but for those that others share."""
    shared = {_object(one.path) for one in traces.staying if one.path}
    for key in {_object(path) for path in find_remote(traces)} - shared:
        if ".." not in key.split("/"):
            copies = (storage / "s3" / key for storage in places.storages)
            yield from (path for path in copies if os.path.lexists(path))


def _object(address: str) -> str:
    """Bucket and key of an object, as Snakemake names its copy; nothing for another path."""
    if not address.startswith(_S3):
        return ""
    bucket, _, key = address.removeprefix(_S3).partition("/")
    return f"{bucket}/{posixpath.normpath(key.lstrip('/'))}"
