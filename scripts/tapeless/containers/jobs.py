"""A job: what is run in a container, what that sees and may use, and whose it is.

A `Job` and the configuration make a `Plan`, which is all that a runtime has to know. Its labels
name the process that waits for it, so that what a killed one leaves behind can be found.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from tapeless.containers.errors import ContainerError
from tapeless.containers.images import ImageEntry, find_entry

LABEL_PREFIX = "tapeless."
"""What every label of tapeless begins with."""

_VOLUME_KEYS = {"source": str, "target": str, "writable": bool}
_DEAD_STATES = "ZX"


@dataclass(frozen=True)
class Mount:
    """A file or folder that a container sees; `target` is its path inside, None for the same."""

    source: Path
    target: str | None = None
    writable: bool = False


@dataclass(frozen=True)
class Job:
    """One run of one program; one of its mounts is writable, or none, if its output is piped.

    Args:
        program: its key in `images.yaml`.
        arguments: come after the `program` of that entry.
        labels: say what the container is for, such as rule and video.
        gpus: graphics cards, as `tapeless.gpus.take_gpus` names them.
        memory_mb: limit of memory; None for that of the configuration.

    Raises:
        ValueError: if several mounts are writable.
    """

    program: str
    arguments: tuple[str, ...]
    mounts: tuple[Mount, ...]
    labels: Mapping[str, str]
    gpus: tuple[str, ...] = ()
    memory_mb: int | None = None

    def __post_init__(self) -> None:
        if (count := sum(mount.writable for mount in self.mounts)) > 1:
            raise ValueError(f"a job has at most one writable mount, this one has {count}")

    @property
    def output(self) -> Path | None:
        """The one file or folder that the job may write to."""
        return next((mount.source for mount in self.mounts if mount.writable), None)


@dataclass(frozen=True)
class Bind:
    """A file or folder outside, and where it is inside; both absolute."""

    source: str
    target: str
    writable: bool


@dataclass(frozen=True)
class Plan:
    """What is to be run, and how; `binds` has each target once."""

    job: Job
    entry: ImageEntry
    settings: Mapping[str, Any]
    binds: tuple[Bind, ...]
    labels: Mapping[str, str]

    @property
    def command(self) -> tuple[str, ...]:
        """What is run in the container."""
        return self.entry.program + self.job.arguments

    @property
    def memory_mb(self) -> int:
        """The limit of memory."""
        return self.job.memory_mb or int(self.settings["memory_mb"])

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the configuration."""
        # What a program says shall be read as it is said.
        return {"PYTHONUNBUFFERED": "1", **self.settings["environment"]}


def make_plan(job: Job, settings: Mapping[str, Any]) -> Plan:
    """Puts a job and the section `containers` of the configuration together.

    Raises:
        ContainerError: if something that is to be mounted does not exist, or two things in one
            place, or a volume would let the container write to an input; if the user's file of
            mounts or `images.yaml` is not as it should be.
    """
    volumes = [*map(_as_mount, settings["volumes"]), *_read_mounts_file(settings["mounts_file"])]
    # What a job says of a folder holds, whatever is configured; its own writable mount comes first.
    own = sorted(job.mounts, key=lambda mount: not mount.writable)
    binds = tuple(_bind([*own, *volumes]))
    _protect([mount.source for mount in own if not mount.writable], volumes)
    return Plan(job, find_entry(job.program, settings), settings, binds, make_labels(job.labels))


def _bind(mounts: Iterable[Mount]) -> list[Bind]:
    """The mounts with absolute paths, of each target the first, and what lies within others last.

    Raises:
        ContainerError: if something does not exist, or two things are to be in one place.
    """
    found: dict[str, Bind] = {}
    for mount in mounts:
        source = os.path.abspath(mount.source)  # noqa: PTH100 - links stay as they are named
        bind = Bind(source, mount.target or source, mount.writable)
        if not Path(source).exists():
            raise ContainerError(
                f"{source} does not exist, but is to be mounted into the container: make it, or "
                "correct containers.volumes or the file of mounts, if it is named there"
            )
        other = found.setdefault(bind.target, bind)
        if other.source != bind.source:
            raise ContainerError(
                f"{other.source} and {bind.source} are both to be mounted at {bind.target}: "
                "correct containers.volumes or the file of mounts"
            )
    return sorted(found.values(), key=lambda bind: len(Path(bind.target).parts))


