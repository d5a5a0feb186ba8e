"""A project whose runs go to a Slurm."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from slurm_cluster import ACCOUNT, PARTITION, Cluster

from projects import PluggedProject, make_project

PROFILE = ("--workflow-profile", "profiles/slurm")
SOON = ("--slurm-init-seconds-before-status-checks", "3")
PATIENCE_S = 1200  # on a machine that has other things to do


@dataclass(frozen=True)
class SlurmProject(PluggedProject):
    """A project whose runs go to a Slurm."""

    cluster: Cluster

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", *PROFILE, *SOON, *arguments]

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
    project = SlurmProject(make_project(folder).folder, cluster)
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
