"""A good video among bad ones of every stage: it is measured, they have rows that say what to do.

Its name has a bit of everything that breaks shells and templates. All that is no video, whatever
its name says, comes the same way from `sample_frames` on: tests/unit/test_video.py has every kind.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from projects import Project, make_project

HOSTILE_NAME = "-a {b} <c> $(d) 'e' \"f\"\n é.mp4"
CODES = {
    "text.mp4": "not_a_video",
    "truncated.mp4": "not_a_video",
    "one_frame.mp4": "too_few_frames",
    "nobody.mp4": "no_person",
    "upper_body.mp4": "partial_body",
    "far_away.mp4": "too_small",
    "two_frames.mp4": "too_few_frames",
}


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def make_bad_videos(folder: Path, footage: Path, room: Path) -> None:
    (folder / "text.mp4").write_text("I am no video.\n", encoding="utf-8")
    index_last = folder / "truncated.mp4"
    ffmpeg("-i", footage, "-c", "copy", "-movflags", "0", index_last)
    index_last.write_bytes(index_last.read_bytes()[: index_last.stat().st_size // 2])
    ffmpeg("-i", footage, "-frames:v", "1", folder / "one_frame.mp4")
    ffmpeg("-i", footage, "-vf", "crop=iw:ih/2:0:0", folder / "upper_body.mp4")
    far = "scale=iw/4:-2,pad=360:640:(ow-iw)/2:(oh-ih)/2:gray"
    ffmpeg("-i", footage, "-vf", far, folder / "far_away.mp4")
    passing = "[0][1]overlay=enable='lt(t,0.45)'"
    ffmpeg("-i", room, "-i", footage, "-filter_complex", passing, folder / "two_frames.mp4")
    shutil.copy2(room, folder / "nobody.mp4")


@pytest.fixture(scope="module")
def finished_mix(tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Project:
    """All of them and a good one in one folder, run once, with exit status 0."""
    from tapeless.synthetic import Shot, film_empty_room

    project = make_project(tmp_path_factory.mktemp("mix") / "project")
    room = project.folder / "room.mp4"
    film_empty_room(
        room, seed=1, shot=Shot(width_px=360, height_px=640, seconds=2, frames_per_second=8)
    )
    shutil.copy2(footage, project.folder / "videos" / HOSTILE_NAME)
    make_bad_videos(project.folder / "videos", footage, room)
    project.run()
    return project


def good_row(project: Project) -> dict[str, str]:
    """That of the one video which is not in `CODES`, so that every other has its own."""
    rows = project.read_summary()
    ((good,), missing) = rows.keys() - CODES.keys(), CODES.keys() - rows.keys()
    assert missing == set()
    return rows[good]


def test_the_good_video_is_measured(finished_mix: Project):
    good = good_row(finished_mix)
    assert good["status"] == "measured"
    assert 140 < float(good["height_cm"]) < 205
    assert 50 < float(good["waist_cm"]) < 150


def test_its_name_breaks_no_page_either(finished_mix: Project):
    report = finished_mix.folder / "report.html"
    finished_mix.run("--report", str(report))
    assert good_row(finished_mix)["video"] in report.read_text(encoding="utf-8")


@pytest.mark.parametrize("video", CODES)
def test_a_bad_video_is_rejected_with_what_to_do(finished_mix: Project, video: str):
    row = finished_mix.read_summary()[video]
    assert (row["status"], row["code"]) == ("rejected", CODES[video]), row["reason"]
    assert row["reason"].endswith(".")
    assert len(row["reason"].split()) > 8
    assert row["waist_cm"] == ""
    assert (finished_mix.results / "videos" / video / "sheet.png").exists()
