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
_FLAT = 0.5  # sine of 30 degrees
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
        self._outwards = _directions([arm[0, [0, 2]] for arm in self._arms])
        self._arm_bones = [_bones(chain) for chain in self._arms]
        self._trunk_bones = [_bones(_chain(body, names)) for names in trunk]

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
        for side, outwards in enumerate(self._outwards):
            if self._has_joined(cut, side, level):
                cut = cut.within(outwards, self._width_below_armpit(side, level))
        return cut

    def _without_free_arms(self, level: float) -> Cut:
        low, high = self._face_range
        near = self._faces[(low <= level) & (level <= high)]
        loops = loops_at(self._vertices, near, level)
        middles = np.array([loop.segments.mean(axis=(0, 1)) for loop in loops]).reshape(-1, 2)
        middles = np.insert(middles, 1, level, axis=1)
        is_trunk = _distances(middles, self._trunk_bones) <= _distances(middles, self._arm_bones)
        if not is_trunk.any():
            raise InvalidBodyError(f"there is no torso at a height of {level:.3f} m")
        kept = [loop.segments for loop, keep in zip(loops, is_trunk, strict=True) if keep]
        return Cut(np.concatenate(kept))

    def _has_joined(self, cut: Cut, side: int, level: float) -> bool:
        """Whether the torso's contour goes out as far as an arm's bones at that level."""
        outwards = self._outwards[side]
        bones = _bones_at(self._arms[side], level)[:, [0, 2]] @ outwards
        return cut.reach(outwards) >= bones.min(initial=np.inf)

    def _width_below_armpit(self, side: int, level: float) -> float:
        for lower in np.arange(level, level - _ARMPIT_REACH_M, -_ARMPIT_STEP_M)[1:]:
            cut = self._without_free_arms(float(lower))
            if not self._has_joined(cut, side, float(lower)):
                return cut.reach(self._outwards[side])
        raise InvalidBodyError(f"the arms cannot be told from the torso at {level:.3f} m")


def _chain(body: Body, names: Sequence[str]) -> Floats:
    """Places of the named joints (N, 3); joints that a body lacks are left out."""
    place = dict(zip(body.joint_names.tolist(), body.joints.astype(np.float64), strict=True))
    chain = [place[name] for name in names if name in place]
    if len(chain) < 2:
        known = ", ".join(names)
        raise InvalidBodyError(f"joint_names has {len(chain)} of {known}; allowed is 2 or more")
    return np.array(chain)


def _directions(shoulders: Sequence[Floats]) -> list[Floats]:
    """Unit vectors (2,) from between the shoulders (x, z) to each of them."""
    offsets = [shoulder - np.mean(shoulders, axis=0) for shoulder in shoulders]
    return [offset / np.linalg.norm(offset) for offset in offsets]


def _bones(chain: Floats) -> Floats:
    """The straight bones between the joints (N, 3) of a chain: (N - 1, 2, 3), start and vector."""
    return np.stack([chain[:-1], np.diff(chain, axis=0)], axis=1)


def _distances(points: Floats, bones: Sequence[Floats]) -> Floats:
    """Distance of each point (P, 3) to the nearest of all bones."""
    if not bones:
        return np.full(len(points), np.inf)
    start, vector = np.concatenate(bones).transpose(1, 0, 2)
    offset = points[:, None] - start
    length = np.maximum((vector**2).sum(axis=1), np.finfo(float).tiny)
    share = np.clip((offset * vector).sum(axis=2) / length, 0, 1)
    return np.asarray(np.linalg.norm(offset - share[..., None] * vector, axis=2).min(axis=1))


def _bones_at(arm: Floats, level: float) -> Floats:
    """Points (P, 3) of an arm's bones that a cut at a height must go around.

    These are where the chain of its joints (N, 3) crosses the height and, of an arm held out,
    the joints so near that its flesh reaches there. The shoulder itself is part of the torso.
    """
    start, end = arm[:-1], arm[1:]
    rise, vector = start[:, 1] - level, end - start
    crosses = rise * (end[:, 1] - level) < 0
    share = rise[crosses] / -vector[crosses, 1]
    crossings = start[crosses] + share[:, None] * vector[crosses]
    is_flat = np.abs(vector[:, 1]) < _FLAT * np.linalg.norm(vector, axis=1)
    held_out = is_flat & (np.abs(rise) < _ARM_THICKNESS_M)
    held_out[0] = False
    return np.concatenate([crossings, start[held_out]])
