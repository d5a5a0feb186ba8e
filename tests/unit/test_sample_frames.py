"""The stage `sample_frames`: what it leaves of a good video, a bad one, on a broken machine."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from video_files import numbered, write_clip

from sample_frames import main
from tapeless.constancy import VideoChangedError
from tapeless.video import Clip, MediaToolError, Sampling, probe

HEADER = ["frame", "time_s", "source_frame", "width", "height", "sharpness"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    return write_clip(folder / "clip.mp4", numbered(30), "-c:v", "libx264", "-pix_fmt", "yuv420p")


def outputs(folder: Path) -> tuple[Path, Path, Path]:
    """Where the stage leaves its frames, their table, and what the file tells of its camera."""
    return folder / "frames", folder / "frames.csv", folder / "camera.json"


def run(video: Path, folder: Path, sampling: Sampling) -> tuple[dict, list[list[str]]]:
    """The verdict and the table that the stage leaves in `folder`."""
    main(video, *outputs(folder), sampling=sampling)
    with (folder / "frames.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))
    return json.loads((folder / "frames" / "outcome.json").read_text(encoding="utf-8")), table


def test_a_good_video_has_frames_and_a_row_for_each(clip: Path, tmp_path: Path):
    outcome, (header, *rows) = run(clip, tmp_path, Sampling(frames=5))
    assert outcome == {"outcome": "ok", "code": None, "reason": None, "frames_sampled": 5}
    assert header == HEADER
    assert [row[0] for row in rows] == [f"frame_{n:06d}" for n in range(1, 6)]
    assert [int(row[2]) for row in rows] == [3, 9, 15, 21, 27]
    assert {p.stem for p in (tmp_path / "frames").glob("*.png")} == {row[0] for row in rows}


def test_a_bad_video_is_a_result_with_an_empty_table(tmp_path: Path):
    (tmp_path / "bad.mp4").write_text("no video")
    outcome, table = run(tmp_path / "bad.mp4", tmp_path, Sampling())
    assert (outcome["outcome"], outcome["code"]) == ("rejected", "not_a_video")
    assert outcome["reason"]
    assert table == [HEADER]


def test_a_video_that_has_become_bad_leaves_nothing_of_the_good_one(clip: Path, tmp_path: Path):
    run(clip, tmp_path, Sampling())
    outcome, table = run(clip, tmp_path, Sampling(start_s=99))
    assert outcome["code"] == "no_frames"
    assert table == [HEADER]
    assert list((tmp_path / "frames").glob("*.png")) == []


def test_a_broken_machine_gives_no_verdict(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MediaToolError):
        main(clip, *outputs(tmp_path), sampling=Sampling())
    assert not (tmp_path / "frames" / "outcome.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda video: video.write_bytes(video.read_bytes()[:1000]),  # cut off, so unreadable
        lambda video: video.write_bytes(video.read_bytes()),  # saved again
        lambda video: video.unlink(),
    ],
)
def test_a_video_that_changes_meanwhile_gives_no_verdict(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
):
    video = tmp_path / "copied.mp4"
    shutil.copy2(clip, video)

    def probe_late(*arguments: object) -> Clip:
        change(video)
        return probe(*arguments)

    monkeypatch.setattr("sample_frames.probe", probe_late)
    with pytest.raises((VideoChangedError, FileNotFoundError)):
        main(video, *outputs(tmp_path), sampling=Sampling())
