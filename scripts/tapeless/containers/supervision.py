"""A job is run to its end: started by its runtime, listened to, and stopped when it must be."""

from __future__ import annotations

import importlib
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, cast

from tapeless.containers.errors import ContainerError, explain_exit
from tapeless.containers.images import ImageEntry, find_entry
from tapeless.containers.jobs import Job, Plan, make_plan
from tapeless.containers.lines import Output
from tapeless.containers.usage import record_usage

log = logging.getLogger(__name__)

_RUNTIMES = ("docker", "apptainer", "host")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_S = 0.2
_POLL_S = 2.0
_LAST_LOOK_S = 0.05


@dataclass(frozen=True)
class Exit:
    """How a program ended: its status, 128 + n if signal n killed it, and if for want of memory."""

    status: int
    out_of_memory: bool = False


class Running(Protocol):
    """A program at work, in whatever runtime."""

    def fileno(self) -> int:
        """What can be waited on for output."""

    def read(self) -> list[tuple[int, bytes]] | None:
        """What it said, by stream (1 or 2); None when it says no more."""

    def poll(self) -> Exit | None:
        """How it ended; None while it runs."""

    def memory_mb(self) -> float | None:
        """The memory that it has now; None if that is not known. Called in another thread."""


class Program(Protocol):
    """A program that is ready to be started.

    `image` and `digest` are None on the host; `memory_is` says what `Running.memory_mb` measures.
    """

    image: str | None
    digest: str | None
    memory_is: str

    def start(self) -> AbstractContextManager[Running]:
        """Runs it; nothing of it is left when the block is left."""


class Runtime(Protocol):
    """What the module of a runtime has: `docker`, `apptainer`, `host`."""

    def prepare(self, plan: Plan) -> Program:
        """Finds the image of a job and makes sure that it is the one pinned."""

    def read_digest(self, entry: ImageEntry) -> str | None:
        """The digest of a program's image as it is on this machine; None where there are none."""

    def remove_leftovers(self) -> int:
        """Removes what killed jobs left behind."""


def run_container(
    job: Job,
    settings: Mapping[str, Any],
    *,
    videos: int = 1,
    usage_file: Path | None = None,
    listener: Callable[[str], None] | None = None,
) -> None:
    """Runs a job to its end; whatever happens, nothing of it runs on.

    Args:
        job: what to run, with an output to write to.
        settings: the section `containers` of the configuration, with all its keys.
        videos: how many it works for. It has its time limit for each, but is stopped before, if it
            writes no file in one limit.
        usage_file: gets what was used and how it ended, as JSON, added to what it says of earlier
            runs of the same job; also if it fails.
        listener: is called with each line that the program says; if it raises, the program is
            stopped. Each line also goes to the log of `tapeless.containers.<program>`.

    Raises:
        ValueError: if the job has no writable mount.
        ContainerFailedError: if the program does not end with status 0.
        ContainerError: if it cannot be started, or takes too long.
        KeyboardInterrupt, SystemExit: if SIGINT, or SIGTERM or SIGHUP, came meanwhile.
    """
    if (output := job.output) is None:
        raise ValueError("a job that is not piped has a writable mount, and this one has none")
    said = Output(job.program, listener)
    with record_usage(usage_file, job.program, settings["runtime"], job.gpus) as usage:
        plan = make_plan(job, settings)
        program = load_runtime(settings["runtime"]).prepare(plan)
        usage.name(program.image, program.digest, program.memory_is)
        with hold_signals() as interruption:
            try:
                with program.start() as running, usage.sample(running.memory_mb):
                    limit = _TimeLimit(float(settings["time_limit_minutes"]), videos, output)
                    ended = _supervise(running, said, limit, interruption)
            finally:
                said.finish()
            usage.facts["exit_status"] = ended.status
            if ended.status != 0:
                raise explain_exit(plan, output, ended, said.last_lines)
            if ended.out_of_memory:
                log.warning("a part of %s was killed for want of memory", job.program)


def remove_leftovers() -> int:
    """Removes what jobs of this user on this machine left behind when they were killed.

    That is every container or program, in whatever runtime, whose job's process is no more. A
    runtime that is not here, or does not answer, or whose library is not here, has none. Returns
    how many there were.
    """
    return sum(map(_remove_leftovers_of, ("docker", "host")))


