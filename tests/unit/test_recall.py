"""Frames that were forgotten come back as they were, for whoever asks."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from video_files import numbered, write_clip

from container_jobs import SETTINGS
from examined import IMAGES, make_program
from sample_frames import main
from tapeless.constancy import VideoChangedError
from tapeless.forgetting import are_forgotten
from tapeless.images import read_rgb, write_image
from tapeless.outcomes import OUTCOME_FILE, DamagedStageError
from tapeless.seals import find_damage
from tapeless.video import Sampling, sample_frames
from tapeless.video.programs import Tools
from tapeless.video.recall import recall_frames, write_recipe

SETTINGS_NOW = SETTINGS | {"runtime": "docker"}
CARD = """
args = sys.argv[1:]
if "-hwaccel" in args:
    place = args.index("-hwaccel")
    del args[place : place + 2]
    place = args.index("-filter_complex") + 1
    args[place] = args[place].replace("showinfo@source", "format=nv12,showinfo@source")
os.execv({program!r}, ["ffmpeg", *args])
"""
"""An ffmpeg whose card hands over what it decodes, as NVIDIA's do, as NV12."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    coding = ("-c:v", "libx264", "-pix_fmt", "yuv420p")  # as cameras write it
    return write_clip(folder / "{my} clip.mp4", numbered(30), *coding)


@pytest.fixture
def frames(clip: Path, tmp_path: Path) -> Path:
    """The sampled frames of the clip."""
    folder = tmp_path / "frames"
    sampling = Sampling(frames=5, start_s=0.2, rotate=90, longest_side_px=128)
    main(clip, folder, tmp_path / "frames.csv", tmp_path / "camera.json", sampling=sampling)
    return folder


def content(frames: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in frames.rglob("*") if path.is_file()}


def recall(frames: Path) -> None:
    recall_frames(frames, SETTINGS_NOW, {"rule": "a_test", "video": "clip"})


def forget(frames: Path, *names: str) -> None:
    for name in names:
        (frames / f"{name}.png").unlink()


def test_forgotten_frames_come_back_the_same(frames: Path):
    before = content(frames)
    forget(frames, *(f"frame_{n:06d}" for n in range(1, 6)))
    recall(frames)
    assert content(frames) == before


def test_frames_forgotten_in_part_come_back_the_same(frames: Path):
    before = content(frames)
    forget(frames, "frame_000002", "frame_000005")
    recall(frames)
    assert content(frames) == before


def test_stages_that_bring_them_back_at_once_do_not_disturb_one_another(
    frames: Path, monkeypatch: pytest.MonkeyPatch
):
    """The second does all of it while the first has just taken its pictures."""
    before = content(frames)
    forget(frames, *frames_of(before))
    sampled: list[Path] = []

    def sample(video: Path, folder: Path, *options: Any) -> None:
        sample_frames(video, folder, *options)
        sampled.append(folder)
        if len(sampled) == 1:
            recall(frames)
            there = content(frames)
            assert {name: there[name] for name in before} == before

    monkeypatch.setattr("tapeless.video.recall.sample_frames", sample)
    recall(frames)
    assert len(sampled) == 2
    assert content(frames) == before


def test_pictures_of_another_ffmpeg_are_as_sealed_from_the_first_one_on(
    frames: Path, monkeypatch: pytest.MonkeyPatch
):
    """Another stage may look at them in the midst of that."""
    before = content(frames)
    forget(frames, *frames_of(before))
    replace, damaged = Path.replace, []

    def sample_otherwise(video: Path, folder: Path, *options: Any) -> None:
        sample_frames(video, folder, *options)
        for path in folder.glob("*.png"):
            write_image(path, 255 - read_rgb(path))

    def replace_and_look(path: Path, target: Path) -> None:
        replace(path, target)
        damaged.append(find_damage(frames))

    monkeypatch.setattr("tapeless.video.recall.sample_frames", sample_otherwise)
    monkeypatch.setattr(Path, "replace", replace_and_look)
    recall(frames)
    assert content(frames)["frame_000001.png"] != before["frame_000001.png"]
    assert len(damaged) > 5
    assert not any(damaged)


