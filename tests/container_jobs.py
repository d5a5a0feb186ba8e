"""Jobs in containers for tests: their configuration, and a process of its own to run one in.

As a program, it runs the job that its first argument describes (`describe`), perhaps as another
user, and ends with status 3 and the message if that fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "containers/images.yaml"
REFUSED = 3

SETTINGS: dict[str, Any] = {
    "runtime": "host",
    "pull": False,
    "time_limit_minutes": 2,
    "memory_mb": 500,
    "shm_mb": 64,
    "ulimits": {},
    "environment": {},
    "volumes": [],
    "ports": {},
    "mounts_file": None,
}
"""The section `containers` of a configuration, but for its file of images."""


def write_images(folder: Path, **entry: Any) -> str:
    """Writes a file of images whose `openpose` has these keys; its path, for `images`."""
    images = yaml.safe_load(IMAGES.read_text(encoding="utf-8"))
    images["openpose"] |= entry
    path = folder / "images.yaml"
    path.write_text(yaml.safe_dump(images), encoding="utf-8")
    return str(path)


def describe(
    job: object,
    settings: Mapping[str, Any],
    usage_file: Path | None = None,
    user: tuple[int, Sequence[int]] | None = None,
) -> str:
    """What this program runs: a job, and the user (id, groups) that it runs as."""
    description = {
        "job": asdict(job),  # type: ignore[call-overload]
        "settings": dict(settings),
        "usage_file": usage_file,
        "user": user,
    }
    return json.dumps(description, default=str)


def start(description: str, folder: Path) -> subprocess.Popen[str]:
    """This program at work in `folder`, with a process group of its own; both outputs in one."""
    return subprocess.Popen(
        [sys.executable, __file__, description],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def open_files() -> list[str]:
    """What this process has open."""
    listed = list(Path("/proc/self/fd").iterdir())
    return sorted(str(path.readlink()) for path in listed if path.is_symlink())  # not of the list


def _main(description: Mapping[str, Any]) -> None:
    from tapeless.containers import ContainerError, Job, Mount, remove_leftovers, run_container

    mounts = [
        Mount(**mount | {"source": Path(mount["source"])}) for mount in description["job"]["mounts"]
    ]
    lists = {"mounts": tuple(mounts)} | {
        key: tuple(description["job"][key]) for key in ("arguments", "gpus")
    }
    job = Job(**description["job"] | lists)
    if description["user"] is not None:
        remove_leftovers()  # loads what that user may not be able to read
        number, groups = description["user"]
        os.setgroups(groups)
        os.setgid(number)
        os.setuid(number)
    usage = description["usage_file"]
    try:
        run_container(
            job,
            description["settings"],
            usage_file=None if usage is None else Path(usage),
            listener=lambda line: print(line, flush=True),
        )
    except ContainerError as error:
        print(error)
        sys.exit(REFUSED)


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
