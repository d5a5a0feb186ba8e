"""Staying with a program until it ends, its time is up, or this process is told to stop."""

from __future__ import annotations

import logging
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from tapeless.containers.errors import ContainerError
from tapeless.containers.lines import Output

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_S = 0.2
_POLL_S = 2.0


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


class _StoppedError(Exception):
    """This process was told to stop."""


class Interruption:
    """A signal that came while they were held back, if one did."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        """Takes a signal: the handler."""
        if self.signal is None:
            self.signal = signal.Signals(number)


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
    except _StoppedError:
        pass
    finally:
        for number, previous in held.items():
            signal.signal(number, previous)
        if (came := interruption.signal) is not None:
            log.warning("stopped by %s", came.name)
            if callable(held[came]):
                signal.raise_signal(came)
            raise SystemExit(128 + came)


def supervise(running: Running, output: Output, limit_s: float, interruption: Interruption) -> Exit:
    """Hands on what a program says until it ends; how it ended.

    Raises:
        ContainerError: if it takes longer than `limit_s` seconds.
    """
    patience = _Patience(limit_s, interruption)
    polled_s = time.monotonic()
    while True:
        patience.check()
        if select.select([running], [], [], _LOOK_S)[0]:
            said = running.read()
            if said is None:
                break
            for stream, data in said:
                output.feed(stream, data)
        elif time.monotonic() - polled_s > _POLL_S:  # something may hold its output open
            polled_s = time.monotonic()
            if (ended := running.poll()) is not None:
                return ended
    while (ended := running.poll()) is None:
        patience.check()
        time.sleep(_LOOK_S / 4)
    return ended


class _Patience:
    """Ends when the time is up, or this process is told to stop."""

    def __init__(self, limit_s: float, interruption: Interruption) -> None:
        self._limit_s = limit_s
        self._deadline_s = time.monotonic() + limit_s
        self._interruption = interruption

    def check(self) -> None:
        if self._interruption.signal is not None:
            raise _StoppedError
        if time.monotonic() >= self._deadline_s:
            raise ContainerError(
                f"the time limit of {self._limit_s / 60:g} minutes was over, and the program was "
                "stopped: raise containers.time_limit_minutes if it was still at work",
                "time_limit",
            )
