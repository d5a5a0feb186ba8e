"""Whether the person stands and turns so that the body shows: arms off the waist, upright, seen
around."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tapeless.bodies import Body
from tapeless.checks.findings import Reading
from tapeless.checks.footage import Mask, Picture
from tapeless.keypoints import Person

Floats = NDArray[np.float64]

MIN_FACING_FRAMES = 3
"""Frames from in front or behind that it takes to tell where the arms are."""
MIN_SHARE_TOLD = 0.5
"""Share of these frames in which it must be known. A detector misses the very arms that lie before
or behind the trunk, so that the frames in which it found them say little of the others."""
FACING = 0.5
"""Shoulders as wide as this, in lengths of the torso, are seen from in front or behind; sideways an
arm is before the waist, wherever it is."""

_IS_PERSON = 128
_WAIST = (0.45, 0.95)  # from shoulders to hips: between the lowest rib and the hip joints
_HIDDEN_ROWS = 0.5  # share of these rows at which an arm hides the waist
_ARMS = (("RShoulder", "RElbow", "RWrist"), ("LShoulder", "LElbow", "LWrist"))
_HAND = 0.45  # of the forearm's length, beyond the wrist
_BETWEEN_ENDS = 20  # points along each bone

_TRUNK_HEIGHTS = (0.50, 0.80)  # of the stature: what turns as one
_TRUNK_WIDTH = 0.11  # of the stature, to either side: arms are farther out
_MIN_TRUNK = 20  # vertices
_COUNTED = 0.9  # of the frames


def hidden_waist_share(people: Mapping[str, Person], silhouettes: Mapping[str, Picture]) -> Reading:
    """The share of the frames from in front or behind in which an arm lies on the waist, per cent.

    An arm lies on it where no background shows between the two at half of the heights between the
    lowest rib and the hips, or more. Frames in which an arm was not found, and the other one is
    off, say nothing and are left out.

    Args:
        people: body points by frame.
        silhouettes: soft masks by frame.
    """
    facing = [
        _is_waist_hidden(person, silhouettes[frame] >= _IS_PERSON)
        for frame, person in people.items()
        if frame in silhouettes and _is_facing(person)
    ]
    told = [is_hidden for is_hidden in facing if is_hidden is not None]
    if len(told) < max(MIN_FACING_FRAMES, MIN_SHARE_TOLD * len(facing)):
        return Reading(
            None,
            why_not=f"Of {len(facing)} frames in which the person is seen from in front or behind, "
            f"{len(told)} show where both arms are; it takes half of them, and "
            f"{MIN_FACING_FRAMES}, to tell whether the arms hide the waist.",
        )
    return Reading(100 * float(np.mean(told)))


def _is_facing(person: Person) -> bool:
    if not person.has("RShoulder", "LShoulder", "RHip", "LHip"):
        return False
    right, left = person.at("RShoulder", "LShoulder")
    torso = np.linalg.norm((right + left) / 2 - person.at("RHip", "LHip").mean(axis=0))
    return bool(abs(right[0] - left[0]) > FACING * torso)


def _is_waist_hidden(person: Person, silhouette: Mask) -> bool | None:
    """Whether an arm lies on the waist; None if it cannot be told."""
    shoulders = person.at("RShoulder", "LShoulder").mean(axis=0)
    hips = person.at("RHip", "LHip").mean(axis=0)
    top, bottom = (round(shoulders[1] + share * (hips[1] - shoulders[1])) for share in _WAIST)
    rows = range(max(top, 0), min(bottom, len(silhouette)))
    if not rows:
        return None
    hidden = 0
    arms = [_arm_points(person, arm) for arm in _ARMS if person.has(*arm)]
    for row in rows:
        spine = shoulders + (row - shoulders[1]) / (hips[1] - shoulders[1]) * (hips - shoulders)
        run = _run_at(silhouette[row], round(float(spine[0])))
        hidden += any(_lies_in(arm, row, run) for arm in arms)
    if hidden >= _HIDDEN_ROWS * len(rows):
        return True
    return False if len(arms) == len(_ARMS) else None


def _arm_points(person: Person, arm: tuple[str, str, str]) -> Floats:
    """Points along an arm to the end of the hand, (n, 2) px."""
    shoulder, elbow, wrist = person.at(*arm)
    ends = [shoulder, elbow, wrist, wrist + _HAND * (wrist - elbow)]
    share = np.linspace(0, 1, _BETWEEN_ENDS)[:, None]
    return np.concatenate([a + share * (b - a) for a, b in pairwise(ends)])


def _run_at(row: Mask, column: int) -> tuple[int, int]:
    """First and last pixel of the stretch of a row that holds a column; empty if it holds none."""
    if not 0 <= column < len(row) or not row[column]:
        return 0, -1
    gaps = np.flatnonzero(~row)
    before, after = gaps[gaps < column], gaps[gaps > column]
    first = int(before[-1]) + 1 if len(before) else 0
    return first, int(after[0]) - 1 if len(after) else len(row) - 1


def _lies_in(arm: Floats, row: int, run: tuple[int, int]) -> bool:
    """Whether an arm crosses a row within a stretch of it."""
    if not arm[:, 1].min() <= row <= arm[:, 1].max():
        return False
    column = arm[np.abs(arm[:, 1] - row).argmin(), 0]
    return bool(run[0] <= column <= run[1])


def seen_turn(bodies: Sequence[Body]) -> Reading:
    """The angle over which the directions spread from which the body is seen, degrees, 90 at most.

    Of nine in ten frames, so that one in a wrong pose is no turn. From in front and from behind the
    outline is the same: directions 180 degrees apart count as one. Bodies that rest on one picture
    each know nothing of each other's, whatever the turn.
    """
    if all(len(body.frames) == 1 for body in bodies):
        return Reading(
            None,
            why_not="Each body was estimated from one picture, which a turn does not change.",
            is_moot=True,
        )
    directions = np.array([angle for body in bodies for angle in _directions(body)])
    if not len(directions):
        return Reading(
            None,
            why_not="The bodies were not placed in the pictures, so that no turn is known.",
        )
    around = np.sort(directions % 180)
    counted = math.ceil(_COUNTED * len(around))
    twice = np.concatenate([around, around + 180])
    arcs = twice[counted - 1 : counted - 1 + len(around)] - around
    return Reading(min(90.0, float(arcs.min())))


def lean(bodies: Sequence[Body]) -> Reading:
    """How far the trunk leans from the height of the picture, forwards or to a side, degrees.

    The median of the frames. A camera that looks down, or is held askew, counts as a lean, too.
    """
    rotations = [rotation for body in bodies for rotation, _ in _placed_trunks(body)]
    if not rotations:
        return Reading(
            None,
            why_not="The bodies were not placed in the pictures, so that no lean is known.",
        )
    upwards = -np.array(rotations)[:, 1, 1]  # cosine of the angle; y points down in pictures
    return Reading(float(np.median(np.degrees(np.arccos(upwards.clip(-1, 1))))))


def _directions(body: Body) -> Iterator[float]:
    """From which direction the camera sees the trunk in each frame: degrees about the vertical."""
    for rotation, middle in _placed_trunks(body):
        x, _, z = -middle @ rotation  # to the camera, in the frame of the body
        yield float(np.degrees(np.arctan2(x, z)))


def _placed_trunks(body: Body) -> Iterator[tuple[Floats, Floats]]:
    """How the trunk is turned in each frame (3, 3), and where its middle is (3,), in metres and
    camera coordinates; nothing for a body without a trunk."""
    trunk = _trunk(body)
    if trunk.sum() < _MIN_TRUNK:
        return
    unposed = body.vertices[trunk].astype(np.float64)
    for posed in body.posed_vertices[:, trunk].astype(np.float64):
        yield _rotation(unposed, posed), posed.mean(axis=0)


def _trunk(body: Body) -> NDArray[np.bool_]:
    x, y, _ = body.vertices.T / body.vertices[:, 1].max()
    low, high = _TRUNK_HEIGHTS
    return np.asarray((y > low) & (y < high) & (np.abs(x) < _TRUNK_WIDTH))


def _rotation(unposed: Floats, posed: Floats) -> Floats:
    """The rotation (3, 3) that best takes one set of points (n, 3) to another (Kabsch 1976)."""
    u, _, vt = np.linalg.svd((unposed - unposed.mean(axis=0)).T @ (posed - posed.mean(axis=0)))
    handed = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation: Floats = (u @ handed @ vt).T
    return rotation
