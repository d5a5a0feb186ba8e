"""What is run in a container: the program, its arguments, and the folders that it sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Mount:
    """A file or folder that a container sees; `target` is its path inside, None for the same."""

    source: Path
    target: str | None = None
    writable: bool = False


@dataclass(frozen=True)
class Job:
    """One run of one program; exactly one of its mounts is writable.

    Args:
        program: its key in `images.yaml`.
        arguments: come after the `program` of that entry.
        labels: say what the container is for, such as rule and video.
        gpus: graphics cards, as `tapeless.gpus.take_gpus` names them.
        environment: variables besides those of the configuration, which they overrule.
        memory_mb: limit of memory; None for that of the configuration.
        time_limit_s: None for that of the configuration.

    Raises:
        ValueError: if not exactly one mount is writable.
    """

    program: str
    arguments: tuple[str, ...]
    mounts: tuple[Mount, ...]
    labels: Mapping[str, str]
    gpus: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int | None = None
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        if (count := sum(mount.writable for mount in self.mounts)) != 1:
            raise ValueError(f"a job has exactly one writable mount, this one has {count}")

    @property
    def output(self) -> Path:
        """The one file or folder that the job may write to."""
        return next(mount.source for mount in self.mounts if mount.writable)


@dataclass(frozen=True)
class Allowance:
    """What a stage that runs a container may use of this machine; no result depends on it.

    Args:
        settings: the section `containers` of the configuration.
        labels: say what the container is for, such as rule and video.
        gpus: how many graphics cards.
        memory_mb: limit of memory; None for that of the configuration.
        usage_file: is written as `run_container` says.
    """

    settings: Mapping[str, Any]
    labels: Mapping[str, str]
    gpus: int = 0
    memory_mb: int | None = None
    usage_file: Path | None = None
