"""Measures what planning costs: a new project, the same when finished, and with one video more.

Writes one JSON file: seconds by the clock and of the processor, memory in MB, jobs planned.
"""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from synthetic_project import Cost, SyntheticProject

from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def count_jobs(said: str) -> int:
    """The jobs of a dry run."""
    total = re.search(r"^total\s+(\d+)$", said, re.MULTILINE)
    return int(total[1]) if total else 0


def describe(cost: Cost) -> dict[str, float]:
    """One plan."""
    return {
        "wall_s": round(cost.wall_s, 1),
        "cpu_s": round(cost.cpu_s, 1),
        "memory_mb": round(cost.memory_mb),
        "jobs": count_jobs(cost.said),
    }


def plan(folder: Path, snakefile: Path, way: str, number: int) -> dict[str, dict[str, float]]:
    """What the three plans of so many videos cost."""
    project = SyntheticProject(folder, snakefile, way)
    project.list_videos(number)
    dry_run = ("--dry-run", "--quiet", "rules", "host")
    costs = {"new": describe(project.snakemake(*dry_run))}
    project.finish(number)
    costs["finished"] = describe(project.snakemake(*dry_run))
    project.list_videos(number + 1)
    costs["one more"] = describe(project.snakemake(*dry_run))
    return costs


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        folder = Path(snakemake.params.folder)
        costs = plan(
            folder,
            Path(snakemake.params.snakefile),
            snakemake.wildcards.way,
            int(snakemake.wildcards.number),
        )
        Path(snakemake.output[0]).write_text(json.dumps(costs, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(folder)
