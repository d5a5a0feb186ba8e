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

    def __init__(self, gpus: Sequence[str]) -> None:
        self._gpus = gpus
        self._percents: list[float] = []
        self.memory_peak_mb: float | None = None

    @property
    def utilisation_percent(self) -> float | None:
        """The mean over all looks so far, and over the cards."""
        if not self._percents:
            return None
        return round(sum(self._percents) / len(self._percents), 1)

    def look(self) -> None:
        """Looks once."""
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
def record_gpu_usage(path: Path | None, gpus: Sequence[str]) -> Iterator[None]:
    """Writes to `path` what is used of cards while the block runs, however it ends.

    Of several blocks of one job, the last one counts. Without a path, nothing is written.
    """
    if path is None:
        yield
        return
    meter = GpuMeter(gpus)
    start_s = time.monotonic()
    try:
        with look_repeatedly(meter.look):
            yield
    finally:
        _write(path, gpus, meter, time.monotonic() - start_s)


def _write(path: Path, gpus: Sequence[str], meter: GpuMeter, wall_time_s: float) -> None:
    facts = {
        "gpus": list(gpus),
        "wall_time_s": round(wall_time_s, 3),
        "gpu_memory_peak_mb": meter.memory_peak_mb,
        "gpu_utilisation_percent": meter.utilisation_percent,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, facts)
    except OSError as error:
        log.warning("what was used of the graphics card cannot be written down: %s", error)
