"""What a job's containers used, which Snakemake's benchmark cannot see: the daemon started them.

The figures are looked at twice a second, and the highest is kept: a shorter peak can be missed.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tapeless.containers.errors import ContainerError
from tapeless.gpu_usage import GpuMeter, look_repeatedly

log = logging.getLogger(__name__)


class Usage:
    """The record of a run, added to that of the job's earlier ones; `facts` is what the file says.

    `memory_peak_mb` is the memory of all its processes, as `memory_is` says. `gpu_memory_peak_mb`
    is what was in use on the job's cards, by all programs, and `gpu_utilisation_percent` the mean
    share of the time in which they computed; None where NVML does not answer.
    """

    def __init__(
        self, program: str, runtime: str, gpus: Sequence[str], earlier: Mapping[str, Any]
    ) -> None:
        self.facts: dict[str, Any] = {
            "program": program,
            "runtime": runtime,
            "image": None,
            "digest": None,
            "gpus": list(dict.fromkeys([*earlier.get("gpus", ()), *gpus])),
            "runs": earlier.get("runs", 0) + 1,
            "started": earlier.get("started", datetime.now(UTC).isoformat(timespec="seconds")),
            "wall_time_s": earlier.get("wall_time_s"),
            "memory_peak_mb": earlier.get("memory_peak_mb"),
            "memory_is": None,
            "gpu_memory_peak_mb": earlier.get("gpu_memory_peak_mb"),
            "gpu_utilisation_percent": earlier.get("gpu_utilisation_percent"),
            "status": "ok",
            "exit_status": None,
            "message": None,
        }
        self._meter = GpuMeter(gpus)

    def name(self, image: str | None, digest: str | None, memory_is: str) -> None:
        """Says which image is run, and what its memory is."""
        self.facts |= {"image": image, "digest": digest, "memory_is": memory_is}

    @contextmanager
    def sample(self, memory_mb: Callable[[], float | None]) -> Iterator[None]:
        """Takes time and watches memory while the block runs."""
        start_s = time.monotonic()
        try:
            with look_repeatedly(lambda: self._look(memory_mb)):
                yield
        finally:
            self._add_time(time.monotonic() - start_s)

    def _look(self, memory_mb: Callable[[], float | None]) -> None:
        self._raise("memory_peak_mb", memory_mb())
        self._meter.look()
        self._raise("gpu_memory_peak_mb", self._meter.memory_peak_mb)

    def _raise(self, name: str, value: float | None) -> None:
        peak = self.facts[name]
        if value is not None and (not isinstance(peak, float) or value > peak):
            self.facts[name] = round(float(value), 1)

    def _add_time(self, wall_time_s: float) -> None:
        """Adds a time, and takes the mean of utilisation over all times."""
        before_s = self.facts["wall_time_s"] or 0.0
        self.facts["wall_time_s"] = round(before_s + wall_time_s, 3)
        if (percent := self._meter.utilisation_percent) is not None:
            before = self.facts["gpu_utilisation_percent"]
            if before is not None and before_s + wall_time_s > 0:
                share = wall_time_s / (before_s + wall_time_s)
                percent = round(before + share * (percent - before), 1)
            self.facts["gpu_utilisation_percent"] = percent


@contextmanager
def record_usage(
    path: Path | None, program: str, runtime: str, gpus: Sequence[str]
) -> Iterator[Usage]:
    """The record of the run in the block, added to what `path` says, however the block ends.

    Who runs a program in it says how that ended: `exit_status`, if it ended by itself.
    """
    usage = Usage(program, runtime, gpus, _read(path))
    try:
        yield usage
    except BaseException as error:
        usage.facts["message"] = _describe(error)
        if isinstance(error, ContainerError):
            usage.facts["status"] = error.code
        elif usage.facts["exit_status"] is None:
            usage.facts["status"] = "stopped"
        raise
    finally:
        _write(path, usage.facts)


@contextmanager
def expect_usage(path: Path | None) -> Iterator[None]:
    """Says in `path`, when the block is left, that no container was run, if none was."""
    try:
        yield
    finally:
        if path is not None and not path.exists():
            _write(path, {"status": "not_run"})


def _describe(error: BaseException) -> str:
    return str(error) if isinstance(error, ContainerError) else f"{type(error).__name__}: {error}"


def _read(path: Path | None) -> dict[str, Any]:
    """What a usage file says; nothing if there is none, or it was not finished."""
    try:
        return {} if path is None else dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _write(path: Path | None, facts: Mapping[str, Any]) -> None:
    if path is None:
        return
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:  # a disk that is full must be told of by the program that filled it
        log.warning("what the container used cannot be written down: %s", error)
