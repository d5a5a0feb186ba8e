"""Containers that break in every way they can: a video's job fails and says what to do.

Other videos are measured meanwhile, nothing half done counts as done, and when the cause is gone
the same command ends with the reports of a run that nothing ever disturbed.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from containers.standins.shapy.download import CHECKPOINT
from projects import wait_for
from reference import ReferenceProject

DISK_MB = 100


class Failure(NamedTuple):
    """How a stand-in fails, what the job then says, and the word in the record of the container."""

    mode: str
    sentence: str
    status: str | None  # None where it cannot be written, either


TOO_LONG = "the time limit of 0.15 minutes was over, and the program was stopped"
TOO_MUCH = "took more than the 300 MB of memory that it may have: raise containers.memory_mb"
FULL = "failed because a disk is full: make room where"
CRASHED = "failed; what it said tells why"
NO_CARD_MEMORY = "ran out of memory on the graphics card: end what else runs on it"

OPENPOSE = [
    Failure("half", "ended as if all were well, but 4 of 8 frames have no file", "ok"),
    Failure("oom", TOO_MUCH, "out_of_memory"),
    Failure("crash", CRASHED, "failed"),
    Failure("garbage", "What OpenPose wrote is no pose", "ok"),
    Failure("fill_disk", FULL, None),
    Failure("no_gpu_memory", NO_CARD_MEMORY, "gpu_out_of_memory"),
]
SHAPY = [
    Failure("hang", TOO_LONG, "time_limit"),
    Failure("crash", CRASHED, "failed"),
    Failure("half", "ended without an error, but 4 of 8 frames have no result", "ok"),
    Failure("oom", TOO_MUCH, "out_of_memory"),
    Failure("fill_disk", FULL, None),
    Failure("no_gpu_memory", "SHAPY found no graphics card that it can work with", "failed"),
]


@pytest.fixture
def project(finished: ReferenceProject) -> Iterator[ReferenceProject]:
    """A project on a small disk, in which two people are still to be measured."""
    size = f"size={DISK_MB}m"
    disk = finished.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], check=True)
    try:
        for video in ("walk", "tall"):
            finished.forget(video)
        shutil.copytree(finished.results, disk, dirs_exist_ok=True)
        shutil.rmtree(finished.results)
        finished.results.symlink_to(disk)
        finished.refer(containers={"memory_mb": 300})
        yield finished
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def check_failure(
    project: ReferenceProject, run: subprocess.CompletedProcess[str], video: str, rule: str
) -> str:
    """Makes sure that a job failed, without a trace but its log; what that says."""
    assert run.returncode != 0
    log = f"results/logs/{rule}/{video}.log"
    assert log in run.stdout
    output = {"estimate_pose": "pose", "estimate_shape": "bodies"}[rule]
    assert not (project.results / "videos" / video / output).exists()
    assert project.workstation.containers() == []
    return (project.folder / log).read_text(encoding="utf-8")


def test_however_containers_break_the_cause_is_said_and_a_later_run_ends_as_if_nothing_had_been(
    project: ReferenceProject, reference: ReferenceProject
):
    summary = (project.results / "summary.csv").read_bytes()

    project.refer(containers={"time_limit_minutes": 0.15})
    project.misbehave(openpose="hang@/tall/")
    run = project.snakemake()
    assert TOO_LONG in check_failure(project, run, "tall", "estimate_pose")
    for name in ("statistics.csv", "sheet.png"):  # the other video is measured
        made = project.results / "videos/walk" / name
        assert made.read_bytes() == (reference.results / "videos/walk" / name).read_bytes()
    assert "summary.csv is still that of an earlier run" in run.stdout
    assert (project.results / "summary.csv").read_bytes() == summary

    project.forget("walk")
    for openpose, shapy in zip(OPENPOSE, SHAPY, strict=True):
        limit = 0.15 if shapy.mode == "hang" else 60
        project.refer(containers={"time_limit_minutes": limit})
        project.misbehave(openpose=f"{openpose.mode}@/tall/", shapy=f"{shapy.mode}@/walk/")
        run = project.snakemake()
        for failure, video, rule in (
            (openpose, "tall", "estimate_pose"),
            (shapy, "walk", "estimate_shape"),
        ):
            assert failure.sentence in check_failure(project, run, video, rule)
            if failure.status is not None:
                usage = project.read_usage(rule, video)
                assert (usage["status"], usage["runs"]) == (failure.status, 1)

    project.refer(pose={"openpose": {"gpu": False}})  # an OpenPose for cards that sees none
    project.misbehave()
    run = project.snakemake("keypoints")
    assert "needs pose.openpose.gpu: true" in check_failure(project, run, "tall", "estimate_pose")

    project.refer(pose={"openpose": {"gpu": True}})
    project.run()
    assert project.reports() == reference.reports()
    assert project.plan() == {}


def test_weights_that_vanish_just_before_shapy_starts_yield_no_body(
    finished: ReferenceProject, reference: ReferenceProject, tmp_path: Path
):
    """They are there when the run and the job look, and gone when SHAPY does, which then goes on
    with random bodies and ends with status 0. The job waits for its card in the meantime."""
    data = shutil.copytree(finished.workstation.data, tmp_path / "data")
    workstation = finished.workstation.with_cards(tmp_path / "cards", 1)
    project = replace(finished, workstation=replace(workstation, data=data))
    project.refer(shape={"shapy": {"data": str(data)}})
    project.forget("tall", after="keypoints")
    log = project.results / "logs/estimate_shape/tall.log"

    with workstation.cards.job() as other:
        other.wait_for_gpus()
        run = project.start()
        wait_for(lambda: log.exists() and "waiting for" in log.read_text(), run)
        checkpoint = data / CHECKPOINT
        checkpoint.rename(tmp_path / "checkpoint")
    assert run.wait() != 0
    assert "SHAPY did not load its weights" in log.read_text()
    assert not (project.results / "videos/tall/bodies").exists()

    said = project.snakemake().stdout
    assert "Nothing was run" in said
    assert str(checkpoint) in said

    (tmp_path / "checkpoint").rename(checkpoint)
    project.run()
    assert project.reports() == reference.reports()
