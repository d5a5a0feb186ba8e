"""Adds up what Snakemake's benchmark files say: time and memory per stage of one video.

Writes a row per stage: videos, mean and largest seconds, mean processor seconds, largest memory.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def read_costs(benchmarks: Path) -> pd.DataFrame:
    """A row per job, in the order of the stages: stage, video, seconds, cpu_seconds, memory_mb."""
    jobs = []
    for path in sorted(benchmarks.glob("*/*.tsv"), key=lambda path: path.stat().st_mtime):
        row = pd.read_csv(path, sep="\t", na_values="-").iloc[-1]
        jobs.append(
            {
                "stage": path.parent.name,
                "video": path.stem,
                "seconds": row["s"],
                "cpu_seconds": row["cpu_time"],
                "memory_mb": row["max_rss"],
            }
        )
    return pd.DataFrame(jobs)


def cost_per_stage(jobs: pd.DataFrame) -> pd.DataFrame:
    """Means over videos, and the largest of each."""
    return (
        jobs.groupby("stage", sort=False)
        .agg(
            videos=("video", "count"),
            seconds=("seconds", "mean"),
            largest_seconds=("seconds", "max"),
            cpu_seconds=("cpu_seconds", "mean"),
            largest_memory_mb=("memory_mb", "max"),
        )
        .reset_index()
    )


def main(benchmarks: Path, cost: Path) -> None:
    """Writes the table `cost`."""
    cost_per_stage(read_costs(benchmarks)).to_csv(cost, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(Path(snakemake.params.benchmarks), Path(snakemake.output.cost))
