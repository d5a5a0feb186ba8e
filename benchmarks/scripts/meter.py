"""What this process and all that it starts take, also those that nobody waits for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

_EVERY_S = 0.02
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")


class Meter:
    """Looks at a process and those below it again and again, from when it is made until `read`.

    What a process has taken between the last look and its end is missed: a 50th of a second.
    """

    def __init__(self, process: int | None = None) -> None:
        self._process = os.getpid() if process is None else process
        self._peaks: dict[int, int] = {}
        self._seconds: dict[int, float] = {}
        self._peak_together = 0
        self._is_over = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def read(self) -> tuple[float, int]:
        """Processor time in s, and the most memory in bytes that all had at one time, as far as
        can be told: the sum of what each of those that were there together ever had."""
        self._is_over.set()
        self._thread.join()
        self._look()
        return sum(self._seconds.values()), self._peak_together

    def _watch(self) -> None:
        while not self._is_over.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        now = list(_with_those_below(self._process))
        for process in now:
            with suppress(OSError):  # it may be gone
                times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                self._seconds[process] = (int(times[11]) + int(times[12])) / _TICKS_A_SECOND
                if peak := _PEAK.search(Path(f"/proc/{process}/status").read_bytes()):
                    self._peaks[process] = 1024 * int(peak[1])  # one that has ended has none
        together = sum(self._peaks.get(process, 0) for process in now)
        self._peak_together = max(self._peak_together, together)


def _with_those_below(process: int) -> Iterator[int]:
    yield process
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _with_those_below(int(child))
