"""Programs in containers that are read from while they work: pictures come through their output.

Such a program sees files and writes none: what it makes is what it says on standard output.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any

from tapeless.containers.errors import KILLED_STATUS, ContainerError
from tapeless.containers.jobs import Job, make_plan
from tapeless.containers.supervision import (
    Exit,
    Interruption,
    Running,
    StoppedError,
    hold_signals,
    listen,
    load_runtime,
    wait_for_end,
)
from tapeless.containers.usage import record_usage

_MOST_WAITING_BYTES = 64 << 20


@contextmanager
def open_pipes(
    job: Job, settings: Mapping[str, Any], *, usage_file: Path | None = None
) -> Iterator[Pipes]:
    """Runs a job while the block runs; nothing of it is left when the block is left.

    The program sees the job's mounts and no others, has none of the configuration's variables, and
    no network. How long it may take is the caller's matter. A signal that comes meanwhile ends the
    program and its output, and acts when the block is left.

    Args:
        job: what to run, with nothing to write to.
        settings: the section `containers` of the configuration, with all its keys.
        usage_file: gets what was used and how it ended, as that of `run_container`.

    Raises:
        ValueError: if a mount of the job is writable.
        ContainerError: if it cannot be started.
        KeyboardInterrupt, SystemExit: if SIGINT, or SIGTERM or SIGHUP, came meanwhile.
    """
    if job.output is not None:
        raise ValueError("a piped job has no writable mount")
    if settings["runtime"] == "host":
        raise ContainerError(
            f"{job.program} is to run in a container, but containers.runtime is host: choose "
            "docker or apptainer, or sampling.ffmpeg: host"
        )
    closed: dict[str, Any] = {"volumes": [], "mounts_file": None, "environment": {}, "ports": {}}
    with record_usage(usage_file, job.program, settings["runtime"], job.gpus) as usage:
        program = load_runtime(settings["runtime"]).prepare(make_plan(job, {**settings, **closed}))
        usage.name(program.image, program.digest, program.memory_is)
        with (
            hold_signals() as interruption,
            program.start() as running,
            usage.sample(running.memory_mb),
        ):
            pipes = Pipes(running, interruption)
            try:
                yield pipes
            finally:
                pipes.kill()
                usage.facts |= pipes.describe_end()


class Pipes:
    """A program at work: the streams `stdout` and `stderr`, to read from as it writes them."""

    def __init__(self, running: Running, interruption: Interruption) -> None:
        self._running = running
        self._interruption = interruption
        self._is_killed = Event()
        self._ended: Exit | None = None
        self._streams = {1: _Stream(), 2: _Stream()}
        self.stdout = io.BufferedReader(self._streams[1])
        self.stderr = io.BufferedReader(self._streams[2])
        self._pump = Thread(target=self._hand_on, daemon=True)
        self._pump.start()

    def wait(self) -> Exit:
        """Waits for the end of the program, whose output must have been read to its end."""
        self._pump.join()
        try:
            self._ended = wait_for_end(self._running, self._check)
        except StoppedError:
            return Exit(KILLED_STATUS)
        return self._ended

    def describe_end(self) -> dict[str, Any]:
        """How the program ended, in the words of a usage file; it was stopped if nobody waited."""
        if (ended := self._ended) is None:
            return {"status": "stopped"}
        status = "failed" if ended.status else "ok"
        if ended.out_of_memory:
            status = "out_of_memory"
        return {"status": status, "exit_status": ended.status}

    def kill(self) -> None:
        """Ends the output; the program itself is ended when its block is left."""
        self._is_killed.set()
        for stream in self._streams.values():
            stream.end()
        self._pump.join()

    def _check(self) -> None:
        self._interruption.check()
        if self._is_killed.is_set():
            raise StoppedError

    def _hand_on(self) -> None:
        """Reads what the program says, until it says no more, in a thread of its own."""
        try:
            with suppress(StoppedError):
                for stream, data in listen(self._running, self._check):
                    self._streams[stream].feed(data)
        finally:
            for pipe in self._streams.values():
                pipe.end()


class _Stream(io.RawIOBase):
    """Bytes on their way from one thread to another.

    Unlike in a pipe of the system there is room for several pictures: while the reader waits for
    what comes on the other stream, those that were sent before it must find a place.
    """

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._has_ended = False
        self._changed = Condition()

    def feed(self, data: bytes) -> None:
        """Adds bytes, when there is room; after the end they are dropped."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._has_ended or len(self._waiting) < _MOST_WAITING_BYTES
            )
            if not self._has_ended:
                self._waiting += data
                self._changed.notify_all()

    def end(self) -> None:
        """Says that nothing follows."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def readable(self) -> bool:
        """Whether it can be read from: always."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - as in io
        """Fills the buffer with what there is, and waits until there is something; 0 at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._has_ended)
            part = self._waiting[: len(buffer)]
            del self._waiting[: len(part)]
            self._changed.notify_all()
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Says that nothing more is read: what follows is dropped."""
        self.end()
        super().close()
