"""Damaged and strange videos give pictures or a verdict: a small part of `make bench-faults`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from video_files import ffmpeg, numbered, write_clip

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "scripts"))

from damage_videos import cut_off, flip_bits, lie_in_boxes, lie_in_mp4, multiply_boxes, overwrite
from make_damaged_videos import damaged
from strange_videos import STRANGE, WHOLE, make_by_ffmpeg
from video_pieces import boxes, chunks, elements

from tapeless.outcomes import Rejected
from tapeless.video import Sampling, sample_frames

SOUND = {name: WHOLE[name] for name in ("early.mp4", "late.mp4", "screen.mkv", "old.avi", "tv.ts")}
SEED = 15
AT_RANDOM = 30
STRANGEST = (
    "alpha_vp9.webm", "grey_16_bit.mkv", "one_pixel.mkv", "all_at_once.mkv", "before_zero.ts",
    "pictures_noisy.mkv", "no_parameters.mp4", "encrypted.mp4", "two_pictures.mp4",
)  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_clip(path, numbered(16), "-c:v", "libx264", "-pix_fmt", "yuv420p", rate=8)


@pytest.fixture(scope="module")
def sound(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Whole files of several formats."""
    folder = tmp_path_factory.mktemp("sound")
    return {path.name: path.read_bytes() for path in make_by_ffmpeg(clip, folder, SOUND)}


def verdict(video: Path, frames: Path) -> str:
    """`sampled`, or the code of the rejection; any other end is a failure."""
    frames.mkdir(exist_ok=True)
    try:
        assert sample_frames(video, frames, Sampling(frames=4))
    except Rejected as rejection:
        return rejection.code
    return "sampled"


def test_damaged_files_give_pictures_or_a_verdict(sound: dict[str, bytes], tmp_path: Path):
    makers = (cut_off, lambda *file: flip_bits(*file, SEED), lambda *file: overwrite(*file, SEED))
    made = [one for make in makers for name in sound for one in make(name, sound[name])]
    made += [one for lie in (lie_in_mp4, lie_in_boxes) for one in lie("e.mp4", sound["early.mp4"])]
    verdicts = {}
    for number in np.random.default_rng(SEED).choice(len(made), AT_RANDOM, replace=False):
        one = made[number]
        (tmp_path / "damaged").write_bytes(one.data)
        verdicts[one.what] = verdict(tmp_path / "damaged", tmp_path / "frames")
    assert {"sampled", "not_a_video"} <= set(verdicts.values()), verdicts


def test_thousands_of_tracks_are_told(sound: dict[str, bytes], tmp_path: Path):
    for one in multiply_boxes("late.mp4", sound["late.mp4"]):
        (tmp_path / "many.mp4").write_bytes(one.data)
        assert verdict(tmp_path / "many.mp4", tmp_path / "frames") in ("sampled", "not_a_video")


def test_strange_files_give_pictures_or_a_verdict(clip: Path, tmp_path: Path):
    files = make_by_ffmpeg(clip, tmp_path, {name: STRANGE[name] for name in STRANGEST})
    verdicts = {path.name: verdict(path, tmp_path / "frames") for path in files}
    assert verdicts["alpha_vp9.webm"] == verdicts["grey_16_bit.mkv"] == "sampled"
    assert verdicts["one_pixel.mkv"] == "sampled"


def test_a_decoder_that_cannot_start_is_the_videos_fault(sound: dict[str, bytes], tmp_path: Path):
    """ffprobe breaks off in the middle of its answer then."""
    huge = tmp_path / "huge.mkv"
    ffmpeg("-f", "lavfi", "-i", "color=s=8000x5600:d=0.1:r=10", "-c:v", "libx264", "-preset",
           "ultrafast", huge)  # fmt: skip
    assert verdict(huge, tmp_path / "frames") == "not_a_video"
    other = next(one for one in lie_in_mp4("e.mp4", sound["early.mp4"]) if "hvc1" in one.name)
    (tmp_path / "other.mp4").write_bytes(other.data)
    assert verdict(tmp_path / "other.mp4", tmp_path / "frames") in ("not_a_video", "no_frames")


def test_the_pieces_of_a_file_are_all_of_it(sound: dict[str, bytes]):
    for name, layout in (("early.mp4", boxes), ("screen.mkv", elements), ("old.avi", chunks)):
        pieces = [p for p in layout(sound[name]) if "." not in p.name]
        assert pieces[0].start == 0
        assert pieces[-1].end == len(sound[name])
    inner = [piece.name for piece in boxes(sound["early.mp4"])]
    assert inner[:2] == ["ftyp", "moov"]
    assert "moov.trak.mdia.minf.stbl.stsz" in inner


def test_the_same_seed_damages_in_the_same_way(sound: dict[str, bytes]):
    files = {name: sound.get(name, sound["late.mp4"]) for name in WHOLE}
    once, again = ({one.name: one.data for _, one in damaged(files, SEED)} for _ in "12")
    assert once == again
    assert len(once) >= 200
    assert all(os.fsencode(name).isascii() for name in once)
