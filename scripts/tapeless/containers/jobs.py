"""What is run in a container: the program, its arguments, and the folders that it sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


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
