"""Runs that are killed, runs that meet, jobs that fail: nothing is lost, nothing is faked."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from projects import SHEET, Project, make_project, wait_for

NO_ROOM = """
import builtins, errno, os
log, opened = "results/logs/collect_reports.log", open

def is_full():
    with opened(log, "rb") as file:
        return b"THE JOB FAILED" in file.read()

def refuse(path, *how, **more):
    if ".snakemake/incomplete" in str(path) and os.path.exists(log) and is_full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return opened(path, *how, **more)

builtins.open = refuse
"""
"""As on a disk that is full when the job has failed."""


def test_a_run_killed_at_any_point_resumes_and_ends_with_the_same_reports(
    original: Project, project: Project
):
    """Only the main process is killed, the hardest case: its jobs live on and write on."""
    for video in ("walk.mp4", "text.mp4"):
        shutil.copy2(original.folder / "videos" / video, project.folder / "videos")
    project.write_sheet(*SHEET)
    walk = project.results / "videos/walk"
    moments: list[Callable[[], bool]] = [
        lambda: any((walk / "frames").glob("*.png")),  # in the middle of a stage's folder
        lambda: (walk / "pose/outcome.json").exists(),  # about when a stage ends
        lambda: (project.results / "logs/estimate_shape/walk.log").exists(),  # in a long stage
        lambda: (walk / "statistics.csv").exists(),
        lambda: (project.results / "summary.csv").exists(),  # in the very last steps
    ]
    for happened in moments:
        run = project.start()
        wait_for(happened, run)
        run.kill()
        run.wait()
    project.run()
    assert project.scripts_at_work() == []
    assert project.reports() == original.reports()
    assert project.plan() == {}


def test_what_a_killed_run_left_behind_is_ended_by_the_next(project: Project, footage: Path):
    shutil.copy2(footage, project.folder / "videos")
    run = project.start()
    wait_for(lambda: bool(project.scripts_at_work()), run)
    run.kill()
    run.wait()
    assert project.scripts_at_work() != []
    project.run("frames")
    assert project.scripts_at_work() == []


def test_two_runs_in_one_folder_do_not_meet(project: Project, footage: Path):
    shutil.copy2(footage, project.folder / "videos")
    run = project.start()
    wait_for(lambda: bool(project.scripts_at_work()), run)
    second = project.snakemake()
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert second.returncode != 0
    assert "Nothing was run: another run is at work" in second.stdout


def test_two_runs_of_two_projects_do_not_meet_in_one_folder_of_results(
    project: Project, footage: Path, tmp_path: Path
):
    """The second says who is there, and leaves alone what the first has at work."""
    other = make_project(tmp_path / "other project")
    for each in (project, other):
        each.configure(pathvars={"results": str(tmp_path / "shared results")})
        shutil.copy2(footage, each.folder / "videos")
    at_work = tmp_path / "shared results/videos/of the first/pose/.workplace-1"
    run = project.start()
    wait_for(lambda: bool(project.scripts_at_work()), run)
    at_work.mkdir(parents=True)
    second = other.snakemake()
    planned = other.snakemake("--dry-run", "--quiet")
    was_left_alone = at_work.exists()
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert second.returncode != 0
    who = f"(process {run.pid} on {socket.gethostname()})"
    said = f"Nothing was run: another run is at work in {tmp_path / 'shared results'} {who}"
    assert said in " ".join(second.stdout.split())
    assert was_left_alone
    assert planned.returncode == 0


def test_a_fault_of_the_machine_fails_loudly_and_leaves_finished_results_untouched(
    finished: Project, tmp_path: Path
):
    """ffprobe fails at its work; a new video cannot be read, and another is changed meanwhile."""
    broken = tmp_path / "broken"
    broken.mkdir()
    says_its_version = '[ "$1" = -version ] && exec echo ffprobe version 7.1\n'
    (broken / "ffprobe").write_text(f"#!/bin/sh\n{says_its_version}exit 127\n", encoding="utf-8")
    (broken / "ffprobe").chmod(stat.S_IRWXU)
    before = finished.reports()
    (finished.folder / "videos/new.mp4").write_text("no video, as only ffprobe can tell")
    new = {"video": "new", "path": "videos/new.mp4"}
    finished.write_sheet(SHEET[0] | {"subject": "Anna"}, SHEET[1], new)

    run = finished.snakemake(environment={"PATH": f"{broken}:{os.environ['PATH']}"})

    assert run.returncode != 0
    told = run.stdout.rpartition("1 job failed because of this machine")[2]
    assert "  - sample_frames/new: ffprobe failed (exit status 127)" in told
    assert "its log: results/logs/sample_frames/new.log" in told
    assert "results/summary.csv is still that of an earlier run. Finished results are kept" in told
    assert "Traceback" not in run.stdout
    after = finished.reports()
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == {
        "videos/walk/outcome.json",  # what could be done was done: this video has its subject
        "videos/walk/statistics.csv",
        "videos/walk/sheet.png",
    }

    finished.run()
    assert set(finished.read_summary()) == {"walk", "text", "new"}


def test_a_project_that_cannot_be_written_to_fails_loudly(project: Project, footage: Path):
    shutil.copy2(footage, project.folder / "videos")
    project.results.write_text("in the way of the folder", encoding="utf-8")
    assert project.snakemake().returncode != 0


@pytest.mark.parametrize("profile", ["none"])
def test_without_the_profile_a_run_works_the_same(finished: Project, profile: str):
    assert finished.plan("--workflow-profile", profile) == {}


def test_a_collection_that_fails_brings_yesterdays_reports_back_until_it_is_made_again(
    finished: Project,
):
    before = finished.reports()
    tables = {name: text for name, text in before.items() if "/" not in name}
    assert set(tables) == {"summary.csv", "measurements.csv"}
    (finished.results / "videos/text/outcome.json").write_text("{", encoding="utf-8")

    run = finished.snakemake("--allowed-rules", "collect_reports", "write_provenance", "all")

    assert run.returncode != 0
    after = finished.reports()
    assert {name: after.get(name) for name in tables} == tables

    finished.run()

    assert finished.reports() == before
    assert finished.plan() == {}


def test_a_collection_that_fails_for_a_full_disk_says_so_and_what_has_to_be_typed(
    finished: Project,
):
    """Even if there is no room for Snakemake's note that the tables are to be made again."""
    before = finished.reports()
    (finished.folder / "scripts/sitecustomize.py").write_text(NO_ROOM, encoding="utf-8")
    (finished.results / "videos/text/outcome.json").write_text("{", encoding="utf-8")

    run = finished.snakemake("--allowed-rules", "collect_reports", "write_provenance", "all")

    assert run.returncode != 0
    assert "type --forcerun collect_reports behind its command" in run.stdout
    assert "1 job failed because of this machine" in run.stdout.split("forcerun")[1]

    (finished.folder / "scripts/sitecustomize.py").unlink()
    finished.run("--forcerun", "collect_reports")

    assert finished.reports() == before
    assert finished.plan() == {}
