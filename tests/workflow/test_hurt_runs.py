"""Runs that things are done to: a small part of `make bench-faults`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path

import pytest

from projects import ROOT, Project

sys.path.insert(0, str(ROOT / "benchmarks" / "scripts"))

from hurt_runs import (
    ROOMY_MB,
    damage_file,
    disturb,
    fill_up,
    make_younger,
    replaced,
    small_disk,
)
from workplace import Workplace


@pytest.fixture
def place(tmp_path: Path, footage: Path) -> Workplace:
    """A folder with one video of which nothing is done."""
    place = Workplace(tmp_path / "place")
    place.lay_out([footage])
    return place


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_full_disk_fails_loudly_and_is_gone_on_from(place: Workplace):
    log = place.results / "logs/sample_frames/walk.mp4.log"
    with small_disk(place, ROOMY_MB) as resize:
        assert disturb(place, log.exists, lambda: fill_up(place, resize, 5e4), "frames") != 0
        assert "No space left on device" in place.said()
        assert not (place.results / "videos/walk.mp4/frames/outcome.json").exists()
        resize(ROOMY_MB)
        assert place.run("frames") == 0
    assert len(list((place.results / "videos/walk.mp4/frames").glob("*.png"))) == 8


def test_a_video_that_is_replaced_while_it_is_read_is_read_again(place: Workplace):
    video = place.folder / "videos/walk.mp4"
    kept = shutil.copy2(video, place.folder / "kept.mp4")
    log = place.results / "logs/sample_frames/walk.mp4.log"
    outcome = place.results / "videos/walk.mp4/frames/outcome.json"

    def replace() -> None:
        assert not outcome.exists()  # its reader, which is held meanwhile, is not done
        replaced(video)

    assert disturb(place, log.exists, replace, "frames") != 0
    assert "walk.mp4 was changed while it was read" in place.said()
    assert not outcome.exists()
    Path(kept).replace(video)
    assert place.run("frames") == 0
    assert '"frames_sampled": 8' in outcome.read_text()


def test_a_clock_that_is_set_back_by_a_day_is_no_obstacle(place: Workplace):
    """Neither for results of before, nor for a video that seems to be filmed next week."""
    a_day_s = 86_400
    video = place.folder / "videos/walk.mp4"
    next_week_s = time.time() + 7 * a_day_s
    os.utime(video, (next_week_s, next_week_s))
    assert place.run("frames") == 0, place.said()
    make_younger(place.folder, a_day_s)

    assert place.run("keypoints") == 0, place.said()

    assert "the clock was set back" in place.said()
    assert place.run("keypoints") == 0
    assert "Nothing to be done" in place.said()
    assert video.stat().st_mtime == pytest.approx(next_week_s)


def test_what_is_done_stays_done_while_the_clock_is_behind_the_videos(finished: Project):
    years_behind = "import time\nnow = time.time\ntime.time = lambda: now() - 10 * 365 * 86_400\n"
    (finished.folder / "scripts/sitecustomize.py").write_text(years_behind, encoding="utf-8")
    assert finished.plan() == {}


def go_on_as_told(project: Project, said: str) -> None:
    """Types the very command that a run named last."""
    program, *words = shlex.split(said.rpartition("goes on from there:\n")[2].splitlines()[0])
    assert program == "snakemake"
    project.run_command([sys.executable, "-m", program, *words])


def test_numbers_that_somebody_edited_are_reported_nowhere_and_made_again(finished: Project):
    before = finished.reports()
    statistics = finished.results / "videos/walk/statistics.csv"
    edited = statistics.read_text(encoding="utf-8").replace("cm,2,", "cm,2,1")
    statistics.write_text(edited, encoding="utf-8")

    run = finished.snakemake()

    assert run.returncode != 0
    aside = statistics.with_name("statistics.csv.changed")
    assert "walk/statistics.csv is not as tapeless wrote it, and has been put aside" in run.stdout
    assert aside.read_text(encoding="utf-8") == edited
    assert finished.reports()["summary.csv"] == before["summary.csv"]
    go_on_as_told(finished, run.stdout)
    assert finished.reports() == before
    assert finished.plan() == {}


def test_numbers_that_only_a_contact_sheet_found_to_be_edited_are_made_again(finished: Project):
    """All tables of the run before are there, and the job that failed wrote none of them."""
    before = finished.reports()
    walk = finished.results / "videos/walk"
    with (walk / "statistics.csv").open("a", encoding="utf-8") as statistics:
        statistics.write("\n")

    assert finished.snakemake("sheets").returncode != 0

    finished.run()
    assert finished.reports() == before
    assert (walk / "sheet.png").exists()
    assert finished.plan() == {}


def test_what_a_disk_has_damaged_is_found_when_it_is_read_and_made_again(finished: Project):
    """Of files that belong to a folder, and of those that do not; their times are as they were."""
    before = finished.reports()
    walk = finished.results / "videos/walk"
    for damaged in ("bodies/estimate_1.npz", "keypoints.csv", "checks.csv"):
        damage_file(walk / damaged)
    for wanted_again in (walk / "sheet.png", finished.results / "checks.csv"):
        wanted_again.unlink()

    run = finished.snakemake("sheets", "results/checks.csv")

    assert run.returncode != 0
    assert (
        "walk/keypoints was damaged after it had been written, and has been removed" in run.stdout
    )
    assert "walk/checks.csv is not as tapeless wrote it" in run.stdout
    assert not (walk / "keypoints").exists()
    go_on_as_told(finished, run.stdout)
    finished.run()
    assert finished.reports() == before
    assert finished.plan() == {}


def test_what_is_damaged_of_forgotten_frames_stops_no_run_before_it_begins(finished: Project):
    before = finished.reports()
    walk = finished.results / "videos/walk"
    outcome = walk / "frames/outcome.json"
    times = outcome.stat()
    outcome.write_text(outcome.read_text(encoding="utf-8").replace("code", "cpde"))
    os.utime(outcome, ns=(times.st_atime_ns, times.st_mtime_ns))
    shutil.rmtree(walk / "keypoints")
    (walk / "keypoints.csv").unlink()

    run = finished.snakemake("keypoints")

    assert run.returncode != 0
    assert "walk/frames was damaged after it had been written, and has been removed" in run.stdout
    go_on_as_told(finished, run.stdout)
    finished.run()
    assert finished.reports() == before