def frames_of(names: Iterable[str]) -> list[str]:
    return sorted(Path(name).stem for name in names if name.endswith(".png"))


def test_what_a_card_decoded_comes_back_the_same_without_one(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    program = shutil.which("ffmpeg")
    script = make_program(tmp_path / "bin/ffmpeg")
    code = CARD.format(program=program)
    interpreter = Path(
        sys.executable
    ).resolve()  # that of this environment may be hidden below /tmp
    script.write_text(f"#!{interpreter}\nimport os, sys\n{code}", encoding="utf-8")
    with monkeypatch.context() as machine:
        machine.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
        machine.setenv("CUDA_VISIBLE_DEVICES", "GPU-of-the-job")
        machine.setenv("TAPELESS_GPU_SLOTS", str(tmp_path / "slots"))
        sampling = Sampling(frames=5, longest_side_px=128, hwaccel="cuda")
        main(
            clip,
            tmp_path / "frames",
            tmp_path / "frames.csv",
            tmp_path / "camera.json",
            sampling=sampling,
        )
    before = content(tmp_path / "frames")
    assert (tmp_path / "slots/GPU-of-the-job.lock").exists()
    forget(tmp_path / "frames", "frame_000001", "frame_000005")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    recall(tmp_path / "frames")
    assert content(tmp_path / "frames") == before


def test_a_recipe_says_whose_ffmpeg_it_was_and_nothing_of_how_it_is_run(clip: Path, tmp_path: Path):
    environment = {"environment": {"TOKEN": "secret"}, "images": str(IMAGES)}
    write_recipe(tmp_path, clip, Sampling(), Tools(SETTINGS_NOW | environment))
    text = (tmp_path / "recipe.json").read_text(encoding="utf-8")
    recipe = json.loads(text)
    assert set(recipe) == {"video", "content", "sampling", "ffmpeg"}
    assert recipe["ffmpeg"] == {"runs_on": "container", "digest": None}
    assert "secret" not in text


def test_frames_that_are_there_are_not_touched(frames: Path):
    before = {path.name: path.stat().st_mtime_ns for path in frames.iterdir()}
    recall(frames)
    assert {path.name: path.stat().st_mtime_ns for path in frames.iterdir()} == before


@pytest.mark.parametrize(
    "damage", [b"", b"\xff", b"[]", b'{"cpde": null}', b'{"code": null, "reason": null}']
)
def test_of_damaged_ones_it_is_told_before_a_run_that_they_have_to_be_made(
    frames: Path, damage: bytes
):
    """The run removes them, so it must not stop there."""
    assert not are_forgotten(frames)
    (frames / OUTCOME_FILE).write_bytes(damage)
    assert are_forgotten(frames)
    with pytest.raises(DamagedStageError):
        recall(frames)
    assert not frames.exists()


def test_a_rejected_video_has_nothing_to_bring_back(tmp_path: Path):
    text = tmp_path / "text.mp4"
    text.write_text("no video", encoding="utf-8")
    main(
        text,
        tmp_path / "frames",
        tmp_path / "frames.csv",
        tmp_path / "camera.json",
        sampling=Sampling(),
    )
    recall(tmp_path / "frames")
    assert list((tmp_path / "frames").glob("*.png")) == []


def test_a_video_that_is_gone_is_a_fault_of_the_machine(tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4", numbered(10), "-c:v", "libx264")
    main(
        clip,
        tmp_path / "frames",
        tmp_path / "frames.csv",
        tmp_path / "camera.json",
        sampling=Sampling(frames=3),
    )
    forget(tmp_path / "frames", "frame_000001")
    clip.unlink()
    with pytest.raises(FileNotFoundError):
        recall(tmp_path / "frames")


def test_a_video_that_was_replaced_brings_nothing_back(tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4", numbered(10), "-c:v", "libx264")
    outputs = (tmp_path / name for name in ("frames", "frames.csv", "camera.json"))
    main(clip, *outputs, sampling=Sampling(frames=3))
    forget(tmp_path / "frames", "frame_000001")
    write_clip(clip, numbered(20), "-c:v", "libx264")
    with pytest.raises(VideoChangedError, match="start again"):
        recall(tmp_path / "frames")
    assert not (tmp_path / "frames/frame_000001.png").exists()
