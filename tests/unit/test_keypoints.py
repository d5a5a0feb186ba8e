"""OpenPose files: what is written is read back, and what breaks the contract is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from puppets import standing, without

from tapeless.keypoints import (
    BODY_25,
    LIMBS,
    Person,
    PoseFileError,
    frame_names,
    read_people,
    read_person,
    read_poses,
    write_people,
)

COORDINATES = arrays(np.float64, (25, 3), elements=st.floats(0, 4000, width=32))


def as_openpose_writes(points: list[float]) -> dict:
    """One entry of `people`, as OpenPose 1.7 writes it with faces and hands."""
    return {
        "person_id": [-1],
        "pose_keypoints_2d": points,
        "face_keypoints_2d": [1.5] * 210,
        "hand_left_keypoints_2d": [0] * 63,
        "hand_right_keypoints_2d": [0] * 63,
        "pose_keypoints_3d": [],
    }


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_order_is_that_of_body_25():
    assert len(BODY_25) == 25
    assert [BODY_25[i] for i in (0, 1, 8, 11, 14, 18, 19, 24)] == [
        "Nose", "Neck", "MidHip", "RAnkle", "LAnkle", "LEar", "LBigToe", "RHeel",
    ]  # fmt: skip
    assert len(set(LIMBS)) == 24
    assert {i for limb in LIMBS for i in limb} == set(range(25))


@given(COORDINATES)
def test_people_written_are_read_back(tmp_path_factory, points):
    path = tmp_path_factory.mktemp("pose") / "people.json"
    write_people(path, [Person(points), standing()])
    first, second = read_people(path)
    assert first.points == pytest.approx(points, abs=1e-3)
    assert second.points == pytest.approx(standing().points, abs=1e-3)


def test_a_frame_with_nobody_is_an_empty_list_in_version_1_3(tmp_path):
    write_people(tmp_path / "empty.json", [])
    assert json.loads((tmp_path / "empty.json").read_text()) == {"version": 1.3, "people": []}
    assert read_people(tmp_path / "empty.json") == []


def test_a_file_of_openpose_is_read_with_its_faces_and_hands(tmp_path):
    entry = as_openpose_writes([1, 2, 0.5] * 24 + [0, 0, 0])
    (person,) = read_people(write_json(tmp_path / "a.json", {"version": 1.3, "people": [entry]}))
    assert person.points[0].tolist() == [1, 2, 0.5]
    assert person.present.sum() == 24
    assert not person.has("RHeel")
    assert list(person.parts) == [
        "face_keypoints_2d",
        "hand_left_keypoints_2d",
        "hand_right_keypoints_2d",
    ]
    assert (person.parts["face_keypoints_2d"] == np.full((70, 3), 1.5)).all()


def test_faces_and_hands_are_written_as_they_were_read(tmp_path):
    entry = as_openpose_writes([1, 2, 0.5] * 25) | {"hand_left_keypoints_2d": []}
    path = write_json(tmp_path / "a.json", {"version": 1.3, "people": [entry]})
    write_people(tmp_path / "b.json", read_people(path))
    (written,) = json.loads((tmp_path / "b.json").read_text())["people"]
    assert {name: written[name] for name in entry} == entry


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "'people' must be a list, not None"),
        ({"version": 1.3}, "'people' must be a list, not None"),
        ({"people": {}}, "'people' must be a list, not {}"),
        ({"people": [7]}, r"people\[0\].pose_keypoints_2d must be a list of 75 numbers, not None"),
        ({"people": [as_openpose_writes([1.0] * 54)]}, "has 54 numbers; BODY_25 has 75"),
        (
            {"people": [as_openpose_writes([1.0] * 74 + ["x"])]},
            r"pose_keypoints_2d\[74\] must be a finite number, not 'x'",
        ),
        ({"people": [as_openpose_writes([float("nan")] * 75)]}, "finite number, not nan"),
        (
            {"people": [as_openpose_writes([1.0] * 75) | {"face_keypoints_2d": [1.0] * 204}]},
            "face_keypoints_2d has 204 numbers, not 210",
        ),
    ],
)
def test_what_breaks_the_contract_is_named_with_file_field_and_value(tmp_path, content, says):
    path = write_json(tmp_path / "frame_000001_keypoints.json", content)
    with pytest.raises(PoseFileError, match=says) as error:
        read_people(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", [b"", b'{"people": [', b"\xff\xfe"])
def test_half_a_file_is_no_json(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(PoseFileError, match="not JSON"):
        read_people(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[" * 100_000, "not JSON"),
        ('{"people": [' + "9" * 5000 + "]}", "not JSON"),
        ('{"people": [{"pose_keypoints_2d": [' + ",".join(["9" * 400] * 75) + "]}]}", "finite"),
        (" " * (33 << 20), "bytes, allowed are"),
    ],
    ids=["nested", "long number", "large number", "large file"],
)
def test_a_file_that_is_made_to_exhaust_the_reader_is_refused(tmp_path, content, says):
    (tmp_path / "f_keypoints.json").write_text(content)
    with pytest.raises(PoseFileError, match=says):
        read_people(tmp_path / "f_keypoints.json")


def test_a_frame_without_a_file_means_that_the_detector_died(tmp_path):
    write_people(tmp_path / "frame_000001_keypoints.json", [])
    with pytest.raises(PoseFileError, match=r"1 pose files for 2 frames.*frame_000002_keypoints"):
        read_poses(tmp_path, ["frame_000001", "frame_000002"])


def test_a_file_without_a_frame_is_refused_too(tmp_path):
    write_people(tmp_path / "frame_000001_keypoints.json", [])
    write_people(tmp_path / "frame_000009_keypoints.json", [])
    with pytest.raises(PoseFileError, match="without a frame: frame_000009"):
        read_poses(tmp_path, ["frame_000001"])


def test_a_selected_frame_holds_exactly_one_person(tmp_path):
    for people in ([], [standing(), standing()]):
        write_people(tmp_path / "a.json", people)
        with pytest.raises(PoseFileError, match=f"holds {len(people)} people"):
            read_person(tmp_path / "a.json")


def test_frames_are_listed_in_time_order_and_nothing_else_is(tmp_path):
    for name in ("frame_000010.png", "frame_000002.png", "outcome.json", "other.png"):
        (tmp_path / name).touch()
    assert frame_names(tmp_path) == ["frame_000002", "frame_000010"]


def test_a_raised_arm_makes_nobody_taller():
    person = standing(stature=500)
    raised = person.points.copy()
    raised[BODY_25.index("LWrist"), 1] -= 300
    assert Person(raised).height_px == person.height_px == pytest.approx(0.93 * 500)
    assert Person(raised).box[1] < person.box[1]


def test_absent_points_do_not_stretch_the_box_to_the_corner():
    person = without(standing(x=200, soles=580, stature=300), "Wrist", "Heel")
    left, top, _, _ = person.box
    assert left > 150
    assert top > 280


def test_nobody_has_no_size():
    nobody = Person(np.zeros((25, 3)))
    assert nobody.height_px == 0
    assert nobody.box == (0, 0, 0, 0)


@pytest.mark.parametrize("points", [np.zeros((18, 3)), np.full((25, 3), np.inf)])
def test_points_of_another_shape_or_not_finite_are_no_person(points):
    with pytest.raises(ValueError, match="points"):
        Person(points)
