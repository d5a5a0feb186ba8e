"""Jobs that failed, and why, by what they left in their logs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tapeless.logs import read_failure
from tapeless.watching.progress import PlannedJob

NOTHING_SAID = (
    "it ended without a message, as a job does that was killed (for want of memory, by a time "
    "limit, or with its machine), or whose log is on a full disk"
)


@dataclass(frozen=True)
class Failure:
    """A job that failed: what it was, what it said last, and its logs."""

    stage: str
    videos: tuple[str, ...]
    said: str
    logs: tuple[str, ...]

    @property
    def has_message(self) -> bool:
        """Whether the job said why."""
        return self.said != NOTHING_SAID


def read_failures(jobs: Iterable[tuple[PlannedJob, Sequence[str]]], since: float) -> list[Failure]:
    """What jobs that failed said in logs that were written after `since` (of `time.time()`).

    Each comes with the files that it may have written to, of which those count that end in `.log`.
    """
    failures = []
    for job, paths in jobs:
        logs = tuple(path for path in map(str, paths) if path.endswith(".log"))
        said = (read_failure(Path(log), since) for log in logs)
        reason = next(filter(None, said), NOTHING_SAID)
        failures.append(Failure(job.stage, job.videos, reason, logs))
    return failures


def pick_culprits(group: Sequence[Failure]) -> list[Failure]:
    """Those of a group of jobs, which fail as one, that say why; the first if none does."""
    return [failure for failure in group if failure.has_message] or list(group[:1])