def _remove_leftovers_of(name: str) -> int:
    try:
        runtime = load_runtime(name)
    except ImportError as error:  # the environments of some jobs lack it
        log.debug("leftovers of %s are not looked for: %s", name, error)
        return 0
    return runtime.remove_leftovers()


def read_digest(program: str, settings: Mapping[str, Any]) -> str | None:
    """The digest of a program's image as it is on this machine now; None for the host.

    Raises:
        ContainerError: if it is not there, or the runtime does not answer.
    """
    return load_runtime(settings["runtime"]).read_digest(find_entry(program, settings))


def load_runtime(name: str) -> Runtime:
    """The module of a runtime; not before it is needed, for Docker's library is large."""
    if name not in _RUNTIMES:
        raise ValueError(f"no runtime {name!r}; there are {', '.join(_RUNTIMES)}")
    return cast(Runtime, importlib.import_module(f"tapeless.containers.{name}"))


class StoppedError(Exception):
    """This process was told to stop."""


class Interruption:
    """A signal that came while they were held back, if one did."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        """Takes a signal: the handler."""
        if self.signal is None:
            self.signal = signal.Signals(number)

    def check(self) -> None:
        """Raises `StoppedError` if one came."""
        if self.signal is not None:
            raise StoppedError


@contextmanager
def hold_signals() -> Iterator[Interruption]:
    """Holds SIGINT, SIGTERM and SIGHUP back in this block, so that it can be left in good order.

    The first that came acts when the block is left: as its own handler wants, else as `SystemExit`
    with status 128 + its number, so that everything around is left in good order, too. A signal
    that is ignored stays ignored. Only the main thread can do that; in others nothing is held back.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    held = {
        number: previous
        for number in _SIGNALS
        if (previous := signal.getsignal(number)) not in (signal.SIG_IGN, None)
    }
    for number in held:
        signal.signal(number, interruption.note)
    try:
        yield interruption
    except StoppedError:
        pass
    finally:
        for number, previous in held.items():
            signal.signal(number, previous)
        if (came := interruption.signal) is not None:
            log.warning("stopped by %s", came.name)
            if callable(held[came]):
                signal.raise_signal(came)
            raise SystemExit(128 + came)


def listen(running: Running, check: Callable[[], None]) -> Iterator[tuple[int, bytes]]:
    """What a program says, by stream, until it says no more; `check` may raise in between."""
    polled_s = time.monotonic()
    while True:
        check()
        if select.select([running], [], [], _LOOK_S)[0]:
            if (said := running.read()) is None:
                return
            yield from said
        elif time.monotonic() - polled_s > _POLL_S:  # something may hold its output open
            polled_s = time.monotonic()
            if running.poll() is not None:
                return


def wait_for_end(running: Running, check: Callable[[], None]) -> Exit:
    """How a program ended that says no more; `check` may raise while it has not."""
    while (ended := running.poll()) is None:
        check()
        time.sleep(_LAST_LOOK_S)
    return ended


class _TimeLimit:
    """When the time of a program is up, which may work for several videos.

    It has its limit for each. What hangs writes no more, so it is stopped after less than two.
    """

    def __init__(self, minutes: float, videos: int, output: Path) -> None:
        self._minutes = minutes
        self._limits_left = videos
        self._output = output
        self._files = self._count_files()
        self._ends_s = time.monotonic() + 60 * minutes

    def check(self) -> None:
        """Raises `ContainerError` if it is up."""
        if time.monotonic() < self._ends_s:
            return
        self._limits_left -= 1
        before, self._files = self._files, self._count_files()
        if not self._limits_left or self._files == before:
            raise ContainerError(
                f"the time limit of {self._minutes:g} minutes was over, and the program was "
                "stopped: raise containers.time_limit_minutes if it was still at work",
                "time_limit",
            )
        self._ends_s = time.monotonic() + 60 * self._minutes

    def _count_files(self) -> int:
        return sum(len(files) for _, _, files in os.walk(self._output))


def _supervise(
    running: Running, said: Output, limit: _TimeLimit, interruption: Interruption
) -> Exit:
    """Hands on what a program says until it ends; how it ended.

    Raises:
        StoppedError: if this process was told to stop.
        ContainerError: if its time is up.
    """

    def check() -> None:
        interruption.check()
        limit.check()

    for stream, data in listen(running, check):
        said.feed(stream, data)
    return wait_for_end(running, check)
