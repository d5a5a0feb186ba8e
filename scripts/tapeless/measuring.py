"""How each kind of measurement is taken on a body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.spatial import ConvexHull

from tapeless.anatomy import BONES, SIDES, Anatomy
from tapeless.bodies import Body
from tapeless.definitions import Measurement
from tapeless.places import CannotTellError, Places
from tapeless.tape import HORIZONTAL, Cut, Floats, Slicer, Tape
from tapeless.units import DENSITY_KG_M3
from tapeless.volume import enclosed_volume, surface_area

FLAGS: Mapping[str, str] = {
    "no_distinct_waist": (
        "No level of the torso between underbust and hips is clearly narrower than those above and"
        " below it. The value is the smallest girth all the same."
    ),
    "largest_at_navel": (
        "The girth still grows at the upper end of the levels between crotch and navel: the belly"
        " is wider than the buttocks. The value is the girth at the navel."
    ),
    "limbs_touch": (
        "The cut goes around the left and the right limb, which touch there. The value is that of"
        " the half on each side."
    ),
    "approximate": (
        "A landmark was found by a rule from joints and geometry, not on the skin of this person."
    ),
    "cannot_tell": (
        "A landmark, a joint or a limb that the definition needs cannot be found on this body."
        " There is no value."
    ),
}
"""What can be said of a measurement of one body besides its value."""

_LEAST = 1e-6
"""Values up to this, in SI units, are none: tables have micrometres, intervals need more than 0."""
_STEPS_M = (0.01, 0.0025, 0.001)
_COARSE_STEPS_M = (0.02, 0.005)
_DISTINCT = 0.01
"""How much longer the tape must be above and below a waist, relative to it."""
_OFF_CENTRE = 0.25
"""Farthest that the bone may be from the middle of a limb's contour, relative to its girth."""


@dataclass(frozen=True)
class MeasuredValue:
    """One measurement of one body, and where it was taken.

    Attributes:
        value: in SI units.
        lines: where it was taken, each (N, 3) metres; that of a girth ends where it starts.
        contour: of a girth, the length of the contour into every hollow, in metres.
        flag: one of `FLAGS`, or "".
    """

    value: float
    lines: tuple[Floats, ...] = ()
    contour: float | None = None
    flag: str = ""


class Subject:
    """One body, made ready for the algorithms.

    Raises:
        InvalidBodyError: if the body does not have the topology that it says it has.
    """

    def __init__(self, body: Body, anatomy: Anatomy) -> None:
        self.vertices = body.vertices.astype(np.float64)
        self.faces = np.asfortranarray(body.faces, dtype=np.intp)  # as each Slicer needs them
        self.places = Places(body, self.vertices, self.faces, anatomy)
        self.tape = Tape(body, anatomy.arms, anatomy.trunk)
        self.values: dict[str, float] = {}
        """What was measured so far, by name."""
        self._slicers: dict[tuple[tuple[str, ...], str], Slicer] = {}
        self._hip_levels: dict[tuple[float, float], float] = {}

    @cached_property
    def extent(self) -> tuple[float, float]:
        """Heights of the lowest and the highest point of the surface, in metres."""
        heights = np.take(self.vertices[:, 1], self.faces)
        return float(heights.min()), float(heights.max())

    @cached_property
    def volume(self) -> float:
        """Enclosed volume in m3."""
        return enclosed_volume(self.vertices, self.faces)

    def height_of(self, landmark: str) -> float:
        """Height of a landmark, in metres."""
        return float(self.places.find(landmark)[1])

    def level_of_hips(self, low: float, high: float) -> float:
        """Height between two others where the torso's girth is largest."""
        if (low, high) not in self._hip_levels:
            level = _search(lambda height: -self.tape.torso(height).taut, low, high, _STEPS_M)
            self._hip_levels[low, high] = level
        return self._hip_levels[low, high]

    def across(self, bones: tuple[str, ...], side: str) -> Slicer:
        """Cuts across a limb, or across the bend between two."""
        if (bones, side) not in self._slicers:
            ends = [self.bone(bone, side) for bone in bones]
            normal = _unit(np.sum([_unit(end - start) for start, end in ends], axis=0))
            aside = _unit(np.cross(normal, np.eye(3)[np.abs(normal).argmin()]))
            axes = np.stack([normal, aside, np.cross(normal, aside)])
            self._slicers[bones, side] = Slicer(self.vertices, self.faces, axes)
        return self._slicers[bones, side]

    def bone(self, bone: str, side: str) -> tuple[Floats, Floats]:
        """Both ends of a bone, (3,) each."""
        start, end = (self.places.find(self.on_side(joint, side)) for joint in BONES[bone])
        return start, end

    def on_side(self, name: str, side: str) -> str:
        """The full name of a landmark or joint of which there may be one on each side."""
        return f"{side}_{name}" if self.places.is_paired(name) else name

    def normal_at(self, point: Floats) -> Floats:
        """The surface's unit normal at the vertex nearest to a point, (3,)."""
        nearest = ((self.vertices - point) ** 2).sum(axis=1).argmin()
        first, second, third = self.vertices[self.faces[(self.faces == nearest).any(axis=1)].T]
        return _unit(np.cross(second - first, third - first).sum(axis=0))


