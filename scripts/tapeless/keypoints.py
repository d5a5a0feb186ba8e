"""Body points: the BODY_25 order, OpenPose's JSON files, and the person that one of them holds."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BODY_25 = (
    "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "MidHip",
    "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar",
    "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
)  # fmt: skip
"""The points of OpenPose's BODY_25 model, in its order; left and right are the person's."""

LIMBS = (
    (1, 8), (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (8, 12),
    (12, 13), (13, 14), (1, 0), (0, 15), (15, 17), (0, 16), (16, 18), (14, 19), (19, 20),
    (14, 21), (11, 22), (22, 23), (11, 24),
)  # fmt: skip
"""The pairs of BODY_25 points that OpenPose joins by a line when it draws a person."""

POSE_SUFFIX = "_keypoints.json"
"""What OpenPose appends to a frame's name."""

MIN_POINTS = 5
"""Fewer points than this are not taken for a person, whichever detector found them."""

_INDEX = {name: number for number, name in enumerate(BODY_25)}
_IS_ARM = np.array([name.endswith(("Elbow", "Wrist")) for name in BODY_25])
_FORMAT_VERSION = 1.3
_MAX_BYTES = 32 << 20
"""A frame of a thousand people has 2 MiB, with faces and hands 10."""
_BODY_FIELD = "pose_keypoints_2d"
_PART_POINTS = {
    "face_keypoints_2d": 70,
    "hand_left_keypoints_2d": 21,
    "hand_right_keypoints_2d": 21,
}
_EMPTY_FIELDS = (
    "pose_keypoints_3d", "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d",
)  # fmt: skip


class PoseFileError(ValueError):
    """A pose file that is missing or breaks the OpenPose 1.3 contract: the detector is at fault."""


@dataclass(frozen=True, eq=False)
class Person:
    """One person in one picture.

    `points` is (25, 3) float64 in BODY_25 order: x and y in pixels of the picture (the centre of
    the first pixel is 0.5, 0.5), and confidence in 0..1. An absent point is 0, 0, 0.
    `parts` are the like points, (n, 3), of face and hands, by their field in OpenPose's files, when
    a detector looked for them. They are kept for SHAPY; nothing here rests on them.

    Raises:
        ValueError: if `points` has another shape, or holds values that are not finite.
    """

    points: NDArray[np.float64]
    parts: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        points = np.asarray(self.points, dtype=np.float64)
        if points.shape != (len(BODY_25), 3):
            raise ValueError(f"a person has points of shape (25, 3), not {points.shape}")
        if not np.isfinite(points).all():
            raise ValueError("a person's points must be finite")
        object.__setattr__(self, "points", points)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which of the 25 points were found, (25,)."""
        return self.points[:, 2] > 0

    def has(self, *names: str) -> bool:
        """Whether all the named points were found."""
        return bool(self.present[[_INDEX[name] for name in names]].all())

    def at(self, *names: str) -> NDArray[np.float64]:
        """The positions of the named points, (n, 2) px; rows of zeros where absent."""
        return self.points[[_INDEX[name] for name in names], :2]

    def found(self, *names: str) -> NDArray[np.float64]:
        """The positions of those of the named points that were found, (0 to n, 2) px."""
        rows = [_INDEX[name] for name in names if self.has(name)]
        return self.points[rows, :2]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the points found, px; four zeros when none was."""
        found = self.points[self.present, :2]
        if not len(found):
            return 0.0, 0.0, 0.0, 0.0
        (left, top), (right, bottom) = found.min(axis=0), found.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    @property
    def height_px(self) -> float:
        """From the topmost to the lowest point found, arms apart, px.

        About 0.93 of a standing person, who is no taller for raising an arm.
        """
        heights = self.points[self.present & ~_IS_ARM, 1]
        return float(np.ptp(heights)) if len(heights) else 0.0


def frame_names(frames: Path) -> list[str]:
    """The names of a directory's pictures without their endings, in time order."""
    return sorted(path.stem for path in frames.glob("frame_*.png"))


