"""A good video among every kind of bad one: it is measured, they have rows that say what to do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from projects import Project, make_project

CODES = {
    "empty.mp4": "not_a_video",
    "text.mp4": "not_a_video",
    "truncated.mp4": "not_a_video",
    "sound.mp4": "not_a_video",
    "playlist.mp4": "not_a_video",
    "script.mp4": "not_a_video",
    "one_frame.mp4": "too_few_frames",
    "nobody.mp4": "no_person",
    "upper_body.mp4": "partial_body",
    "far_away.mp4": "too_small",
    "two_frames.mp4": "too_few_frames",
}


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def make_bad_videos(folder: Path, footage: Path, room: Path) -> None:
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("I am no video.\n", encoding="utf-8")
    (folder / "playlist.mp4").write_text(f"#EXTM3U\n#EXTINF:2,\nfile://{footage}\n")
    (folder / "script.mp4").write_text(f"ffconcat version 1.0\nfile '{footage}'\n")
    index_last = folder / "truncated.mp4"
    ffmpeg("-i", footage, "-c", "copy", "-movflags", "0", index_last)
    index_last.write_bytes(index_last.read_bytes()[: index_last.stat().st_size // 2])
    ffmpeg("-f", "lavfi", "-i", "sine=duration=2", folder / "sound.mp4")
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
    shutil.copy2(footage, project.folder / "videos/good.mp4")
    make_bad_videos(project.folder / "videos", footage, room)
    project.run()
    return project


def test_the_good_video_is_measured(finished_mix: Project):
    good = finished_mix.read_summary()["good.mp4"]
    assert good["status"] == "measured"
    assert 140 < float(good["height_cm"]) < 205
    assert 50 < float(good["waist_cm"]) < 150


def test_every_file_has_its_row(finished_mix: Project):
    assert finished_mix.read_summary().keys() == {"good.mp4", *CODES}


@pytest.mark.parametrize("video", CODES)
def test_a_bad_video_is_rejected_with_what_to_do(finished_mix: Project, video: str):
    row = finished_mix.read_summary()[video]
    assert (row["status"], row["code"]) == ("rejected", CODES[video]), row["reason"]
    assert row["reason"].endswith(".")
    assert len(row["reason"].split()) > 8
    assert row["waist_cm"] == ""
    assert (finished_mix.results / "videos" / video / "sheet.png").exists()