def _unit(vector: Floats) -> Floats:
    length = np.linalg.norm(vector)
    if length < 1e-9:
        raise CannotTellError("the ends of a bone are at one place")
    return np.asarray(vector / length)


def take(subject: Subject, record: Measurement) -> MeasuredValue:
    """Takes one measurement; where there is one on each side of the body, the mean of both.

    Raises:
        CannotTellError: if the body lacks what the definition needs.
        InvalidBodyError: if the body is not what any definition needs.
    """
    algorithm = ALGORITHMS[record.kind]
    names = [*record.landmarks, *(joint for bone in record.bones for joint in BONES[bone])]
    is_paired = any(map(subject.places.is_paired, names))
    of_sides = [algorithm(subject, record, side) for side in (SIDES if is_paired else ("",))]
    contours = [one.contour for one in of_sides if one.contour is not None]
    value = float(np.mean([one.value for one in of_sides]))
    if not value > _LEAST:
        raise CannotTellError(f"there is nothing to measure: the value is {value:g}")
    return MeasuredValue(
        value=value,
        lines=tuple(line for one in of_sides for line in one.lines),
        contour=float(np.mean(contours)) if contours else None,
        flag=next((one.flag for one in of_sides if one.flag), ""),
    )


def _search(
    cost: Callable[[float], float], low: float, high: float, steps: Iterable[float]
) -> float:
    """Where between two levels a cost is smallest: on a grid, then on finer ones around it."""
    costs: dict[float, float] = {}
    span, best = (low, high), low
    for step in steps:
        for level in {*np.arange(*span, step).tolist(), span[1]} - costs.keys():
            costs[level] = cost(level)
        best = min(costs, key=lambda level: costs[level])
        span = (max(low, best - step), min(high, best + step))
    return best


# of the torso


def _extent(subject: Subject, _record: Measurement, _side: str) -> MeasuredValue:
    low, high = subject.extent
    top = subject.vertices[subject.vertices[:, 1].argmax()]
    return MeasuredValue(high - low, (np.array([top * (1, 0, 1) + (0, low, 0), top]),))


def _torso(subject: Subject, level: float, flag: str = "") -> MeasuredValue:
    cut = subject.tape.torso(level)
    outline = np.insert(cut.outline, 1, level, axis=1)
    return MeasuredValue(cut.taut, (np.vstack([outline, outline[:1]]),), cut.raw, flag)


def _has_torso_at(subject: Subject, level: float) -> bool:
    try:
        return level >= subject.height_of("crotch") - _LEAST
    except CannotTellError:
        return True


