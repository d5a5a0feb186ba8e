"""What is written down of a run while it goes on, and how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from tapeless.watching.costs import COSTS_FILE, read_stage_seconds
from tapeless.watching.failures import Failure, pick_culprits, read_failures
from tapeless.watching.progress import Plan, Progress, Verdict
from tapeless.watching.status_file import STATUS_FILE, describe_progress
from tapeless.watching.verdicts import read_verdict
from tapeless.writing import write_json

log = logging.getLogger(__name__)

WRITE_INTERVAL_S = 1.0
"""The files are not written more often than this."""

HEARTBEAT_S = 10.0
"""They are written at least this often, so that who reads them can tell a run that was killed."""


class Watcher:
    """Follows one run, and keeps its files up to date.

    Attributes:
        is_broken: is set of a run that broke.
        is_ended: is set of one that somebody ends; how its jobs end from then on is no failure.
    """

    is_broken = False
    is_ended = False

    def __init__(self, plan: Plan) -> None:
        self.progress = Progress(
            plan,
            partial(read_verdict, plan.results),
            read_stage_seconds(plan.results / COSTS_FILE),
            time.monotonic(),
        )
        self._plan = plan
        self._failures: dict[int, Failure] = {}
        self._written_s = 0.0
        self._has_news = True
        self._state = "running"
        self._faults: set[str] = set()

    def start(self, job_id: int) -> Failure | None:
        """A job begins; how it failed before, if it did."""
        self._has_news = True
        self.progress.start(job_id, time.monotonic())
        return self._failures.pop(job_id, None)

    def finish(self, job_id: int) -> dict[str, Verdict]:
        """A job is done; the verdict on each video that is done with it."""
        self._has_news = True
        return self.progress.finish(job_id, time.monotonic())

    def fail(self, logs_of: Mapping[int, Sequence[str]]) -> list[Failure]:
        """Jobs have failed, together if they are a group; what there is to say that is new."""
        new = {
            job_id: (self._plan.jobs[job_id], logs)
            for job_id, logs in logs_of.items()
            if job_id in self._plan.jobs and job_id not in self._failures and not self.is_ended
        }
        failures = read_failures(new.values(), self._plan.started_s)
        for job_id, failure in zip(new, failures, strict=True):
            self._has_news = True
            self._failures[job_id] = failure
            self.progress.fail(job_id, time.monotonic())
        return pick_culprits(failures)

    def end(self) -> str:
        """The run is over; how it ended: `finished`, `failed` or `interrupted`."""
        self.progress.give_up()
        if self.progress.is_done:
            self._state = "finished"
        else:
            has_failed = self._failures or (self.is_broken and not self.is_ended)
            self._state = "failed" if has_failed else "interrupted"
        self.write()
        return self._state

    def write_when_due(self) -> None:
        """Writes the files if there is news, or if it is time to show that the run is alive."""
        age_s = time.monotonic() - self._written_s
        if age_s >= (WRITE_INTERVAL_S if self._has_news else HEARTBEAT_S):
            self.write()

    def write(self) -> None:
        """Writes the files."""
        self._has_news = False
        self._written_s = time.monotonic()
        status = describe_progress(
            self.progress,
            list(self._failures.values()),
            state=self._state,
            now_s=self._written_s,
            now=datetime.now().astimezone(),
        )
        self._try("progress.json", partial(_write_status, self._plan.results, status))
        if (path := self._plan.textfile) is not None:
            from tapeless.watching.textfile import write_textfile  # few have a use for it

            self._try(str(path), partial(write_textfile, path, self._plan.results, status))

    def _try(self, name: str, write: partial[None]) -> None:
        """A file that cannot be written is no reason to end a run; it is said once."""
        try:
            write()
        except OSError as error:
            if name not in self._faults:
                self._faults.add(name)
                log.warning("%s cannot be written (%s); the run goes on", name, error)


def _write_status(results: Path, status: dict[str, object]) -> None:
    results.mkdir(parents=True, exist_ok=True)
    write_json(results / STATUS_FILE, status)
