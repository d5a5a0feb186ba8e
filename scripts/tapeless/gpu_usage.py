"""What a job used of its graphics cards, which Snakemake's benchmark cannot see."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from tapeless.gpus import GpuError, read_loads
from tapeless.writing import write_json

log = logging.getLogger(__name__)

INTERVAL_S = 0.5
"""Cards are looked at this often; a shorter peak can be missed."""

_PATIENCE_S = 10.0


class GpuMeter:
    """Watches cards, by all programs together: the peak of memory, and the mean of utilisation.

    Both are None where NVML does not answer; of cards that do not tell, utilisation is.
    """

    def __init__(self, gpus: Sequence[str] = ()) -> None:
        self._gpus = gpus
        self._percents: list[float] = []
        self.memory_peak_mb: float | None = None
        self.seen: set[str] = set()
        self.wall_time_s = 0.0

    @contextmanager
    def watch(self, gpus: Sequence[str]) -> Iterator[None]:
        """While the block runs, watches these cards; what it saw is added to what it saw before."""
        self._gpus = gpus
        self.seen |= set(gpus)
        start_s = time.monotonic()
        try:
            with look_repeatedly(self.look):
                yield
        finally:
            self.wall_time_s += time.monotonic() - start_s

    @property
    def utilisation_percent(self) -> float | None:
        """The mean over all looks so far, and over the cards."""
        if not self._percents:
            return None
        return round(sum(self._percents) / len(self._percents), 1)

    def look(self) -> None:
        """Looks once, if there are cards to look at."""
        if not self._gpus:
            return
        try:
            loads = read_loads(self._gpus)
        except GpuError as error:
            log.info("what is used of the graphics card is not recorded: %s", error)
            self._gpus = ()
            return
        used_mb = float(sum(load.memory_used_mb for load in loads))
        self.memory_peak_mb = max(used_mb, self.memory_peak_mb or 0.0)
        percents = [load.utilisation_percent for load in loads]
        self._percents += [percent for percent in percents if percent is not None]


@contextmanager
def look_repeatedly(look: Callable[[], None]) -> Iterator[None]:
    """While the block runs, calls `look` twice a second, at least once."""
    done = Event()

    def keep_looking() -> None:
        while True:
            look()
            if done.wait(INTERVAL_S):
                return

    thread = Thread(target=keep_looking, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(_PATIENCE_S)


@contextmanager
def record_gpu_usage(path: Path | None) -> Iterator[GpuMeter]:
    """A meter for the block, which writes what it saw to `path`, however the block ends.

    Without a path, nothing is written.
    """
    meter = GpuMeter()
    try:
        yield meter
    finally:
        if path is not None:
            _write(path, meter)


def _write(path: Path, meter: GpuMeter) -> None:
    facts = {
        "gpus": sorted(meter.seen),
        "wall_time_s": round(meter.wall_time_s, 3),
        "gpu_memory_peak_mb": meter.memory_peak_mb,
        "gpu_utilisation_percent": meter.utilisation_percent,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, facts)
    except OSError as error:
        log.warning("what was used of the graphics card cannot be written down: %s", error)
