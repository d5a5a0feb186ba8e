"""Snakemake's logger `tapeless`: videos instead of jobs, and faults that stand out.

Snakemake finds it by its name. `rules/common.smk` hands it what a run is about to do; from then on
it follows the jobs, keeps `progress.json` up to date, and shows only warnings and errors of what
Snakemake says. Before that, and with --dry-run or --verbose, all is shown as by Snakemake itself.
"""

from __future__ import annotations

import logging
import sys
import time
from datetime import datetime
from threading import Event, Thread
from typing import Any

from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from tapeless.watching.console import Console
from tapeless.watching.lines import (
    describe_end,
    describe_failure,
    describe_start,
    describe_state,
    describe_verdict,
    name_job,
)
from tapeless.watching.watcher import Watcher

PLAN_ATTRIBUTE = "tapeless_plan"
"""The attribute of a log record by which the workflow hands over its plan."""

OWN_ATTRIBUTE = "is_of_tapeless"
"""The attribute of a log record that is not Snakemake's, but ours."""

_TICK_S = 1.0
_LOG_INTERVAL_S = 30.0
_ENDED_BY_USER = ("Terminating processes on user request", "Will exit after finishing")
_FAILURES = (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR)


class LogHandler(LogHandlerBase):
    """Follows a run; the interface of Snakemake's logger plugins."""

    def __post_init__(self) -> None:
        settings = self.common_settings
        stream = sys.stdout if settings.stdout else sys.stderr
        quiet = set(settings.quiet or ())
        self._own = Console(stream, has_colours=not settings.nocolor)
        self._snakemakes = ColorizingTextHandler(
            nocolor=settings.nocolor,
            stream=stream,
            formatter=DefaultFormatter(quiet, settings.show_failed_logs),
            filter=DefaultFilter(
                quiet,
                settings.debug_dag,
                settings.verbose,
                settings.dryrun,
                settings.printshellcmds,
            ),
        )
        self._is_quiet = bool(quiet)
        self._watcher: Watcher | None = None
        self._has_last_words = False
        self._said_s = 0.0
        self._said = ""
        self._ended = Event()

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's own handler."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake writes its log file as ever."""
        return False

    @property
    def has_filter(self) -> bool:
        """All events are needed to follow the run, also those that are not shown."""
        return True

    @property
    def has_formatter(self) -> bool:
        """What is Snakemake's is formatted by Snakemake's."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """The plan says more."""
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a message or an event; a fault in here never ends a run."""
        try:
            if plan := getattr(record, PLAN_ATTRIBUTE, None):
                self._watch(Watcher(plan))
                return
            if self._watcher is not None:
                self._follow(self._watcher, record)
                self._notice_end(self._watcher, record)
            if self._watcher is None or self.common_settings.verbose or _stands_out(record):
                with self._own.set_aside():
                    self._snakemakes.handle(record)
        except Exception:  # noqa: BLE001 - as logging.Handler has it
            self.handleError(record)

    def _watch(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._say(describe_start(watcher.progress))
        self._tick(watcher)
        Thread(target=self._keep_ticking, args=(watcher,), daemon=True).start()

    def _follow(self, watcher: Watcher, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            if failed := watcher.start(record.jobid):  # type: ignore[attr-defined]
                self._say(f"trying again: {name_job(failed)}", "odd")
        elif event == LogEvent.JOB_FINISHED:
            for video, verdict in watcher.finish(record.job_id).items():  # type: ignore[attr-defined]
                if verdict.state == "rejected":
                    self._say(f"rejected {describe_verdict(video, verdict)}", "odd")
        elif event in _FAILURES:
            for failure in watcher.fail(_read_failed(record)):
                self._say(f"FAILED {describe_failure(failure)}", "bad")

    def _notice_end(self, watcher: Watcher, record: logging.LogRecord) -> None:
        """Tells a run that broke from one that somebody ended.

        Snakemake says of both that not all was done, but only after our own last words.
        """
        told: dict[str, Any] = record.__dict__
        self._has_last_words |= bool(told.get(OWN_ATTRIBUTE))
        is_fault = told.get("event") == LogEvent.ERROR and told["exception"] != "KeyboardInterrupt"
        if str(told["msg"]).startswith(_ENDED_BY_USER):
            watcher.is_ended = True
        elif is_fault and not self._has_last_words:
            watcher.is_broken = True

    def _say(self, text: str, kind: str = "plain") -> None:
        if kind == "bad" or not self._is_quiet:
            self._own.say(f"{datetime.now():%H:%M:%S} {text}", kind)

    def _keep_ticking(self, watcher: Watcher) -> None:
        while not self._ended.wait(_TICK_S):
            with self.lock:  # type: ignore[union-attr]
                if not self._ended.is_set():
                    self._tick(watcher)

    def _tick(self, watcher: Watcher) -> None:
        watcher.write_when_due()
        if self._is_quiet:
            return
        now_s = time.monotonic()
        state = describe_state(watcher.progress, now_s, datetime.now())
        self._own.show(state)
        if not self._own.is_live and state != self._said and now_s - self._said_s > _LOG_INTERVAL_S:
            self._said, self._said_s = state, now_s
            self._say(state)

    def close(self) -> None:
        """The run is over, however it ended."""
        if self._watcher is not None and not self._ended.is_set():
            with self.lock:  # type: ignore[union-attr]
                self._ended.set()
                now_s = time.monotonic()
                state = self._watcher.end()
                self._own.show("")
                last = describe_state(self._watcher.progress, now_s, datetime.now())
                self._say(f"{describe_end(self._watcher.progress, state, now_s)}; {last}")
        super().close()


def _stands_out(record: logging.LogRecord) -> bool:
    """Whether a message is shown in the middle of a run."""
    if getattr(record, OWN_ATTRIBUTE, False):
        return True
    return record.levelno >= logging.WARNING and getattr(record, "event", None) not in _FAILURES


def _read_failed(record: logging.LogRecord) -> dict[int, list[str]]:
    """The logs of the jobs that failed, by job: of one, or of all of a group."""
    told: dict[str, Any] = record.__dict__
    if told["event"] == LogEvent.JOB_ERROR:
        return {told["jobid"]: list(told["log"])}
    jobs = told["job_error_info"]
    return {job["jobid"]: [*job["log"], *told["aux_logs"]] for job in jobs}