def _girth(subject: Subject, record: Measurement, side: str) -> MeasuredValue:
    heights = [subject.height_of(subject.on_side(name, side)) for name in record.landmarks]
    (share,) = record.shares or (0.0,)
    level = heights[0] + share * (heights[-1] - heights[0])
    if not _has_torso_at(subject, level):
        raise CannotTellError("there is no torso below the crotch; write bone for a limb")
    return _torso(subject, level)


def _largest_girth(subject: Subject, record: Measurement, _side: str) -> MeasuredValue:
    low, high = sorted(map(subject.height_of, record.landmarks))
    level = subject.level_of_hips(low, high)
    return _torso(subject, level, "largest_at_navel" if level == high else "")


def _narrowest_girth(subject: Subject, record: Measurement, _side: str) -> MeasuredValue:
    crotch, navel, underbust = map(subject.height_of, record.landmarks)
    hips = subject.level_of_hips(*sorted((crotch, navel)))
    low, high = sorted((hips, underbust))

    def girth(level: float) -> float:
        return subject.tape.torso(level).taut

    level = _search(girth, low, high, _COARSE_STEPS_M)
    is_distinct = min(girth(low), girth(high)) >= (1 + _DISTINCT) * girth(level)
    return _torso(subject, level, "" if is_distinct else "no_distinct_waist")


# of limbs


def _cut_limb(slicer: Slicer, bone: str, point: Floats) -> Cut:
    here = slicer.axes[1:] @ point
    loops = slicer.loops(float(point @ slicer.axes[0]))
    name = bone.replace("_", " ")
    if not loops:
        raise CannotTellError(f"there is no {name} at its bone")
    cut = min(loops, key=lambda loop: float(np.linalg.norm(loop.middle - here)))
    if np.linalg.norm(cut.middle - here) > _OFF_CENTRE * cut.taut:
        raise CannotTellError(f"the {name} cannot be told from the rest of the body")
    return cut


def _limb_at(subject: Subject, record: Measurement, side: str, point: Floats) -> MeasuredValue:
    slicer = subject.across(record.bones, side)
    around = _cut_limb(slicer, record.bones[0], point)
    cut = _apart(subject, record, side, point, around)
    outline = slicer.lift(cut.outline, float(point @ slicer.axes[0]))
    lines = (np.vstack([outline, outline[:1]]),)
    if cut is around:
        return MeasuredValue(cut.taut, lines, cut.raw)
    return MeasuredValue(cut.taut, lines, flag="limbs_touch")


def _apart(subject: Subject, record: Measurement, side: str, point: Floats, cut: Cut) -> Cut:
    """The contour of a limb; of one that goes around the other side's bone, too, the near half."""
    if side not in SIDES:
        return cut
    normal, *axes = subject.across(record.bones, side).axes
    (other_side,) = set(SIDES) - {side}
    start, end = subject.bone(record.bones[0], other_side)
    length = float((end - start) @ normal)
    share = float((point - start) @ normal) / length if length else -1.0
    if not 0 <= share <= 1:
        return cut
    here, there = np.array(axes) @ point, np.array(axes) @ (start + share * (end - start))
    direction = _unit(there - here)
    if cut.reach(direction) <= direction @ there:
        return cut
    return cut.within(direction, float(direction @ (here + there)) / 2)


def _along_bone(subject: Subject, record: Measurement, side: str) -> list[Floats]:
    """The points at the record's shares of the way along its bone.

    The way starts where the plane across the limb through the record's landmark, if any, meets the
    bone.
    """
    start, end = subject.bone(record.bones[0], side)
    normal = subject.across(record.bones, side).axes[0]
    for place in _points(subject, record, side):
        bone = end - start
        start = start + float((place - start) @ normal) / float(bone @ normal) * bone
    return [start + share * (end - start) for share in record.shares]


def _limb_girth(subject: Subject, record: Measurement, side: str) -> MeasuredValue:
    (point,) = _along_bone(subject, record, side)
    return _limb_at(subject, record, side, point)


