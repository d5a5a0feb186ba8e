"""Runs that things are done to: a small part of `make bench-faults`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from projects import ROOT, Project

sys.path.insert(0, str(ROOT / "benchmarks" / "scripts"))

from hurt_runs import ROOMY_MB, damage_file, disturb, fill_up, replaced, small_disk
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
    status = disturb(place, log.exists, lambda: replaced(video), "frames")
    outcome = place.results / "videos/walk.mp4/frames/outcome.json"
    assert (status != 0) == (not outcome.exists()), place.said()
    Path(kept).replace(video)
    assert place.run("frames") == 0
    assert '"frames_sampled": 8' in outcome.read_text()


def test_a_damaged_intermediate_is_found_and_made_again(finished: Project):
    before = finished.reports()
    bodies = finished.results / "videos/walk/bodies"
    damage_file(bodies / "estimate_1.npz")
    measuring = ("--forcerun", "measure_bodies", "--until", "measure_bodies")
    assert finished.snakemake(*measuring).returncode != 0
    log = (finished.results / "logs/measure_bodies/walk.log").read_text(encoding="utf-8")
    assert "bodies was damaged after it had been written, and has been removed" in log
    assert not bodies.exists()
    assert finished.snakemake(*measuring).returncode == 0
    finished.run()
    assert finished.reports() == before
