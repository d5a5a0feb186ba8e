"""How far a run is, for Prometheus: a file that node_exporter's textfile collector reads.

What says the same as a number of NVIDIA's DCGM exporter is named like it. Every number has the
folder of the results as its label `project`, for several runs may write on one machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from tapeless.gpus import GpuError, GpuLoad, read_loads
from tapeless.watching.progress import JOB_STATES, VIDEO_STATES


def write_textfile(path: Path, results: Path, status: Mapping[str, Any]) -> None:
    """Writes what `progress.json` says, and how busy the cards of this machine are.

    The folder must exist, and `path` must end with `.prom` for node_exporter to read it.

    Raises:
        OSError: if it cannot be written.
    """
    registry = CollectorRegistry()
    project = str(results.absolute())
    _add_run(registry, project, status)
    with suppress(GpuError):  # most machines have no cards
        _add_cards(registry, project, read_loads())
    write_to_textfile(str(path), registry)


def _add_run(registry: CollectorRegistry, project: str, status: Mapping[str, Any]) -> None:
    def gauge(name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, ["project", *labels], registry=registry)

    videos = gauge("tapeless_videos", "Videos of the project by state", "state")
    for state in VIDEO_STATES:
        videos.labels(project, state).set(status["videos"][state])
    jobs = gauge("tapeless_jobs", "Jobs of the run by stage and state", "stage", "state")
    seconds = gauge("tapeless_job_seconds_mean", "Mean time of a job of this run", "stage")
    for name, stage in status["stages"].items():
        for state in JOB_STATES:
            jobs.labels(project, name, state).set(stage[state])
        if stage["mean_s"] is not None:
            seconds.labels(project, name).set(stage["mean_s"])
    active = gauge("tapeless_run_active", "1 while the run goes on, 0 when it has ended")
    active.labels(project).set(status["state"] == "running")
    for name, key, meaning in (
        ("start", "started", "When the run started"),
        ("update", "updated", "When these numbers were written"),
        ("expected_end", "expected_end", "When all jobs will be done"),
    ):
        if status[key] is not None:
            time = gauge(f"tapeless_run_{name}_time_seconds", f"{meaning}, seconds since 1970")
            time.labels(project).set(datetime.fromisoformat(status[key]).timestamp())


def _add_cards(registry: CollectorRegistry, project: str, loads: Iterable[GpuLoad]) -> None:
    def gauge(name: str, meaning: str) -> Gauge:
        labels = ["project", "gpu", "UUID", "modelName"]
        return Gauge(name, meaning, labels, registry=registry)

    used = gauge("DCGM_FI_DEV_FB_USED", "Memory in use, MiB")
    free = gauge("DCGM_FI_DEV_FB_FREE", "Memory that is free, MiB")
    busy = gauge("DCGM_FI_DEV_GPU_UTIL", "Utilisation, percent")
    for load in loads:
        card = (project, str(load.gpu.index), load.gpu.uuid, load.gpu.name)
        used.labels(*card).set(load.memory_used_mb)
        free.labels(*card).set(load.gpu.memory_free_mb)
        if load.utilisation_percent is not None:
            busy.labels(*card).set(load.utilisation_percent)
