"""What jobs ask Slurm for by profiles/slurm, in Slurm's own records: what docs/slurm.md says.

Stages that take a graphics card, and the body model, here; the jobs of whole runs are seen in
test_slurm_faults.py.
"""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from slurm_cluster import ACCOUNT, PARTITION, Cluster, Job, wait_until
from slurm_projects import PAGE, PATIENCE_S, SlurmProject, documented, submit_to

from projects import Project

ON_THE_HOST = {"containers": {"runtime": "host"}}
OPENPOSE = {"backend": "openpose", "openpose": {"models": "models"}}
SHAPY = {"backend": "shapy", "shapy": {"data": "data"}}

# What is changed in a finished project with two videos, and the jobs that wait first, by their
# rules, each with the beginning of its row in docs/slurm.md, and how many cards it takes.
CHANGES: dict[str, tuple[dict[str, Any], dict[str, tuple[str, int]]]] = {
    "few jobs": (
        {"jobs_per_video": "few"},
        {"measure_video view_video": ("a video with `jobs_per_video: few`", 0)},
    ),
    "decoding on a card, and no body model": (
        {"sampling": {"hwaccel": "cuda"}, "pathvars": {"resources": "none"}},
        {
            "sample_frames": ("`sample_frames` with `sampling.hwaccel: cuda`", 1),
            "build_shape_space": ("the body model", 0),
        },
    ),
    "OpenPose": (
        {"pose": OPENPOSE, **ON_THE_HOST},
        {"estimate_pose": ("`estimate_pose` with OpenPose", 1)},
    ),
    "SHAPY": (
        {"shape": SHAPY, **ON_THE_HOST},
        {"estimate_shape": ("`estimate_shape` with SHAPY", 1)},
    ),
    "fit on a card": (
        {"shape": {"device": "cuda"}},
        {"estimate_shape": ("`estimate_shape` with `shape.device: cuda`", 1)},
    ),
}


@pytest.fixture(scope="module")
def waiting(
    cluster: Cluster, original: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Job]]]:
    """The jobs that wait, by what was changed: nothing is let run, then Ctrl-C."""
    cluster.ask("scontrol", "update", f"PartitionName={PARTITION}", "State=DOWN")
    folder = tmp_path_factory.mktemp("requests")
    runs = []
    for number, (config, _) in enumerate(CHANGES.values()):
        shutil.copytree(original.folder, folder / str(number), symlinks=True)
        project = submit_to(cluster, Project(folder / str(number)))
        project.set_profile(**groups_with_cards() if "jobs_per_video" not in config else {})
        project.configure(**config)
        runs.append((project, project.start()))
    for (project, _), (_, wanted) in zip(runs, CHANGES.values(), strict=True):
        jobs = {"build_shape_space": 1}
        count = sum(jobs.get(rules, len(project.read_summary())) for rules in wanted)
        wait_until(lambda p=project, n=count: count_known(p) == n, "jobs wait", PATIENCE_S)
        wait_until(
            lambda p=project, n=count: len(cluster.jobs_of(p.folder)) == n,
            "the accounts, which come later, know them",
            PATIENCE_S,
        )
    for _, run in runs:
        run.send_signal(signal.SIGINT)
    for _, run in runs:
        run.wait(PATIENCE_S)
    yield {
        change: cluster.jobs_of(project.folder)
        for change, (project, _) in zip(CHANGES, runs, strict=True)
    }
    cluster.ask("scontrol", "update", f"PartitionName={PARTITION}", "State=UP")


def groups_with_cards() -> Any:
    """The lines of docs/slurm.md for those who have a card."""
    (groups,) = re.findall(r"```yaml\n(groups:\n.*?)```", PAGE, re.DOTALL)
    return yaml.safe_load(groups)


def count_known(project: SlurmProject) -> int:
    """How many jobs Slurm has taken, as far as Snakemake knows."""
    logs = (project.folder / ".snakemake/log").glob("*.log")
    newest = max(logs, key=lambda path: path.name)
    return newest.read_text(encoding="utf-8").count("submitted with SLURM jobid")


@pytest.mark.parametrize("change", CHANGES)
def test_each_job_asks_for_what_the_page_says_and_for_a_card_if_it_takes_one(
    waiting: dict[str, list[Job]], cluster: Cluster, change: str
):
    wanted = CHANGES[change][1]
    assert {" ".join(sorted(cluster.rules_of(job))) for job in waiting[change]} == set(wanted)
    for job in waiting[change]:
        row, cards = wanted[" ".join(sorted(cluster.rules_of(job)))]
        assert (row, *job.request) == (row, *documented(row))
        assert int(job.resources.get("gres/gpu", 0)) == cards
        assert (job.partition, job.account) == (PARTITION, ACCOUNT)


def test_ctrl_c_cancels_what_waits(waiting: dict[str, list[Job]], cluster: Cluster):
    folders = {job.folder for jobs in waiting.values() for job in jobs}

    def states() -> set[str]:
        return {job.state for folder in folders for job in cluster.jobs_of(Path(folder))}

    wait_until(lambda: states() == {"CANCELLED"}, "the accounts know it", PATIENCE_S)