def _protect(inputs: Iterable[Path], volumes: Iterable[Mount]) -> None:
    """Raises `ContainerError` if an input could be written to by way of a volume."""
    for volume, path in product((volume for volume in volumes if volume.writable), inputs):
        outer, inner = sorted((volume.source.resolve(), path.resolve()))
        if inner.is_relative_to(outer):
            raise ContainerError(
                f"{volume.source} is to be mounted with writable: true, so the container could "
                f"change {path}, which it shall only read: leave writable out, or choose a folder "
                "that neither holds the other nor lies in it (in containers.volumes or the file "
                "of mounts)"
            )


def _as_mount(volume: Mapping[str, Any]) -> Mount:
    source = Path(volume["source"]).expanduser()
    return Mount(source, volume.get("target"), bool(volume.get("writable", False)))


def _read_mounts_file(name: str | None) -> list[Mount]:
    """The volumes of the user's own file, if it exists."""
    if name is None or not (path := Path(name).expanduser()).exists():
        return []
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ContainerError(f"{path} cannot be read; correct it: {error}") from error
    if not isinstance(content, list) or not all(map(_is_volume, content)):
        raise ContainerError(
            f"{path} must be a list of volumes such as\n"
            "- {source: /mnt/share, target: /mnt/share, writable: false}\n"
            "of which only source is needed"
        )
    return [_as_mount(volume) for volume in content]


def _is_volume(volume: object) -> bool:
    return (
        isinstance(volume, Mapping)
        and "source" in volume
        and all(isinstance(v, _VOLUME_KEYS.get(k, ())) for k, v in volume.items())
        and str(volume.get("target", "/")).startswith("/")
    )


def make_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of a container that this process starts: a job's own, and whose it is.

    `run` is the folder that the workflow runs in; `host`, `pid_space`, `uid`, `pid` and
    `pid_started` tell the process from any other, before and after it, here and elsewhere.
    """
    own = _machine() | {
        "run": str(Path.cwd()),
        "uid": str(os.getuid()),
        "pid": str(os.getpid()),
        "pid_started": _started(os.getpid()) or "",
    }
    return {f"{LABEL_PREFIX}{name}": _text(value) for name, value in {**labels, **own}.items()}


def is_leftover(labels: Mapping[str, str]) -> bool:
    """Whether what has these labels is this user's, from this machine, and its process is no more.

    Of other users' processes we may not know whether they live (/proc can hide them).
    """
    ours = _machine() | {"uid": str(os.getuid())}
    if any(labels.get(f"{LABEL_PREFIX}{name}") != value for name, value in ours.items()):
        return False
    pid = labels.get(f"{LABEL_PREFIX}pid", "")
    return pid.isdecimal() and _started(int(pid)) != labels.get(f"{LABEL_PREFIX}pid_started")


@cache
def _machine() -> dict[str, str]:
    """This machine, and the process ids' space in it: a container has its own."""
    return {
        "host": _text(socket.gethostname()),
        "pid_space": Path("/proc/self/ns/pid").readlink().name,
    }


def _started(pid: int) -> str | None:
    """When a process began, in ticks since a boot of the machine; None if there is no such process.

    Ids are used again and again; together with this, one means one process only.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold anything
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return None if fields[0] in _DEAD_STATES else f"{boot}/{fields[19]}"


def _text(value: str) -> str:
    """A text without what cannot be written as UTF-8, as names of files may hold it."""
    return value.encode(errors="backslashreplace").decode()
