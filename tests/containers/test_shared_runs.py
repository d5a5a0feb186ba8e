"""Runs in which several videos share the start of a container: the same results, fewer starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from projects import wait_for
from reference import PROGRAMS, ReferenceProject, Workstation, film_videos, make_reference_project
from tapeless.containers.workplaces import WORKPLACE_PREFIX

VIDEOS = ("one", "two", "three")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    film_videos(folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, workstation: Workstation, films: Path) -> ReferenceProject:
    """A project of two recordings, each of them two videos, of which eight may share a start."""
    project = make_reference_project(tmp_path, workstation.with_cards(tmp_path / "cards", 1))
    for video, film in zip(VIDEOS, ("walk", "tall", "walk"), strict=True):
        shutil.copy2(films / f"{film}.mp4", project.folder / f"videos/{video}.mp4")
    project.write_sheet(*({"video": v, "path": f"videos/{v}.mp4"} for v in VIDEOS))
    project.refer(containers={"videos_per_container": 8})
    return project


def starts(project: ReferenceProject, rule: str) -> Counter[str]:
    """How many containers the job of each video started."""
    files = (project.results / "benchmarks" / rule).glob("*.container.json")
    facts = {path.name.partition(".")[0]: json.loads(path.read_text()) for path in files}
    return Counter({video: usage.get("runs", 0) for video, usage in facts.items()})


def results(project: ReferenceProject) -> dict[str, bytes]:
    """What OpenPose and SHAPY found, and what lies hidden beside it."""
    folder = project.results / "videos"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[1] in ("pose", "keypoints", "bodies")
    }


def hidden(project: ReferenceProject) -> list[Path]:
    """What is there only for the time of a container."""
    videos = project.results / "videos"
    return [*videos.rglob(".*_aside"), *videos.rglob(f"{WORKPLACE_PREFIX}*")]


def test_all_who_wait_share_a_start_and_results_are_those_of_a_start_each(project):
    project.run("bodies")
    assert {rule: sum(starts(project, rule).values()) for rule in PROGRAMS.values()} == {
        "estimate_pose": 1,
        "estimate_shape": 1,
    }
    together = results(project)
    for video in VIDEOS:
        project.forget(video)
    project.refer(containers={"videos_per_container": 1})
    project.run("bodies")
    for rule in PROGRAMS.values():
        assert starts(project, rule) == Counter(VIDEOS)
    assert results(project) == together
    assert hidden(project) == []


def test_a_run_that_is_killed_with_a_container_of_several_is_gone_on_with(project):
    project.refer(containers={"environment": {"STANDIN_OPENPOSE": "hang"}})
    run = project.start("keypoints")
    wait_for(lambda: list(project.results.rglob("0_frame_000001_keypoints.json")) != [], run)
    for process in project.scripts_at_work():
        process.kill()
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert hidden(project) != [], "there is something to be tidied up"
    project.refer(containers={"environment": {"STANDIN_OPENPOSE": ""}})
    project.run("keypoints")
    assert sum(starts(project, "estimate_pose").values()) == 1
    assert hidden(project) == []
    assert {project.read_outcome(video, "keypoints")["outcome"] for video in VIDEOS} == {"ok"}