def read_people(path: Path) -> list[Person]:
    """Reads everybody in one OpenPose JSON file; their order has no meaning.

    Raises:
        PoseFileError: naming the file, the field and the value seen, if the file is missing, is no
            JSON, or does not hold BODY_25 points as version 1.3 of the format lays them down.
    """
    try:
        size = path.stat().st_size
        content = json.loads(path.read_text(encoding="utf-8")) if size <= _MAX_BYTES else None
    except FileNotFoundError:
        raise PoseFileError(f"{path}: the pose file is missing") from None
    except (ValueError, RecursionError) as error:  # nested without end, or a number of a page
        raise PoseFileError(f"{path}: not JSON ({error})") from error
    if size > _MAX_BYTES:
        raise PoseFileError(f"{path}: has {size} bytes, allowed are {_MAX_BYTES}")
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise PoseFileError(f"{path}: 'people' must be a list, not {people!r:.80}")
    return [_person(entry, f"{path}: people[{number}]") for number, entry in enumerate(people)]


def read_person(path: Path) -> Person:
    """Reads the one person of a file that `select_keypoints` wrote.

    Raises:
        PoseFileError: as `read_people`, and if the file does not hold exactly one person.
    """
    people = read_people(path)
    if len(people) != 1:
        raise PoseFileError(f"{path}: holds {len(people)} people where one is expected")
    return people[0]


def read_poses(pose: Path, frames: Sequence[str]) -> dict[str, list[Person]]:
    """Reads the pose file of every frame.

    A detector writes a file for every frame, also for one without people, so that a missing file
    means that the detector died: a fault of the machine, not an empty frame.

    Raises:
        PoseFileError: if a frame has no file, a file has no frame, or a file is malformed.
    """
    wanted = {f"{frame}{POSE_SUFFIX}" for frame in frames}
    seen = {path.name for path in pose.glob(f"*{POSE_SUFFIX}")}
    if wanted != seen:
        missing, extra = sorted(wanted - seen), sorted(seen - wanted)
        raise PoseFileError(
            f"{pose}: {len(seen)} pose files for {len(wanted)} frames; without a file: "
            f"{', '.join(missing[:5]) or 'none'}; without a frame: {', '.join(extra[:5]) or 'none'}"
        )
    return {frame: read_people(pose / f"{frame}{POSE_SUFFIX}") for frame in frames}


def write_people(path: Path, people: Sequence[Person]) -> None:
    """Writes people as an OpenPose 1.3 JSON file; an empty list is a frame with nobody in it."""
    content = {"version": _FORMAT_VERSION, "people": [_entry(person) for person in people]}
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def person(points: ArrayLike) -> Person:
    """A person from anything that numpy reads as (25, 3) or 75 numbers."""
    return Person(np.asarray(points, dtype=np.float64).reshape(len(BODY_25), 3))


def _entry(one: Person) -> dict[str, Any]:
    absent = np.empty((0, 3))
    points = {_BODY_FIELD: one.points, **dict.fromkeys(_PART_POINTS, absent), **one.parts}
    written = {name: _rounded(values) for name, values in points.items()}
    return {"person_id": [-1], **written, **{name: [] for name in _EMPTY_FIELDS}}


def _rounded(points: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 3) for value in points.ravel()]


def _person(entry: object, where: str) -> Person:
    fields = entry if isinstance(entry, dict) else {}
    parts = {
        name: _read_points(fields[name], count, f"{where}.{name}")
        for name, count in _PART_POINTS.items()
        if fields.get(name)
    }
    body = _read_points(fields.get(_BODY_FIELD), len(BODY_25), f"{where}.{_BODY_FIELD}")
    return Person(body, parts)


def _read_points(values: object, count: int, where: str) -> NDArray[np.float64]:
    """Reads triples of x, y and confidence, (count, 3)."""
    if not isinstance(values, list):
        raise PoseFileError(f"{where} must be a list of {3 * count} numbers, not {values!r:.80}")
    if len(values) != 3 * count:
        model = "; BODY_25 has 75" if count == len(BODY_25) else f", not {3 * count}"
        raise PoseFileError(f"{where} has {len(values)} numbers{model}")
    for number, value in enumerate(values):
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not abs(value) <= sys.float_info.max  # which also tells of whole numbers
        ):
            raise PoseFileError(f"{where}[{number}] must be a finite number, not {value!r}")
    return np.asarray(values, dtype=np.float64).reshape(count, 3)
