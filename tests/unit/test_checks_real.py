"""Checks of a real recording, if it lies beside the project: a man who walks, and does not turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_real_videos import VIDEOS, run

import segment_person
from tapeless.checks import load_checks
from tapeless.checks.camera import background_motion
from tapeless.checks.findings import Reading, judge
from tapeless.checks.footage import GreyFrames, read_views
from tapeless.checks.framing import height_in_picture, share_dropped
from tapeless.checks.lens import distortion
from tapeless.checks.sharpness import outline_width
from tapeless.checks.stance import hidden_waist_share, lean, seen_turn
from tapeless.images import read_grey
from tapeless.keypoints import read_person
from tapeless.shape.anny import Settings, estimate_bodies, read_frames
from tapeless.shape.anny_space_building import build_shape_space

pytestmark = pytest.mark.skipif(
    not VIDEOS.is_dir(), reason="the recordings are not part of the project"
)


def verdict(check: str, reading: Reading) -> str:
    return judge(load_checks()[check], reading, person=1, rejecting=()).verdict


def test_of_the_man_on_the_board_it_is_said_that_he_does_not_turn(tmp_path: Path) -> None:
    table = run("walk_front.mp4", tmp_path, every=13, longest_side_px=600).reset_index()
    folders = tmp_path / "frames", tmp_path / "keypoints", tmp_path / "silhouettes"
    frames, keypoints, silhouettes = folders
    segment_person.main(*folders)
    views = read_views(GreyFrames(frames), [silhouettes])
    masks = {path.stem: read_grey(path) for path in silhouettes.glob("*.png")}
    people = {name: read_person(keypoints / f"{name}.json") for name in masks}
    table["person_height_px"] = table["person_height_px"].astype(float)
    assert verdict("camera_moves", background_motion(views)) == "pass"
    assert verdict("lens_distortion", distortion(views, is_still=True)) != "fail"
    assert verdict("partial_body", share_dropped(table, "partial_body")) == "pass"
    assert verdict("too_small", height_in_picture(table)) == "pass"
    assert verdict("soft_outline", outline_width(GreyFrames(frames), masks)) == "pass"
    assert verdict("waist_hidden", hidden_waist_share(people, masks)) == "pass"

    space = tmp_path / "space.npz"
    build_shape_space(adults=60, components=8).save(space)
    bodies = estimate_bodies(read_frames(keypoints, silhouettes), space, Settings(estimates=1))
    assert verdict("no_turn", seen_turn(bodies)) == "fail"
    assert verdict("not_upright", lean(bodies)) == "fail"  # he stumbles
