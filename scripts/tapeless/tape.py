"""The tape: plane cuts through a surface, and the torso of a body without its arms."""

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
_FEW = 6
_NEXT = [1, 2, 0]  # the corner of a triangle after each

HORIZONTAL: Floats = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""Axes of horizontal planes, whose cuts are given along x and z."""


@dataclass(frozen=True)
class Cut:
    """Where a plane meets a surface.

    Attributes:
        segments: (S, 2, 2) float64, straight pieces of the contour: two points each, metres along
            two axes in the plane. Of a horizontal one these are x and z.
    """

    segments: Floats

    @property
    def raw(self) -> float:
        """Length of the contour in metres, into every hollow."""
        return float(np.linalg.norm(self.segments[:, 1] - self.segments[:, 0], axis=1).sum())

    @property
    def taut(self) -> float:
        """Length in metres of a taut tape around the contour: perimeter of its convex hull."""
        return float(self._hull.area)  # of a hull in the plane, `area` is the perimeter

    @property
    def outline(self) -> Floats:
        """Where the taut tape bends, (N, 2), once around."""
        return np.asarray(self._hull.points[self._hull.vertices])

    @cached_property
    def _hull(self) -> ConvexHull:
        return ConvexHull(self.segments.reshape(-1, 2))

    @cached_property
    def middle(self) -> Floats:
        """The mean of the ends of the pieces, (2,)."""
        return np.asarray(self.segments.mean(axis=(0, 1)))

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


class Slicer:
    """Cuts one surface by parallel planes.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        axes: (3, 3), three unit vectors at right angles: the direction that the planes lie across,
            and the two along which cuts are given.
    """

    def __init__(self, vertices: Floats, faces: Ints, axes: Floats) -> None:
        self.axes = axes
        self._corners = np.ascontiguousarray(faces.T)
        self._along = vertices @ axes[0]
        self._places = vertices @ axes[1:].T
        self._cuts = 0

    def loops(self, level: float) -> list[Cut]:
        """The connected contours in the plane at `level` along the first axis; may be none.

        A vertex in the plane counts as above it, so that a closed surface has closed contours.
        """
        is_below = self._along < level
        met = self._met(is_below, level)
        if len(met) == 0:
            return []
        corners = self._corners[:, met].T
        below, following = is_below[corners], corners[:, _NEXT]
        crosses = below != below[:, _NEXT]  # two edges a face
        one, other = corners[crosses], following[crosses]
        low, high = np.minimum(one, other), np.maximum(one, other)
        _, known, nodes = np.unique(
            low * len(self._along) + high, return_index=True, return_inverse=True
        )
        start, end = low[known], high[known]
        share = (level - self._along[start]) / (self._along[end] - self._along[start])
        points = self._places[start]
        points = points + share[:, None] * (self._places[end] - points)
        pairs = nodes.reshape(-1, 2)
        segments, label = points[pairs], _components(pairs, len(known))[pairs[:, 0]]
        return [Cut(segments[label == number]) for number in range(label.max() + 1)]

    def _met(self, is_below: npt.NDArray[np.bool_], level: float) -> Ints:
        """The numbers of the faces that a plane meets."""
        self._cuts += 1
        if self._cuts <= _FEW:  # where faces begin and end is worth its time for many cuts only
            first, second, third = is_below[self._corners]
            return np.flatnonzero((first | second | third) & ~(first & second & third))
        low, high = self._ends
        return np.flatnonzero((low < level) & (high >= level))

    @cached_property
    def _ends(self) -> tuple[Floats, Floats]:
        first, second, third = self._along[self._corners]
        low = np.minimum(np.minimum(first, second), third)
        return low, np.maximum(np.maximum(first, second), third)

    def lift(self, points: Floats, level: float) -> Floats:
        """Points (N, 2) of a cut at `level` as places in space (N, 3)."""
        return np.asarray(level * self.axes[0] + points @ self.axes[1:])


def _components(pairs: Ints, count: int) -> Ints:
    """Of each of `count` nodes, the number of the group that pairs (N, 2) of nodes make of them."""
    nodes = pairs.ravel()
    if len(nodes) != 2 * count or (np.bincount(nodes, minlength=count) != 2).any():
        links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
        return np.asarray(connected_components(links, directed=False)[1], dtype=np.intp)
    # Only closed lines: walking along each takes a tenth of the time.
    neighbours = nodes[np.argsort(nodes, kind="stable") ^ 1].reshape(-1, 2).tolist()
    label = [-1] * count
    number = -1
    for node in range(count):
        number += label[node] < 0
        while label[node] < 0:
            label[node] = number
            one, other = neighbours[node]
            node = one if label[one] < 0 else other
    return np.array(label, dtype=np.intp)


def loops_at(vertices: Floats, faces: Ints, level: float) -> list[Cut]:
    """The connected contours in which the plane y = `level` meets a surface; see `Slicer`."""
    return Slicer(vertices, faces, HORIZONTAL).loops(level)


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
        vertices, faces = body.vertices.astype(np.float64), body.faces.astype(np.intp)
        self._slicer = Slicer(vertices, faces, HORIZONTAL)
        self._cuts: dict[float, Cut] = {}
        self._free_cuts: dict[float, Cut] = {}
        chains = [_chain(body, names) for names in arms]
        self._outwards = _directions([chain[0, [0, 2]] for chain in chains])
        self._arms = [_Arm(_bones(chain)) for chain in chains]
        self._arm_bones = _Bones([_bones(chain) for chain in chains])
        self._trunk_bones = _Bones([_bones(_chain(body, names)) for names in trunk])

    def torso(self, level: float) -> Cut:
        """The cut at a height, without arms.

        A contour belongs to an arm when its middle is nearer to the arm's bones than to the
        trunk's. Where an arm and the torso are one contour, the cut ends at the width that the
        torso has just below the armpit.

        Raises:
            InvalidBodyError: if nothing of the torso is there, or it cannot be told from the arms.
        """
        if level not in self._cuts:
            cut = self._without_free_arms(level)
            for side, outwards in enumerate(self._outwards):
                if self._has_joined(cut, side, level):
                    cut = cut.within(outwards, self._width_below_armpit(side, level))
            self._cuts[level] = cut
        return self._cuts[level]

    def _without_free_arms(self, level: float) -> Cut:
        if level not in self._free_cuts:
            loops = self._slicer.loops(level)
            middles = np.array([(loop.middle[0], level, loop.middle[1]) for loop in loops])
            middles = middles.reshape(-1, 3)
            to_trunk = self._trunk_bones.distances(middles)
            is_trunk = to_trunk <= self._arm_bones.distances(middles)
            if not is_trunk.any():
                raise InvalidBodyError(f"there is no torso at a height of {level:.3f} m")
            kept = [loop.segments for loop, keep in zip(loops, is_trunk, strict=True) if keep]
            self._free_cuts[level] = Cut(np.concatenate(kept))
        return self._free_cuts[level]

    def _has_joined(self, cut: Cut, side: int, level: float) -> bool:
        """Whether the torso's contour goes out as far as an arm's bones at that level."""
        outwards = self._outwards[side]
        bones = self._arms[side].places_at(level)[:, [0, 2]] @ outwards
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


class _Bones:
    """Straight bones (N, 2, 3), start and vector, of several chains."""

    def __init__(self, chains: Sequence[Floats]) -> None:
        self._start, self._vector = np.concatenate([np.empty((0, 2, 3)), *chains]).swapaxes(0, 1)
        self._square = np.maximum((self._vector**2).sum(axis=1), np.finfo(float).tiny)

    def distances(self, points: Floats) -> Floats:
        """Distance of each point (P, 3) to the nearest bone."""
        offset = points[:, None] - self._start
        share = np.clip((offset * self._vector).sum(axis=2) / self._square, 0, 1)
        away = offset - share[..., None] * self._vector
        return np.asarray(np.sqrt((away**2).sum(axis=2)).min(axis=1, initial=np.inf))


class _Arm:
    """The bones (N, 2, 3) of an arm held anyhow, from the shoulder to the hand."""

    def __init__(self, bones: Floats) -> None:
        self._start, self._vector = bones[:, 0], bones[:, 1]
        length = np.linalg.norm(self._vector, axis=1)
        self._is_flat = np.abs(self._vector[:, 1]) < _FLAT * length
        self._is_flat[0] = False  # the shoulder itself is part of the torso
        heights = np.append(self._start[:, 1], self._start[-1, 1] + self._vector[-1, 1])
        self._low, self._high = heights.min() - _ARM_THICKNESS_M, heights.max() + _ARM_THICKNESS_M

    def places_at(self, level: float) -> Floats:
        """Points (P, 3) of the bones that a cut at a height must go around.

        These are where they cross the height and, of an arm held out, the joints so near that its
        flesh reaches there.
        """
        if not self._low < level < self._high:
            return np.empty((0, 3))
        rise = self._start[:, 1] - level
        crosses = rise * (rise + self._vector[:, 1]) < 0
        share = rise[crosses] / -self._vector[crosses, 1]
        crossings = self._start[crosses] + share[:, None] * self._vector[crosses]
        held_out = self._is_flat & (np.abs(rise) < _ARM_THICKNESS_M)
        return np.concatenate([crossings, self._start[held_out]])
