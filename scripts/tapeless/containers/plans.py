"""A job together with the configuration: all that a runtime has to know."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tapeless.containers.errors import ContainerError
from tapeless.containers.images import ImageEntry, find_entry
from tapeless.containers.jobs import Job, Mount
from tapeless.containers.owners import make_labels

_VOLUME_KEYS = {"source": str, "target": str, "writable": bool}


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
    def time_limit_s(self) -> float:
        """The limit of time."""
        return self.job.time_limit_s or 60 * float(self.settings["time_limit_minutes"])

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the configuration and the job."""
        # What a program says shall be read as it is said.
        own = {"PYTHONUNBUFFERED": "1"}
        return {**own, **self.settings["environment"], **self.job.environment}


def make_plan(job: Job, settings: Mapping[str, Any]) -> Plan:
    """Puts a job and the section `containers` of the configuration together.

    Raises:
        ContainerError: if something that is to be mounted does not exist, or two things in one
            place; if the user's file of mounts or `images.yaml` is not as it should be.
    """
    volumes = [*map(_as_mount, settings["volumes"]), *_read_mounts_file(settings["mounts_file"])]
    # What a job says of a folder holds, whatever is configured; its own writable mount comes first.
    own = sorted(job.mounts, key=lambda mount: not mount.writable)
    binds = tuple(_bind([*own, *volumes]))
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