def _extreme_limb_girth(sign: int) -> Callable[[Subject, Measurement, str], MeasuredValue]:
    def find(subject: Subject, record: Measurement, side: str) -> MeasuredValue:
        start, end = _along_bone(subject, record, side)
        length, direction = float(np.linalg.norm(end - start)), _unit(end - start)
        slicer = subject.across(record.bones, side)

        def cost(distance: float) -> float:
            return sign * _cut_limb(slicer, record.bones[0], start + distance * direction).taut

        best = _search(cost, 0.0, length, _COARSE_STEPS_M)
        return _limb_at(subject, record, side, start + best * direction)

    return find


# lengths


def _points(subject: Subject, record: Measurement, side: str) -> list[Floats]:
    return [subject.places.find(subject.on_side(name, side)) for name in record.landmarks]


def _distance(subject: Subject, record: Measurement, side: str) -> MeasuredValue:
    line = np.array(_points(subject, record, side))
    return MeasuredValue(_length(line), (line,))


def _length(line: Floats) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def _height(subject: Subject, record: Measurement, side: str) -> MeasuredValue:
    first, *rest = _points(subject, record, side)
    level = float(rest[0][1]) if rest else subject.extent[0]
    foot = np.array([first[0], level, first[2]])
    return MeasuredValue(abs(float(first[1]) - level), (np.array([first, foot, *rest]),))


def _path(subject: Subject, record: Measurement, side: str) -> MeasuredValue:
    inside = [n for n in record.landmarks if not subject.places.anatomy.is_on_skin(n)]
    if inside:
        raise CannotTellError(f"{inside[0].replace('_', ' ')} is inside this body, not on its skin")
    points = _points(subject, record, side)
    pieces = [_taut(subject, *pair) for pair in pairwise(points)]
    return MeasuredValue(sum(map(_length, pieces)), (np.concatenate(pieces),))


def _taut(subject: Subject, start: Floats, end: Floats) -> Floats:
    """A string along the surface from one point to another, straight over hollows, (N, 3).

    It lies in the plane through both points in which the surface faces outwards there.
    """
    along = _unit(end - start)
    outwards = subject.normal_at(start) + subject.normal_at(end)
    outwards = _unit(outwards - float(outwards @ along) * along)
    slicer = Slicer(
        subject.vertices, subject.faces, np.stack([np.cross(along, outwards), along, outwards])
    )
    level, here = float(start @ slicer.axes[0]), slicer.axes[1:] @ start
    loops = [loop.segments.reshape(-1, 2) - here for loop in slicer.loops(level)]
    if not loops:
        raise CannotTellError("there is no surface between two landmarks")
    loop = min(loops, key=lambda points: float(np.linalg.norm(points, axis=1).min()))
    length = float(np.linalg.norm(end - start))
    outside = loop[(loop[:, 0] > 0) & (loop[:, 0] < length) & (loop[:, 1] > 0)]
    chain = _upper_chain(np.vstack([[[0.0, 0.0]], outside, [[length, 0.0]]]))
    return slicer.lift(chain + here, level)


def _upper_chain(points: Floats) -> Floats:
    """The taut line above points (N, 2), from the one furthest left to the one furthest right."""
    chain: list[Floats] = []
    for point in points[np.lexsort((points[:, 1], points[:, 0]))]:
        while len(chain) > 1 and _turns_left(chain[-2], chain[-1], point):
            chain.pop()
        chain.append(point)
    return np.array(chain)


def _turns_left(first: Floats, second: Floats, third: Floats) -> bool:
    one, other = second - first, third - first
    return bool(one[0] * other[1] - one[1] * other[0] >= 0)


