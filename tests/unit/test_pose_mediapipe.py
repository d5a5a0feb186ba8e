"""MediaPipe's 33 points become BODY_25; everybody in a picture is found, nobody in an empty one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from filmed import turn

from estimate_pose_mediapipe import main
from tapeless.blazepose import BlazePose
from tapeless.images import write_image
from tapeless.keypoints import BODY_25, POSE_SUFFIX, read_people, read_poses
from tapeless.outcomes import Outcome
from tapeless.pose.mediapipe import find_people, to_body_25

SIZE = (1000, 2000)
FACING, FROM_BEHIND = 0, 3

# BlazePose's number of each BODY_25 slot that is one of its points.
BLAZEPOSE = {
    "Nose": 0, "LEye": 2, "REye": 5, "LEar": 7, "REar": 8, "LShoulder": 11, "RShoulder": 12,
    "LElbow": 13, "RElbow": 14, "LWrist": 15, "RWrist": 16, "LHip": 23, "RHip": 24, "LKnee": 25,
    "RKnee": 26, "LAnkle": 27, "RAnkle": 28, "LHeel": 29, "RHeel": 30, "LBigToe": 31, "RBigToe": 32,
}  # fmt: skip


@pytest.fixture(scope="module")
def models():
    with BlazePose() as loaded:
        yield loaded


def numbered() -> np.ndarray:
    """33 points whose place and visibility tell their number."""
    number = np.arange(33)
    return np.stack([100 + 10 * number, 200 + 20 * number, 0.6 + 0.01 * number], axis=1)


def slot(points: np.ndarray, name: str) -> list[float]:
    return points[BODY_25.index(name)].tolist()


def test_each_slot_holds_the_point_of_its_name():
    points = to_body_25(numbered(), SIZE, 0.5).points
    for name, number in BLAZEPOSE.items():
        assert slot(points, name) == numbered()[number].tolist()


def test_neck_and_middle_of_the_hips_are_means_with_the_smaller_visibility():
    points = to_body_25(numbered(), SIZE, 0.5).points
    assert slot(points, "Neck") == pytest.approx([215, 430, 0.71])
    assert slot(points, "MidHip") == pytest.approx([335, 670, 0.83])


def test_blazepose_has_no_small_toes():
    person = to_body_25(numbered(), SIZE, 0.5)
    assert not person.has("LSmallToe")
    assert not person.has("RSmallToe")
    assert person.present.sum() == 23


def test_a_point_below_the_threshold_is_zeros_and_so_is_its_mean():
    points = numbered()
    points[12, 2] = 0.49
    person = to_body_25(points, SIZE, 0.5)
    for name in ("RShoulder", "Neck"):
        assert slot(person.points, name) == [0, 0, 0]
    assert person.has("LShoulder")


@pytest.mark.parametrize("x, y", [(-1, 500), (1000, 500), (500, -0.1), (500, 2000)])
def test_a_point_that_is_guessed_outside_the_picture_is_zeros(x, y):
    points = numbered()
    points[27, :2] = x, y
    assert slot(to_body_25(points, SIZE, 0.5).points, "LAnkle") == [0, 0, 0]


def test_one_person_is_found_with_their_points_on_their_body(models):
    pictures, masks = turn(1)
    for picture, mask in zip(pictures, masks, strict=True):
        (person,) = find_people(models, picture, 0.5)
        found = person.points[person.present, :2].astype(int)
        assert len(found) >= 15
        assert (mask[found[:, 1], found[:, 0]] > 127).mean() > 0.85
        assert person.height_px == pytest.approx(0.93 * np.ptp(np.nonzero(mask)[0]), rel=0.06)


def test_left_and_right_are_the_persons_own(models):
    pictures, _ = turn(1)
    (facing,) = find_people(models, pictures[FACING], 0.5)
    (away,) = find_people(models, pictures[FROM_BEHIND], 0.5)
    assert facing.at("LShoulder")[0, 0] > facing.at("RShoulder")[0, 0]
    assert away.at("LShoulder")[0, 0] < away.at("RShoulder")[0, 0]


def test_the_mirror_image_shows_the_same_person_and_names_the_same_sides(models):
    picture = turn(1)[0][FACING]
    (region,) = models.detect(picture)
    straight, mirrored = models.look(picture, region), models.look_mirrored(picture, region)
    apart_px = np.linalg.norm((straight.points - mirrored.points)[:, :2], axis=1)
    assert apart_px.max() < 40
    assert np.abs(straight.mask - mirrored.mask).mean() < 0.01


def test_two_people_in_a_picture_are_both_found_and_once_each(models):
    one, other = turn(1)[0][FACING], turn(2)[0][FACING]
    width = one.shape[1]
    people = find_people(models, np.hstack([one, other]), 0.5)
    sides = sorted(person.at("Neck")[0, 0] > width for person in people)
    assert sides == [False, True]


@pytest.mark.parametrize("scale", [1.0, 0.45])
def test_five_in_a_row_are_all_found_where_one_look_at_the_whole_misses_most(models, scale):
    people = [turn(1 + n % 2)[0][n][:, 60:-60] for n in range(5)]
    row, width = np.hstack(people), scale * people[0].shape[1]
    small = cv2.resize(row, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.full_like(row, 190)  # down to a third of the picture's height
    picture[len(row) - len(small) :, : small.shape[1]] = small
    assert len(find_people(models, picture, 0.5)) < 3
    found = find_people(models, picture, 0.5, everybody=True)
    assert sorted(person.at("Neck")[0, 0] // width for person in found) == [0, 1, 2, 3, 4]


def test_looking_for_everybody_makes_nobody_up(models):
    pictures, _ = turn(1)
    for picture in pictures:
        assert len(find_people(models, np.hstack([picture] + [picture[:, :40]] * 8), 0.5)) == 1


def test_an_empty_picture_holds_nobody(models):
    assert find_people(models, np.full((600, 338, 3), 128, np.uint8), 0.5) == []


def frames_of(folder: Path, pictures: list[np.ndarray]) -> Path:
    frames = folder / "frames"
    frames.mkdir()
    for number, picture in enumerate(pictures, start=1):
        write_image(frames / f"frame_{number:06d}.png", picture)
    Outcome().write(frames)
    return frames


def test_every_frame_has_a_file_also_the_empty_one(tmp_path):
    empty = np.full((600, 420, 3), 90, np.uint8)
    frames = frames_of(tmp_path, [turn(1)[0][FACING], empty])
    main(frames, tmp_path / "pose", min_visibility=0.5)
    people = read_poses(tmp_path / "pose", ["frame_000001", "frame_000002"])
    assert [len(found) for found in people.values()] == [1, 0]
    assert Outcome.read(tmp_path / "pose") == Outcome(
        counts={"frames_sampled": 2, "frames_with_people": 1}
    )


def test_the_same_frames_give_the_same_points(tmp_path):
    frames = frames_of(tmp_path, list(turn(1)[0][:2]))
    for run in ("one", "two"):
        main(frames, tmp_path / run, min_visibility=0.5)
    name = f"frame_000002{POSE_SUFFIX}"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert read_people(tmp_path / "one" / name)


def test_a_verdict_from_before_is_handed_on_without_a_look_at_the_frames(tmp_path):
    frames = frames_of(tmp_path, [])
    Outcome("no_frames", "No picture could be decoded.").write(frames)
    main(frames, tmp_path / "pose", min_visibility=0.5)
    assert Outcome.read(tmp_path / "pose") == Outcome("no_frames", "No picture could be decoded.")
    assert list((tmp_path / "pose").glob("[!.]*.json")) == [tmp_path / "pose" / "outcome.json"]


def test_a_broken_frame_is_a_fault_of_the_machine(tmp_path):
    frames = frames_of(tmp_path, [turn(1)[0][FACING]])
    (frames / "frame_000001.png").write_bytes(b"")
    with pytest.raises(OSError, match="frame_000001"):
        main(frames, tmp_path / "pose", min_visibility=0.5)
