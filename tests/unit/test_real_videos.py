"""Pose, selection and silhouette on real recordings, when they lie beside the project."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import estimate_pose_mediapipe
import segment_person
import select_keypoints
from tapeless.images import read_grey, write_image
from tapeless.keypoints import read_person
from tapeless.outcomes import Outcome
from tapeless.people import people_of
from tapeless.selection import Rules

VIDEOS = Path(__file__).parents[2] / "../shared/videos"
RULES = Rules(min_frames=6, min_person_height_px=150, min_sharpness=0.25)

pytestmark = pytest.mark.skipif(
    not VIDEOS.is_dir(), reason="the recordings are not part of the project"
)


def run(
    name: str, folder: Path, *, every: int, longest_side_px: int, people: str = "dominant"
) -> pd.DataFrame:
    """Samples a video and runs pose and selection in `folder`; returns keypoints.csv."""
    frames = folder / "frames"
    frames.mkdir()
    rows = sample(VIDEOS / name, frames, every, longest_side_px)
    pd.DataFrame(rows).to_csv(folder / "frames.csv", index=False)
    Outcome().write(frames)
    pose, keypoints, table = folder / "pose", folder / "keypoints", folder / "keypoints.csv"
    estimate_pose_mediapipe.main(frames, pose, min_visibility=0.5, people=people)
    select_keypoints.main(
        frames, folder / "frames.csv", pose, keypoints, table, rules=RULES, people=people
    )
    return pd.read_csv(table, index_col="frame", keep_default_na=False)


def sample(video: Path, frames: Path, every: int, longest_side_px: int) -> list[dict]:
    capture, rows, number = cv2.VideoCapture(str(video)), [], 0
    rate = capture.get(cv2.CAP_PROP_FPS)
    while (step := capture.read())[0]:
        if number % every == 0:
            picture = cv2.cvtColor(step[1], cv2.COLOR_BGR2RGB)
            scale = longest_side_px / max(picture.shape)
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            name = f"frame_{len(rows) + 1:06d}"
            write_image(frames / f"{name}.png", picture)
            rows.append({"frame": name, "time_s": number / rate})
        number += 1
    return rows


def test_the_man_on_the_board_is_kept_and_the_bystander_is_no_part_of_him(tmp_path):
    table = run("walk_front.mp4", tmp_path, every=9, longest_side_px=600)
    silhouettes = tmp_path / "silhouettes"
    segment_person.main(tmp_path / "frames", tmp_path / "keypoints", silhouettes)
    assert Outcome.read(silhouettes) == Outcome(counts={"frames_kept": 12, "silhouettes": 12})
    assert (table.verdict == "kept").all()
    for frame in table.index:
        silhouette = read_grey(silhouettes / f"{frame}.png") > 127
        assert not silhouette[:250, :45].any()  # where the bystander is
        assert 0.03 < silhouette.mean() < 0.09


def test_people_far_away_are_too_small(tmp_path):
    table = run("park.mp4", tmp_path, every=9, longest_side_px=600)
    outcome = Outcome.read(tmp_path / "keypoints")
    assert outcome.code == "too_small"
    assert "Film from closer by" in outcome.reason
    assert len(table) == 26
    assert set(table.verdict) == {"dropped"}


def test_of_two_who_come_and_go_only_the_woman_who_walks_by_is_kept(tmp_path):
    table = run("park.mp4", tmp_path, every=9, longest_side_px=1400)
    kept = table.index[table.verdict == "kept"]
    assert len(kept) >= 8
    people = [read_person(tmp_path / "keypoints" / f"{frame}.json") for frame in kept]
    across = [np.mean(person.box[::2]) for person in people]
    assert (np.diff(across) < 0).all()  # from the right to the left
    assert {round(person.height_px, -2) for person in people} == {300}
    assert (table.code == "another_person").sum() >= 2  # the man


def test_with_all_people_the_man_on_the_roof_is_followed_beside_the_woman_who_walks_by(tmp_path):
    table = run("park.mp4", tmp_path, every=12, longest_side_px=1400, people="all").reset_index()
    kept = table[table.verdict == "kept"]
    assert kept.groupby("person").frame.count().min() >= 6
    assert set(kept.person) == {1, 2}
    folders = people_of(tmp_path / "keypoints")
    soles = {
        person: [read_person(path).box[3] for path in folders[person].glob("frame_*.json")]
        for person in folders
    }
    assert min(soles[1]) > 500  # she walks on the grass
    assert np.median(soles[2]) < 450  # and he stands on a roof, until he jumps