def _side_length(subject: Subject, record: Measurement, _side: str) -> MeasuredValue:
    """From a level down the side over the widest place above another level, then straight down."""
    high, low = map(subject.height_of, record.landmarks)
    levels = [*np.arange(low, high, _STEPS_M[0]).tolist(), high]
    floor = subject.extent[0]
    lines, lengths = [], []
    for sign in (1, -1):
        direction = sign * subject.places.axes[0][[0, 2]]
        ends = [_furthest(subject.tape.torso(level), direction) for level in levels]
        reach = np.array([end @ direction for end in ends])
        widest = int(reach.argmax())
        profile = np.stack([levels[widest:], reach[widest:]], axis=1)
        chain = _upper_chain(profile)
        lengths.append(_length(chain) + levels[widest] - floor)
        kept = [levels.index(level) for level in chain[:, 0]]
        line = [[ends[i][0], levels[i], ends[i][1]] for i in kept]
        lines.append(np.array([[line[0][0], floor, line[0][2]], *line]))
    return MeasuredValue(float(np.mean(lengths)), tuple(lines))


def _furthest(cut: Cut, direction: Floats) -> Floats:
    points = cut.segments.reshape(-1, 2)
    return np.asarray(points[(points @ direction).argmax()])


def _foot_length(subject: Subject, _record: Measurement, side: str) -> MeasuredValue:
    ankle, other = (subject.places.find(f"{name}_ankle") for name in _first(side))
    feet = subject.vertices[subject.vertices[:, 1] < ankle[1]]
    plane = HORIZONTAL[1:]
    nearer = (((feet - ankle) @ plane.T) ** 2).sum(axis=1) < (((feet - other) @ plane.T) ** 2).sum(
        axis=1
    )
    sole = (feet @ plane.T)[nearer]
    if len(sole) < 3 or np.ptp(sole, axis=0).min() == 0:
        raise CannotTellError(f"there is no {side} foot")
    hull = sole[ConvexHull(sole).vertices]
    apart = np.linalg.norm(hull[:, None] - hull, axis=2)
    ends = hull[list(np.unravel_index(apart.argmax(), apart.shape))]
    return MeasuredValue(float(apart.max()), (np.insert(ends, 1, subject.extent[0], axis=1),))


def _first(side: str) -> Sequence[str]:
    return SIDES if side == SIDES[0] else SIDES[::-1]


# of the whole


def _mass(subject: Subject, _record: Measurement, _side: str) -> MeasuredValue:
    return MeasuredValue(subject.volume * DENSITY_KG_M3)


def _volume(subject: Subject, _record: Measurement, _side: str) -> MeasuredValue:
    return MeasuredValue(subject.volume)


def _area(subject: Subject, _record: Measurement, _side: str) -> MeasuredValue:
    return MeasuredValue(surface_area(np.take(subject.vertices, subject.faces, axis=0)))


def _of_others(power: int) -> Callable[[Subject, Measurement, str], MeasuredValue]:
    def divide(subject: Subject, record: Measurement, _side: str) -> MeasuredValue:
        if missing := [name for name in record.parts if name not in subject.values]:
            raise CannotTellError(f"there is no {missing[0]}")
        above, below = (subject.values[name] for name in record.parts)
        return MeasuredValue(above / below**power)

    return divide


ALGORITHMS: dict[str, Callable[[Subject, Measurement, str], MeasuredValue]] = {
    "extent": _extent,
    "girth": _girth,
    "largest_girth": _largest_girth,
    "narrowest_girth": _narrowest_girth,
    "limb_girth": _limb_girth,
    "largest_limb_girth": _extreme_limb_girth(-1),
    "smallest_limb_girth": _extreme_limb_girth(1),
    "distance": _distance,
    "height": _height,
    "path": _path,
    "side_length": _side_length,
    "foot_length": _foot_length,
    "mass": _mass,
    "volume": _volume,
    "area": _area,
    "bmi": _of_others(2),
    "ratio": _of_others(1),
}
"""How each kind of measurement is taken: from the body, the record, and the side of the body ("" of
what there is one of), in SI units."""
