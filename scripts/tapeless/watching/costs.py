"""What each stage cost: time, processor, memory, and graphics card, from the files of the jobs.

Snakemake writes `<benchmarks>/<stage>/<video>.tsv`. What it cannot see is beside it: what
containers used (`.container.json`), and what was in use on a card of the job (`.gpu.json`).
"""

from __future__ import annotations

import csv
import json
import math
import os
import statistics
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COSTS_FILE = "benchmarks.csv"

COST_COLUMNS = (
    "stage",
    "jobs",
    "seconds_total",
    "seconds_median",
    "seconds_max",
    "cpu_seconds_total",
    "memory_peak_mb",
    "container_memory_peak_mb",
    "gpu_seconds_total",
    "gpu_memory_peak_mb",
    "gpu_utilisation_percent",
)


@dataclass(frozen=True)
class JobCost:
    """What one job cost; None is what is not known, or was not used."""

    seconds: float
    cpu_seconds: float | None
    memory_mb: float | None
    container_memory_mb: float | None
    gpu_seconds: float | None
    gpu_memory_mb: float | None
    gpu_utilisation_percent: float | None


def read_costs(benchmarks: Path) -> dict[str, list[JobCost]]:
    """The jobs that left files below a folder, by stage; files that are not whole are left out."""
    costs: dict[str, list[JobCost]] = {}
    for root, _, files in os.walk(benchmarks):
        folder, names = Path(root), frozenset(files)
        for name in sorted(names):
            if name.endswith(".tsv"):
                job = name.removesuffix(".tsv")
                stage = job if folder == benchmarks else folder.relative_to(benchmarks).as_posix()
                costs.setdefault(stage, []).extend(_read_job(folder, job, names))
    return {stage: jobs for stage, jobs in costs.items() if jobs}


def _read_job(folder: Path, job: str, names: Container[str]) -> Iterator[JobCost]:
    """The last row of a benchmark file, and what lies beside it; `names` are all in the folder."""
    lines = (folder / f"{job}.tsv").read_text(encoding="utf-8", errors="replace").splitlines()
    row = dict(zip(lines[0].split("\t"), lines[-1].split("\t"), strict=False)) if lines else {}
    if (seconds := _number(row.get("s"))) is None:
        return
    container, card = (
        _read_json(folder / name) if (name := f"{job}.{kind}.json") in names else {}
        for kind in ("container", "gpu")
    )
    card = container if container.get("gpus") else card
    yield JobCost(
        seconds=seconds,
        cpu_seconds=_number(row.get("cpu_time")),
        memory_mb=_number(row.get("max_rss")),
        container_memory_mb=_number(container.get("memory_peak_mb")),
        gpu_seconds=_number(card.get("wall_time_s")),
        gpu_memory_mb=_number(card.get("gpu_memory_peak_mb")),
        gpu_utilisation_percent=_number(card.get("gpu_utilisation_percent")),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _number(value: object) -> float | None:
    """A number; None for what Snakemake writes where it knows none (`-`, `NA`)."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if number == number else None


def cost_rows(costs: dict[str, list[JobCost]]) -> list[dict[str, Any]]:
    """The rows of `benchmarks.csv`, one a stage, those first that took the most time."""
    rows = [_cost_row(stage, jobs) for stage, jobs in costs.items()]
    return sorted(rows, key=lambda row: (-row["seconds_total"], row["stage"]))


def _cost_row(stage: str, jobs: list[JobCost]) -> dict[str, Any]:
    seconds = [job.seconds for job in jobs]
    busy = [
        (job.gpu_utilisation_percent, job.gpu_seconds or 0.0)
        for job in jobs
        if job.gpu_utilisation_percent is not None
    ]
    busy_s = sum(weight for _, weight in busy)
    return {
        "stage": stage,
        "jobs": len(jobs),
        "seconds_total": round(sum(seconds), 1),
        "seconds_median": round(statistics.median(seconds), 2),
        "seconds_max": round(max(seconds), 2),
        "cpu_seconds_total": _rounded_sum([job.cpu_seconds for job in jobs]),
        "memory_peak_mb": _rounded_max([job.memory_mb for job in jobs]),
        "container_memory_peak_mb": _rounded_max([job.container_memory_mb for job in jobs]),
        "gpu_seconds_total": _rounded_sum([job.gpu_seconds for job in jobs]),
        "gpu_memory_peak_mb": _rounded_max([job.gpu_memory_mb for job in jobs]),
        "gpu_utilisation_percent": round(sum(p * w for p, w in busy) / busy_s, 1)
        if busy_s
        else None,
    }


def _rounded_sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 1) if known else None


def _rounded_max(values: list[float | None]) -> float | None:
    return max((round(value, 1) for value in values if value is not None), default=None)


def read_stage_seconds(path: Path) -> dict[str, float]:
    """Seconds that a job of each stage took, by the `benchmarks.csv` of an earlier run.

    Nothing if there is none, or it cannot be read: then a run tells a little later when it ends.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        each_s = {row["stage"]: float(row["seconds_total"]) / int(row["jobs"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, csv.Error):
        return {}
    return each_s if all(map(math.isfinite, each_s.values())) else {}
