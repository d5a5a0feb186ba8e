"""Where things are on a topology: joints by one set of names, landmarks, and bones of the limbs.

A landmark is a vertex of the topology, or the mean of several. Where a topology has no such vertex,
a rule finds the landmark from joints and geometry, approximately.

Nothing large is imported here, for the configuration is checked with it before packages are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

Topology = Literal["anny", "smplx", "other"]
TOPOLOGIES: tuple[str, ...] = get_args(Topology)

SIDES = ("left", "right")

JOINTS = (
    "head",
    "neck",
    *(f"{side}_{name}" for name in ("shoulder", "elbow", "wrist") for side in SIDES),
    "pelvis",
    *(f"{side}_{name}" for name in ("hip", "knee", "ankle") for side in SIDES),
)
"""The joints that measurements and rules name. `neck` is at its base, `head` at the skull's."""

BONES: Mapping[str, tuple[str, str]] = {
    "neck": ("neck", "head"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "thigh": ("hip", "knee"),
    "lower_leg": ("knee", "ankle"),
}
"""The joints at both ends of what limb girths are taken across; of either side."""

DIRECTIONS: Mapping[str, tuple[float, float, float]] = {
    # to the person's left, up, to the front
    "up": (0.0, 1.0, 0.0),
    "down": (0.0, -1.0, 0.0),
    "front": (0.0, 0.0, 1.0),
    "back": (0.0, 0.0, -1.0),
    "chin": (0.0, -math.sin(math.pi / 3), math.cos(math.pi / 3)),  # 60 degrees below the front
}


RULE_KINDS = ("point", "surface", "profile")


@dataclass(frozen=True)
class Rule:
    """How a landmark is found where the topology has no vertex for it.

    Attributes:
        kind: `point`, the point at `share` of the way between two others; `surface`, where a
            straight line from that point in a direction leaves the body; `profile`, what reaches
            furthest in a direction of the middle of the body, in that part of it that is higher
            than that point.
        of: names of one or two landmarks or joints; a name without its side is the middle of both.
        share: how far from the first to the second, 0 to 1.
        towards: one of `DIRECTIONS`.
        exact: whether that is what the landmark is defined to be, and no guess from other people.
    """

    kind: str
    of: tuple[str, ...]
    share: float = 0.0
    towards: str = "up"
    exact: bool = False

    def describe(self) -> str:
        """The rule as half a sentence."""
        names = [name.replace("_", " ") for name in self.of]
        point = names[0]
        if len(names) == 2:
            point = f"{round(100 * self.share, 1):g} % of the way from {names[0]} to {names[1]}"
        if self.kind == "surface":
            where = {"up": "above", "down": "below", "front": "before", "back": "behind"}
            text = f"surface straight {where[self.towards]} {point}"
            return f"{text} (exact)" if self.exact else text
        if self.kind == "profile":
            direction = "60 degrees below the front" if self.towards == "chin" else self.towards
            text = f"furthest {direction} in the middle of the body, above {point}"
            return f"{text} (exact)" if self.exact else text
        return point


Place = tuple[int, ...] | Rule


@dataclass(frozen=True)
class Anatomy:
    """Where landmarks and limbs are on one topology.

    Attributes:
        vertices: how many the topology has; None for any number.
        source: where the numbers come from.
        landmarks: vertex numbers by name, whose mean it is, or a rule.
        arms: per arm, its joints from the shoulder to the hand.
        trunk: chains of joints through head, spine and legs.
        joints: the topology's own name of each of `JOINTS`.
    """

    vertices: int | None
    source: str
    landmarks: Mapping[str, Place]
    arms: tuple[tuple[str, ...], ...]
    trunk: tuple[tuple[str, ...], ...]
    joints: Mapping[str, str] = field(default_factory=dict)

    def renamed(self, joints: Mapping[str, str]) -> Anatomy:
        """The same for a mesh that has other names for its joints.

        Args:
            joints: the mesh's own name for each of `JOINTS` that it has.
        """

        def rename(chains: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
            return tuple(tuple(joints[n] for n in chain if n in joints) for chain in chains)

        return replace(self, arms=rename(self.arms), trunk=rename(self.trunk), joints=dict(joints))

    def knows(self, name: str) -> bool:
        """Whether `name` is a landmark or a joint here, of one side or of both."""
        return any(one in self.landmarks or one in self.joints for one in _of_sides(name))

    def is_approximate(self, name: str) -> bool:
        """Whether a landmark, of one side or of both, is a guess, or rests on one."""
        rules = [self.landmarks.get(one) for one in _of_sides(name)]
        return any(
            not rule.exact or any(map(self.is_approximate, rule.of))
            for rule in rules
            if isinstance(rule, Rule)
        )

    def is_on_skin(self, name: str) -> bool:
        """Whether `name`, of one side or of both, is a landmark on the surface, not inside it."""
        places = [self.landmarks[one] for one in _of_sides(name) if one in self.landmarks]
        return bool(places) and not any(
            isinstance(place, Rule) and place.kind == "point" for place in places
        )


def _of_sides(name: str) -> tuple[str, str]:
    """A name as it is, and that of its left one; the right one is like it."""
    return name, f"{SIDES[0]}_{name}"
