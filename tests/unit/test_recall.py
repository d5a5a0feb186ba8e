"""Frames that were forgotten come back as they were, for whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from video_files import numbered, write_clip

from sample_frames import main
from tapeless.video import Sampling
from tapeless.video.recall import recall_frames


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    return write_clip(folder / "{my} clip.mp4", numbered(30), "-c:v", "libx264")


@pytest.fixture
def frames(clip: Path, tmp_path: Path) -> Path:
    """The sampled frames of the clip."""
    folder = tmp_path / "frames"
    sampling = Sampling(frames=5, start_s=0.2, rotate=90, longest_side_px=128)
    main(clip, folder, tmp_path / "frames.csv", sampling=sampling)
    return folder


def content(frames: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in frames.rglob("*") if path.is_file()}


def forget(frames: Path, *names: str) -> None:
    for name in names:
        (frames / f"{name}.png").unlink()


def test_forgotten_frames_come_back_the_same(frames: Path):
    before = content(frames)
    forget(frames, *(f"frame_{n:06d}" for n in range(1, 6)))
    recall_frames(frames)
    assert content(frames) == before


def test_frames_forgotten_in_part_come_back_the_same(frames: Path):
    before = content(frames)
    forget(frames, "frame_000002", "frame_000005")
    recall_frames(frames)
    assert content(frames) == before


def test_frames_that_are_there_are_not_touched(frames: Path, clip: Path):
    (frames / "recipe.json").unlink()
    recall_frames(frames)
    assert len(list(frames.glob("*.png"))) == 5


def test_a_rejected_video_has_nothing_to_bring_back(tmp_path: Path):
    text = tmp_path / "text.mp4"
    text.write_text("no video", encoding="utf-8")
    main(text, tmp_path / "frames", tmp_path / "frames.csv", sampling=Sampling())
    recall_frames(tmp_path / "frames")
    assert list((tmp_path / "frames").glob("*.png")) == []


def test_a_video_that_is_gone_is_a_fault_of_the_machine(tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4", numbered(10), "-c:v", "libx264")
    main(clip, tmp_path / "frames", tmp_path / "frames.csv", sampling=Sampling(frames=3))
    forget(tmp_path / "frames", "frame_000001")
    clip.unlink()
    with pytest.raises(FileNotFoundError):
        recall_frames(tmp_path / "frames")
