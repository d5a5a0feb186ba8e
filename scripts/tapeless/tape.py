"""The tape: horizontal cuts through a body, arms left out, and the girths along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull

from tapeless.bodies import Body, InvalidBodyError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

_ARM_THICKNESS_M = 0.12
_ARMPIT_STEP_M = 0.002
_ARMPIT_REACH_M = 0.3


@dataclass(frozen=True)
class Cut:
    """Where a horizontal plane meets a surface.

    Attributes:
        segments: (S, 2, 2) float64, straight pieces of the contour: two points (x, z) each, metres.
    """

    segments: Floats

    @property
    def raw(self) -> float:
        """Length of the contour in metres, into every hollow."""
        return float(np.linalg.norm(self.segments[:, 1] - self.segments[:, 0], axis=1).sum())

    @property
    def taut(self) -> float:
        """Length in metres of a taut tape around the contour: perimeter of its convex hull."""
        hull = ConvexHull(self.segments.reshape(-1, 2))
        return float(hull.area)  # of a hull in the plane, `area` is the perimeter

    def reach(self, direction: Floats) -> float:
        """How far the contour goes in a direction (2,), in metres from the origin."""
        return float((self.segments @ direction).max())

    def within(self, direction: Floats, limit: float) -> Cut:
        """The part of the contour that goes no further than `limit` in a direction (2,)."""
        beyond = self.segments @ direction - limit
        kept = (beyond <= 0).any(axis=1)
        segments, beyond = self.segments[kept].copy(), beyond[kept]
        for end, other in ((0, 1), (1, 0)):
            out = beyond[:, end] > 0
            share = beyond[out, end] / (beyond[out, end] - beyond[out, other])
            step = segments[out, other] - segments[out, end]
            segments[out, end] += share[:, None] * step
        return Cut(segments)


def loops_at(vertices: Floats, faces: Ints, level: float) -> list[Cut]:
    """The closed contours in which the plane y = `level` meets a surface.

    A vertex in the plane counts as above it, so that a closed surface has closed contours.

    Args:
        vertices: (V, 3), y up.
        faces: (F, 3).
        level: height of the plane in metres.

    Returns:
        The connected contours; none where the plane misses the surface.
    """
    below = vertices[:, 1] < level
    corners_below = below[faces]
    crossed = corners_below.any(axis=1) & ~corners_below.all(axis=1)
    faces, corners_below = faces[crossed], corners_below[crossed]
    if len(faces) == 0:
        return []
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)
    edges = edges[corners_below != np.roll(corners_below, -1, axis=1)]  # two a face
    keys = edges[:, 0] * len(vertices) + edges[:, 1]
    _, first, nodes = np.unique(keys, return_index=True, return_inverse=True)
    start, end = vertices[edges[first, 0]], vertices[edges[first, 1]]
    share = (level - start[:, 1]) / (end[:, 1] - start[:, 1])
    points = (start + share[:, None] * (end - start))[:, [0, 2]]

    pairs = nodes.reshape(-1, 2)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(first),) * 2)
    count, label = connected_components(links, directed=False)
    segments, label = points[pairs], label[pairs[:, 0]]
    return [Cut(segments[label == number]) for number in range(count)]


class Tape:
    """Cuts through the torso of one body.

    Args:
        body: the body to measure.
        arms: per arm, the names of its joints from the shoulder to the hand.
        trunk: chains of joint names through head, spine and legs.

    Raises:
        InvalidBodyError: if the body lacks joints of a chain.
    """

    def __init__(
        self, body: Body, arms: Sequence[Sequence[str]], trunk: Sequence[Sequence[str]]
    ) -> None:
        self._vertices = body.vertices.astype(np.float64)
        self._faces = body.faces.astype(np.intp)
        self._arms = [_chain(body, names) for names in arms]
        self._trunk = [_chain(body, names) for names in trunk]

    @cached_property
    def _face_range(self) -> tuple[Floats, Floats]:
        heights = self._vertices[self._faces, 1]
        return heights.min(axis=1), heights.max(axis=1)

    def torso(self, level: float) -> Cut:
        """The cut at a height, without arms.

        A contour belongs to an arm when its middle is nearer to the arm's bones than to the
        trunk's. Where an arm and the torso are one contour, the cut ends at the width that the
        torso has just below the armpit.

        Raises:
            InvalidBodyError: if nothing of the torso is there, or it cannot be told from the arms.
        """
        cut = self._without_free_arms(level)
        for side in range(len(self._arms)):
            outwards = self._outwards(side)
            if self._has_joined(cut, side, level):
                cut = cut.within(outwards, self._width_below_armpit(side, level))
        return cut

    def _without_free_arms(self, level: float) -> Cut:
        low, high = self._face_range
        near = self._faces[(low <= level) & (level <= high)]
        loops = loops_at(self._vertices, near, level)
        kept = [loop.segments for loop in loops if self._is_trunk(loop, level)]
        if not kept:
            raise InvalidBodyError(f"there is no torso at a height of {level:.3f} m")
        return Cut(np.concatenate(kept))

    def _is_trunk(self, loop: Cut, level: float) -> bool:
        x, z = loop.segments.mean(axis=(0, 1))
        middle = np.array([x, level, z])
        to_arm = min((_distance(middle, chain) for chain in self._arms), default=np.inf)
        return to_arm >= min(_distance(middle, chain) for chain in self._trunk)

    def _has_joined(self, cut: Cut, side: int, level: float) -> bool:
        """Whether the torso's contour goes out as far as the bones of the arm at that level."""
        outwards = self._outwards(side)
        bone = _bone_at_height(self._arms[side], level)
        return bone is not None and cut.reach(outwards) >= float(bone[[0, 2]] @ outwards)

    def _outwards(self, side: int) -> Floats:
        shoulder = self._arms[side][0, [0, 2]]
        middle = np.mean([chain[0, [0, 2]] for chain in self._arms], axis=0)
        return np.asarray((shoulder - middle) / np.linalg.norm(shoulder - middle))

    def _width_below_armpit(self, side: int, level: float) -> float:
        for lower in np.arange(level, level - _ARMPIT_REACH_M, -_ARMPIT_STEP_M)[1:]:
            cut = self._without_free_arms(float(lower))
            if not self._has_joined(cut, side, float(lower)):
                return cut.reach(self._outwards(side))
        raise InvalidBodyError(f"the arms cannot be told from the torso at {level:.3f} m")


