"""Where the joints and landmarks of one body are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property

import numpy as np

from tapeless.anatomy import DIRECTIONS, SIDES, Anatomy, Rule
from tapeless.bodies import Body, InvalidBodyError
from tapeless.tape import Floats, Ints, Slicer


class CannotTellError(Exception):
    """A measurement that this body does not let one take; the message says what is missing."""


class Places:
    """The joints and landmarks of one body.

    Args:
        body: the body.
        vertices: its vertices in double precision.
        faces: its faces.
        anatomy: of its topology.
    """

    def __init__(self, body: Body, vertices: Floats, faces: Ints, anatomy: Anatomy) -> None:
        if anatomy.vertices not in (None, len(vertices)):
            raise InvalidBodyError(
                f"vertices has {len(vertices)} rows, allowed for topology {body.topology!r} is"
                f" {anatomy.vertices}"
            )
        self._vertices, self._faces, self.anatomy = vertices, faces, anatomy
        joints = body.joints.astype(np.float64)
        self._joints = dict(zip(body.joint_names.tolist(), joints, strict=True))
        self._found: dict[str, Floats] = {}

    def find(self, name: str) -> Floats:
        """Where a landmark or a joint is, (3,); without a side, the middle of both.

        Raises:
            CannotTellError: if it cannot be found on this body.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def is_paired(self, name: str) -> bool:
        """Whether there are a left and a right one, and none of that name alone."""
        own = (self.anatomy.landmarks, self.anatomy.joints)
        return not any(name in names for names in own) and any(
            f"{SIDES[0]}_{name}" in names for names in own
        )

    def _find(self, name: str) -> Floats:
        anatomy = self.anatomy
        if (place := anatomy.landmarks.get(name)) is not None:
            if isinstance(place, Rule):
                return _RULES[place.kind](self, place)
            return np.asarray(self._vertices[list(place)].mean(axis=0))
        if (joint := anatomy.joints.get(name)) is not None and joint in self._joints:
            return self._joints[joint]
        if self.is_paired(name):
            return np.mean([self.find(f"{side}_{name}") for side in SIDES], axis=0)
        raise CannotTellError(f"there is no {name.replace('_', ' ')}")

    @cached_property
    def axes(self) -> Floats:
        """Unit vectors to the person's left, up and to the front, (3, 3).

        Left is along the shoulders and the hips, or those of the two that the body has; without
        both, along x, as the body file has it.
        """
        across = np.zeros(3)
        for name in ("shoulder", "hip"):
            with suppress(CannotTellError):
                left, right = (self.find(f"{side}_{name}") for side in SIDES)
                across += left - right
        across[1] = 0.0
        length = np.linalg.norm(across)
        to_left = across / length if length > 0 else np.array([1.0, 0.0, 0.0])
        up = np.array([0.0, 1.0, 0.0])
        return np.stack([to_left, up, np.cross(to_left, up)])

    def towards(self, direction: str) -> Floats:
        """One of `DIRECTIONS` of this body, (3,)."""
        return np.asarray(np.array(DIRECTIONS[direction]) @ self.axes)

    @cached_property
    def from_the_side(self) -> Slicer:
        """Cuts from front to back, given along the front and up."""
        left, up, front = self.axes
        return Slicer(self._vertices, self._faces, np.stack([left, front, up]))

    @cached_property
    def from_the_front(self) -> Slicer:
        """Cuts from side to side, given along the left and up."""
        left, up, front = self.axes
        return Slicer(self._vertices, self._faces, np.stack([front, left, up]))

    def point_of(self, rule: Rule) -> Floats:
        """The point that a rule starts from, (3,)."""
        points = [self.find(name) for name in rule.of]
        return np.asarray(points[0] + rule.share * (points[-1] - points[0]))


def _surface(places: Places, rule: Rule) -> Floats:
    point, direction = places.point_of(rule), places.towards(rule.towards)
    is_vertical = rule.towards in ("up", "down")
    slicer = places.from_the_front if is_vertical else places.from_the_side
    level = float(point @ slicer.axes[0])
    across = slicer.axes[1:] @ np.cross(slicer.axes[0], direction)
    ahead = slicer.axes[1:] @ direction
    here = slicer.axes[1:] @ point
    hits = [_crossings(loop.segments - here, across) for loop in slicer.loops(level)]
    points = np.concatenate([np.empty((0, 2)), *hits])
    points = points[points @ ahead >= 0]
    if len(points) == 0:
        raise CannotTellError(f"there is no surface {rule.towards} of {', '.join(rule.of)}")
    return slicer.lift(points[[(points @ ahead).argmax()]] + here, level)[0]


def _crossings(segments: Floats, across: Floats) -> Floats:
    """Where segments (S, 2, 2) cross the line through the origin across which `across` (2,) is."""
    off = segments @ across
    crossing = (off[:, 0] < 0) != (off[:, 1] < 0)
    share = off[crossing, 0] / (off[crossing, 0] - off[crossing, 1])
    start, end = segments[crossing].transpose(1, 0, 2)
    return np.asarray(start + share[:, None] * (end - start))


def _profile(places: Places, rule: Rule) -> Floats:
    floor = places.point_of(rule)
    slicer = places.from_the_side
    level = float(places.find("pelvis") @ slicer.axes[0])
    loops = slicer.loops(level)
    points = np.concatenate([np.empty((0, 2)), *(loop.segments.reshape(-1, 2) for loop in loops)])
    points = points[points[:, 1] > floor[1]]
    if len(points) == 0:
        raise CannotTellError(f"there is no body above {', '.join(rule.of)}")
    direction = slicer.axes[1:] @ places.towards(rule.towards)
    return slicer.lift(points[[(points @ direction).argmax()]], level)[0]


_RULES: dict[str, Callable[[Places, Rule], Floats]] = {
    "point": Places.point_of,
    "surface": _surface,
    "profile": _profile,
}
