"""What a container used, which Snakemake's benchmark cannot see: the daemon started it.

The figures are looked at twice a second, and the highest is kept: a shorter peak can be missed.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

from tapeless.containers.errors import ContainerError, ContainerFailedError
from tapeless.gpus import GpuError, used_memory_mb

log = logging.getLogger(__name__)

_INTERVAL_S = 0.5
_PATIENCE_S = 10.0


class Usage:
    """The record of one run; `facts` is what the usage file says.

    `memory_peak_mb` is the memory of all its processes, as `memory_is` says. `gpu_memory_peak_mb`
    is what was in use on the job's cards, by all programs; None where NVML does not answer.
    """

    def __init__(self, program: str, runtime: str, gpus: Sequence[str]) -> None:
        self.facts: dict[str, object] = {
            "program": program,
            "runtime": runtime,
            "image": None,
            "digest": None,
            "gpus": list(gpus),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_time_s": None,
            "memory_peak_mb": None,
            "memory_is": None,
            "gpu_memory_peak_mb": None,
            "status": "ok",
            "exit_status": None,
            "message": None,
        }
        self._gpus = gpus

    @contextmanager
    def sample(self, memory_mb: Callable[[], float | None]) -> Iterator[None]:
        """Takes time and watches memory while the block runs."""
        done = Event()
        sampler = Thread(target=self._watch, args=(memory_mb, done), daemon=True)
        start_s = time.monotonic()
        sampler.start()
        try:
            yield
        finally:
            self.facts["wall_time_s"] = round(time.monotonic() - start_s, 3)
            done.set()
            sampler.join(_PATIENCE_S)

    def _watch(self, memory_mb: Callable[[], float | None], done: Event) -> None:
        while True:
            self._raise("memory_peak_mb", memory_mb())
            self._raise("gpu_memory_peak_mb", self._gpu_memory_mb())
            if done.wait(_INTERVAL_S):
                return

    def _raise(self, name: str, value: float | None) -> None:
        peak = self.facts[name]
        if value is not None and (not isinstance(peak, float) or value > peak):
            self.facts[name] = round(float(value), 1)

    def _gpu_memory_mb(self) -> float | None:
        if not self._gpus:
            return None
        try:
            return used_memory_mb(self._gpus)
        except GpuError as error:
            log.info("the memory of the graphics card is not recorded: %s", error)
            self._gpus = ()
            return None


@contextmanager
def record_usage(
    path: Path | None, program: str, runtime: str, gpus: Sequence[str]
) -> Iterator[Usage]:
    """The record of what happens in the block, written to `path` however that ends."""
    usage = Usage(program, runtime, gpus)
    try:
        yield usage
        usage.facts["exit_status"] = 0
    except BaseException as error:
        is_ours = isinstance(error, ContainerError)
        usage.facts["status"] = error.code if isinstance(error, ContainerError) else "stopped"
        usage.facts["message"] = str(error) if is_ours else f"{type(error).__name__}: {error}"
        if isinstance(error, ContainerFailedError):
            usage.facts["exit_status"] = error.status
        raise
    finally:
        if path is not None:
            _write(path, usage)


def _write(path: Path, usage: Usage) -> None:
    text = json.dumps(usage.facts, indent=2, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:  # a disk that is full must be told of by the program that filled it
        log.warning("what the container used cannot be written down: %s", error)