def _chain(body: Body, names: Sequence[str]) -> Floats:
    """Places of the named joints (N, 3); joints that a body lacks are left out."""
    place = dict(zip(body.joint_names.tolist(), body.joints.astype(np.float64), strict=True))
    chain = [place[name] for name in names if name in place]
    if len(chain) < 2:
        known = ", ".join(names)
        raise InvalidBodyError(f"joint_names has {len(chain)} of {known}; allowed is 2 or more")
    return np.array(chain)


def _distance(point: Floats, chain: Floats) -> float:
    """Distance from a point (3,) to a chain of straight bones (N, 3)."""
    start, bone = chain[:-1], np.diff(chain, axis=0)
    length = np.maximum((bone**2).sum(axis=1), np.finfo(float).tiny)
    share = np.clip(((point - start) * bone).sum(axis=1) / length, 0, 1)
    return float(np.linalg.norm(start + share[:, None] * bone - point, axis=1).min())


def _bone_at_height(arm: Floats, level: float) -> Floats | None:
    """Where an arm's bones (N, 3) cross a height, or None when the arm is out of its reach.

    Of an arm that stays above or below that height, it is the innermost joint whose flesh may
    reach it; the first one, deep in the shoulder, is left out.
    """
    rise = arm[:, 1] - level
    crossing = np.flatnonzero(rise[:-1] * rise[1:] < 0)
    if len(crossing):
        start, end = crossing[0], crossing[0] + 1
        share = rise[start] / (rise[start] - rise[end])
        return np.asarray(arm[start] + share * (arm[end] - arm[start]))
    near = np.flatnonzero(np.abs(rise[1:]) < _ARM_THICKNESS_M)
    return arm[1 + near[0]] if len(near) else None
