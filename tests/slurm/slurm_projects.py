"""A project whose runs go to a Slurm."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from slurm_cluster import ACCOUNT, PARTITION, Cluster

from projects import ROOT, PluggedProject, Project, make_project

PAGE = (ROOT / "docs/slurm.md").read_text(encoding="utf-8")
PROFILE = ("--workflow-profile", "profiles/slurm")

# The plugin asks how jobs fare ten seconds later each time, as long as none gets done.
ASKS_SOON = """
import asyncio
from snakemake_executor_plugin_slurm import Executor
Executor.sleep = lambda self: asyncio.sleep(2)
"""
PATIENCE_S = 1200  # on a machine that has other things to do


@dataclass(frozen=True)
class SlurmProject(PluggedProject):
    """A project whose runs go to a Slurm."""

    cluster: Cluster

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", *PROFILE, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | self.cluster.environment

    def set_profile(self, **entries: object) -> None:
        """Changes entries of the profile, as a user would."""
        path = self.folder / "profiles/slurm/profile.yaml"
        profile = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump(profile | entries), encoding="utf-8")

    def burden(self, script: str, code: str) -> None:
        """Has a script of the workflow do something else first."""
        path = self.folder / "scripts" / f"{script}.py"
        path.write_text(code + path.read_text(encoding="utf-8"), encoding="utf-8")


def make_slurm_project(folder: Path, cluster: Cluster) -> SlurmProject:
    return submit_to(cluster, make_project(folder))


def submit_to(cluster: Cluster, plain: Project) -> SlurmProject:
    """Has the runs of a project go to a Slurm."""
    project = SlurmProject(plain.folder, cluster)
    with (project.folder / "Snakefile").open("a", encoding="utf-8") as snakefile:
        snakefile.write(ASKS_SOON)
    project.set_profile(
        **{
            "default-resources": {
                "slurm_account": ACCOUNT,
                "slurm_partition": PARTITION,
                "mem_mb": 1000,
                "runtime": 10,
            }
        }
    )
    return project


def documented(job: str) -> tuple[int, int, int]:
    """Cores, megabytes and minutes that docs/slurm.md says a job asks for."""
    number = r" ([\d.]+) "
    row = rf"^\| {re.escape(job)}[^|]*\|{number}\|{number}GB \|(?:{number}h)?(?:{number}min)? \|"
    ((cores, gigabytes, hours, minutes),) = re.findall(row, PAGE, re.MULTILINE)
    return int(cores), int(float(gigabytes) * 1000), 60 * int(hours or 0) + int(minutes or 0)
