"""Programs in containers that are read from while they work: pictures come through their output.

Such a program sees files and writes none: what it makes is what it says on standard output.
"""

from __future__ import annotations

import io
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Event, Thread
from typing import Any

from tapeless.containers.errors import ContainerError
from tapeless.containers.jobs import Job
from tapeless.containers.plans import make_plan
from tapeless.containers.running import load_runtime
from tapeless.containers.supervision import Exit, Interruption, Running, hold_signals

_MOST_WAITING_BYTES = 64 << 20
_LOOK_S = 0.2
_POLL_S = 2.0
_KILLED = Exit(128 + 9)


@dataclass(frozen=True)
class PipedJob(Job):
    """A run of a program that writes nothing but its output: none of its mounts is writable.

    It sees those mounts and no others, has none of the configuration's variables, and no network.
    Its limit of time is the caller's matter, who may end it.

    Raises:
        ValueError: if a mount is writable.
    """

    def __post_init__(self) -> None:
        if any(mount.writable for mount in self.mounts):
            raise ValueError("a piped job has no writable mount")


@contextmanager
def open_pipes(job: PipedJob, settings: Mapping[str, Any]) -> Iterator[Pipes]:
    """Runs a job while the block runs; nothing of it is left when the block is left.

    A signal that comes meanwhile ends the program and its output, and acts when the block is left.

    Args:
        job: what to run.
        settings: the section `containers` of the configuration, with all its keys.

    Raises:
        ContainerError: if it cannot be started.
        KeyboardInterrupt, SystemExit: if SIGINT, or SIGTERM or SIGHUP, came meanwhile.
    """
    if settings["runtime"] == "host":
        raise ContainerError(
            f"{job.program} is to run in a container, but containers.runtime is host: choose "
            "docker or apptainer, or sampling.ffmpeg: host"
        )
    closed: dict[str, Any] = {"volumes": [], "mounts_file": None, "environment": {}, "ports": {}}
    program = load_runtime(settings["runtime"]).prepare(make_plan(job, {**settings, **closed}))
    with hold_signals() as interruption, program.start() as running:
        pipes = Pipes(running, interruption)
        try:
            yield pipes
        finally:
            pipes.kill()


class Pipes:
    """A program at work: the streams `stdout` and `stderr`, to read from as it writes them."""

    def __init__(self, running: Running, interruption: Interruption) -> None:
        self._running = running
        self._interruption = interruption
        self._is_killed = Event()
        self._streams = {1: _Stream(), 2: _Stream()}
        self.stdout = io.BufferedReader(self._streams[1])
        self.stderr = io.BufferedReader(self._streams[2])
        self._pump = Thread(target=self._hand_on, daemon=True)
        self._pump.start()

    def wait(self) -> Exit:
        """Waits for the end of the program, whose output must have been read to its end."""
        self._pump.join()
        while not self._is_over():
            if (ended := self._running.poll()) is not None:
                return ended
            time.sleep(_LOOK_S / 4)
        return _KILLED

    def kill(self) -> None:
        """Ends the output; the program itself is ended when its block is left."""
        self._is_killed.set()
        for stream in self._streams.values():
            stream.end()
        self._pump.join()

    def _is_over(self) -> bool:
        return self._is_killed.is_set() or self._interruption.signal is not None

    def _hand_on(self) -> None:
        """Reads what the program says, until it says no more, in a thread of its own."""
        polled_s = time.monotonic()
        try:
            while not self._is_over():
                if select.select([self._running], [], [], _LOOK_S)[0]:
                    if (said := self._running.read()) is None:
                        return
                    for stream, data in said:
                        self._streams[stream].feed(data)
                elif time.monotonic() - polled_s > _POLL_S:  # something may hold its output open
                    polled_s = time.monotonic()
                    if self._running.poll() is not None:
                        return
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
