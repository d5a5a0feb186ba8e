"""Before its first job, a run makes sure that this machine has what its jobs need."""

from __future__ import annotations

import os
import stat

import pytest

from projects import Project, obstacles

REFERENCE = ("--configfile", "config/reference.yaml", "--config")
FOLDERS = ('pose={"openpose": {"models": "none"}}', 'shape={"shapy": {"data": "none"}}')


@pytest.fixture
def project(project: Project) -> Project:
    """A project with one file to look at, which is no video: its jobs take no time."""
    (project.folder / "videos/text.mp4").write_text("no video", encoding="utf-8")
    return project


@pytest.fixture
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a machine whose ffmpeg and ffprobe do not run, and that has no Docker."""
    folder = tmp_path_factory.mktemp("broken")
    for name in ("ffmpeg", "ffprobe"):
        (folder / name).write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
        (folder / name).chmod(stat.S_IRWXU)
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{folder}/none.sock",
        "CUDA_VISIBLE_DEVICES": "",
    }


def test_all_that_is_missing_is_said_at_once_and_no_job_runs(
    project: Project, broken: dict[str, str]
):
    run = project.snakemake(*REFERENCE, *FOLDERS, environment=broken)
    assert run.returncode != 0
    found = obstacles(run.stdout)
    assert set(found) == {
        "ffmpeg",
        "ffprobe",
        "graphics cards",
        "Docker",
        "image openpose",
        "image shapy",
        "OpenPose models",
        "SHAPY data",
    }
    (shapy,) = found["image shapy"]
    for typed in ("tapeless pin shapy --configfile config/reference.yaml", FOLDERS[1]):
        assert typed in shapy
    assert len(found["SHAPY data"]) == 1  # the folder
    count = sum(map(len, found.values()))
    assert f"Nothing was run, for want of {count} things that the jobs need:" in run.stdout
    assert "`tapeless doctor --configfile config/reference.yaml --config" in run.stdout
    assert [path.name for path in project.results.iterdir()] == [".tapeless.lock"]


def test_that_ffmpeg_cannot_be_shut_in_is_said_once_and_stops_nobody(
    project: Project, tmp_path_factory: pytest.TempPathFactory
):
    """As in many containers, where Bubblewrap may make no namespaces."""
    folder = tmp_path_factory.mktemp("forbidden")
    (folder / "bwrap").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (folder / "bwrap").chmod(stat.S_IRWXU)
    run = project.snakemake("frames", environment={"PATH": f"{folder}:{os.environ['PATH']}"})
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("could use the network if a hostile video took it over") == 1


def test_nothing_is_looked_for_that_no_job_needs(project: Project, broken: dict[str, str]):
    """Neither for later stages, nor for those whose work is done, nor where no job is run."""
    shapy = ("--configfile", "config/reference.yaml", "--config", 'pose={"backend": "mediapipe"}')
    project.run("frames", *shapy, 'shape={"shapy": {"data": "none"}}')
    for target in ("keypoints", "frames"):
        run = project.snakemake(target, environment=broken)
        assert run.returncode == 0, run.stdout
    os.utime(project.folder / "videos/text.mp4")
    run = project.snakemake("frames", "--touch", environment=broken)
    assert run.returncode == 0, run.stdout


def test_frames_that_were_forgotten_need_ffmpeg_again(finished: Project, broken: dict[str, str]):
    """A stage that runs anew samples them itself, though the one that samples has no job."""
    finished.configure(blur_faces=False)
    run = finished.snakemake(environment=broken)
    assert run.returncode != 0
    assert set(obstacles(run.stdout)) == {"ffmpeg", "ffprobe"}
    for number in range(1, finished.read_outcome("walk", "frames")["frames_sampled"] + 1):
        (finished.results / f"videos/walk/frames/frame_{number:06d}.png").touch()
    run = finished.snakemake("--until", "blur_faces", environment=broken)
    assert "ffmpeg" not in obstacles(run.stdout)


def test_plans_are_made_on_any_machine(project: Project, broken: dict[str, str]):
    run = project.snakemake("--dry-run", *REFERENCE, *FOLDERS, environment=broken)
    assert run.returncode == 0, run.stdout
    assert "estimate_shape" in run.stdout


def test_a_folder_that_cannot_be_written_to_is_named(project: Project):
    """Even root writes nothing to /proc."""
    run = project.snakemake("frames", "--config", 'pathvars={"results": "/proc/results"}')
    assert run.returncode != 0
    assert set(obstacles(run.stdout)) == {"results"}


def test_what_mends_one_thing_lets_the_run_go_on(project: Project, broken: dict[str, str]):
    run = project.snakemake("frames", environment=broken)
    assert set(obstacles(run.stdout)) == {"ffmpeg", "ffprobe"}
    said = project.run("frames")
    assert "doctor" not in said
    assert project.read_outcome("text.mp4", "frames")["code"] == "not_a_video"
