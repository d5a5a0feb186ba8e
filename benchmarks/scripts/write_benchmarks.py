"""Fills docs/benchmarks.md with the times and the memory that were measured."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from page import DASH, Verdict, fill, markdown, written

from tapeless import __version__
from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

ESSENTIALS = {
    "frames": "decoding",
    "pose": "pose (MediaPipe)",
    "silhouettes": "silhouettes (MediaPipe)",
    "bodies": "fit (Anny)",
}


def machine() -> str:
    """Processor, cores and memory of this machine, in words."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {models[0] if models else 'unknown'}, {memory_gb:.0f} GB of memory"


def format_of(films: pd.DataFrame) -> str:
    """Length, size and rate of the videos of one take."""
    film = films.iloc[0]
    size = f"{film['width_px']} x {film['height_px']} px"
    return f"{film['seconds']:.0f} s of {size} at {film['frames_per_second']} frames a second"


def judge(
    times: Mapping[str, Any], measuring: Mapping[str, float], wanted: Mapping[str, float]
) -> list[Verdict]:
    """The targets of time against what was measured; nothing is, on more cores than they say."""
    fit_s, cores = times["stages"]["estimate_shape"], times["cores"]
    slowest = f"median {measuring['median_ms']:.0f} ms, slowest {measuring['slowest_ms']:.0f} ms"
    return [
        Verdict(
            f"fit of one turn within {wanted['fit_s']} s on {wanted['fit_cores']} cores",
            f"{fit_s:.1f} s of {times['frames']} frames on {cores} cores",
            fit_s <= wanted["fit_s"] if cores <= wanted["fit_cores"] else None,
        ),
        Verdict(f"the same within {wanted['fit_cuda_s']} s on a CUDA device", DASH, None),
        Verdict(
            f"{measuring['measurements']} measurements of one body within "
            f"{wanted['measuring_ms']} ms",
            slowest,
            measuring["median_ms"] <= wanted["measuring_ms"],
        ),
    ]


def fields_of(cost: pd.DataFrame, times: Mapping[str, Any]) -> dict[str, str]:
    """What the page says, but for the formats of the videos, and the targets."""
    seconds = times["essential_seconds"]
    essential, wall = sum(seconds.values()), times["wall_seconds"]
    rows = [(ESSENTIALS[name], f"{value:.1f} s") for name, value in seconds.items()]
    rows += [("together", f"{essential:.1f} s"), ("the whole run", f"{wall:.1f} s")]
    of_videos = cost[cost["videos"] > 1]
    stages = pd.DataFrame(
        {
            "stage": cost["stage"],
            "mean": cost["seconds"].map(written("{:.1f} s")),
            "longest": cost["largest_seconds"].map(written("{:.1f} s")),
            "processor time, mean": cost["cpu_seconds"].map(written("{:.1f} s")),
            "largest memory": cost["largest_memory_mb"].map(written("{:.0f} MB")),
        }
    )
    return {
        "version": __version__,
        "machine": machine(),
        "cores": str(times["cores"]),
        "wall": f"{wall:.0f}",
        "memory": f"{times['largest_memory_mb']:.0f}",
        "essentials": markdown(pd.DataFrame(rows, columns=["", "time"])),
        "outside": f"{100 * (1 - essential / wall):.0f}",
        "videos": str(cost["videos"].max()),
        "per_video": f"{of_videos['seconds'].sum():.0f}",
        "per_video_memory": f"{of_videos['largest_memory_mb'].max():.0f}",
        "stages": markdown(stages),
    }


def main(inputs: Mapping[str, Path], page: Path, wanted: Mapping[str, float]) -> None:
    """Writes `page`."""
    cost, films, film = (pd.read_csv(inputs[name]) for name in ("cost", "films", "film"))
    times, measuring = (
        json.loads(inputs[name].read_text(encoding="utf-8")) for name in ("times", "measuring")
    )
    fields = fields_of(cost, times)
    fields |= {"format": format_of(films), "long_format": format_of(film)}
    verdicts = judge(times, measuring, wanted)
    fields["targets"] = markdown(pd.DataFrame(verdict.row() for verdict in verdicts))
    fill(inputs["template"], page, fields)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            {name: Path(path) for name, path in snakemake.input.items()},
            Path(snakemake.output.page),
            snakemake.params.wanted,
        )
