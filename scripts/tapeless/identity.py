"""Who is who: sorts the sightings of people in the frames of one video into persons.

Two sightings are one person when their clothes have the same colours, or nearly so while place and
size agree. Somebody who turns in place changes colours little by little, somebody who walks changes
place and size little by little, and sightings are joined one to the next: either may go a long way.
Two sightings in one frame are never one person.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.keypoints import Person

_BINS = 64
_TORSO = ("RShoulder", "LShoulder", "LHip", "RHip")
_LEGS = (("RHip", "RKnee"), ("LHip", "LKnee"))
_LIGHTNESS_WEIGHT = 0.5  # light and shadow change lightness, not hue
_SAME_COLOURS = 9.0  # colour distance below which place does not matter, CIELAB units
_PLACE_BONUS = 9.0  # how much more the colours may differ when place and size fully agree
_REACH = (0.3, 1.0)  # how far a person gets: at once, and per second; in body heights
_GROWTH = (0.1, 0.3)  # how much a person's size changes: at once, and per second; natural log


@dataclass(frozen=True, eq=False)
class Sighting:
    """One person in one frame. `colours` is what `clothing_colours` says, None where unseen."""

    frame: int
    time_s: float
    person: Person
    colours: NDArray[np.float64] | None


def clothing_colours(picture: NDArray[np.uint8], person: Person) -> NDArray[np.float64] | None:
    """How the colours of torso and thighs are distributed, (2, 3, 64), None when both are hidden.

    Each row is the cumulative histogram of one CIELAB channel (L, a, b over -128..128) within
    the torso's quadrilateral or along the thighs, RGB picture (H, W, 3) given; NaN for a part
    that is hidden.
    """
    left, top, right, bottom = _crop(person, picture.shape)
    lab = np.asarray(
        cv2.cvtColor(picture[top:bottom, left:right].astype(np.float32) / 255, cv2.COLOR_RGB2LAB),
        np.float32,
    )
    offset = np.array([left, top])
    parts = (_torso_mask(lab.shape[:2], person, offset), _legs_mask(lab.shape[:2], person, offset))
    rows = np.stack([_cumulative(lab[mask]) for mask in parts])
    return None if np.isnan(rows).all() else rows


def group_sightings(sightings: Sequence[Sighting]) -> list[list[Sighting]]:
    """Sorts sightings into persons, each with at most one sighting per frame, largest group first.

    The closest two groups are joined first (single linkage), unless that would put two sightings
    of one frame together.
    """
    groups = [[sighting] for sighting in sightings]
    member = dict(enumerate(groups))
    costs = sorted(
        (_difference(a, b), i, j)
        for (i, a), (j, b) in itertools.combinations(enumerate(sightings), 2)
        if a.frame != b.frame
    )
    for cost, i, j in costs:
        one, other = member[i], member[j]
        if cost > _SAME_COLOURS:
            break
        if one is other or {s.frame for s in one} & {s.frame for s in other}:
            continue
        one.extend(other)
        for number in [n for n, group in member.items() if group is other]:
            member[number] = one
        groups = [group for group in groups if group is not other]
    return sorted(groups, key=len, reverse=True)


def _difference(one: Sighting, other: Sighting) -> float:
    """How unlike two sightings are: colour distance, less a bonus for being in the same place."""
    place = _place_agreement(one, other)
    if one.colours is None or other.colours is None:
        return _SAME_COLOURS + 1 - 2 * place
    return _colour_distance(one.colours, other.colours) - _PLACE_BONUS * place


def _colour_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Earth mover's distance of the channels, over the parts seen in both, CIELAB units."""
    per_channel = np.abs(one - other).mean(axis=2) * 256
    per_part = per_channel @ np.array([_LIGHTNESS_WEIGHT, 1.0, 1.0])
    seen = ~np.isnan(per_part)
    return float(per_part[seen].mean()) if seen.any() else 2 * _SAME_COLOURS


def _place_agreement(one: Sighting, other: Sighting) -> float:
    """1 when one person may well be at both places in the time between, down to 0."""
    seconds = abs(one.time_s - other.time_s)
    height = max(one.person.height_px, other.person.height_px, 1.0)
    centres = [np.add(s.person.box[:2], s.person.box[2:]) / 2 for s in (one, other)]
    moved = float(np.linalg.norm(centres[0] - centres[1])) / height
    heights = [max(s.person.height_px, 1.0) for s in (one, other)]
    grown = abs(float(np.log(heights[0] / heights[1])))
    far = moved / (_REACH[0] + _REACH[1] * seconds)
    changed = grown / (_GROWTH[0] + _GROWTH[1] * seconds)
    nearness = 1 / (1 + seconds)
    return nearness * max(0.0, 1 - max(far, changed) ** 2)


def _crop(person: Person, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    left, top, right, bottom = person.box
    height, width = shape[:2]
    return (
        max(0, int(left) - 2),
        max(0, int(top) - 2),
        min(width, int(right) + 3),
        min(height, int(bottom) + 3),
    )


def _torso_mask(
    shape: tuple[int, ...], person: Person, offset: NDArray[np.int_]
) -> NDArray[np.bool_]:
    mask = np.zeros(shape[:2], np.uint8)
    if person.has(*_TORSO):
        corners = person.at(*_TORSO) - offset
        spine = (corners[[0, 3]].mean(axis=0) + corners[[1, 2]].mean(axis=0)) / 2
        inner = spine + 0.8 * (corners - spine)
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(inner).astype(np.int32)), (1,))
        # A torso seen from the side has no width between its points: look along the spine too.
        ends = (inner[:2].mean(axis=0), inner[2:].mean(axis=0))
        _draw_line(mask, ends[0], ends[1], 0.04 * person.height_px)
    return mask.astype(bool)


def _legs_mask(
    shape: tuple[int, ...], person: Person, offset: NDArray[np.int_]
) -> NDArray[np.bool_]:
    mask = np.zeros(shape[:2], np.uint8)
    for leg in _LEGS:
        if person.has(*leg):
            hip, knee = person.at(*leg) - offset
            start, end = hip + 0.15 * (knee - hip), hip + 0.9 * (knee - hip)
            _draw_line(mask, start, end, 0.04 * person.height_px)
    return mask.astype(bool)


def _draw_line(
    mask: NDArray[np.uint8], start: NDArray[np.float64], end: NDArray[np.float64], width: float
) -> None:
    a, b = ([round(float(v)) for v in point] for point in (start, end))
    cv2.line(mask, a, b, (1,), max(1, round(width)))


def _cumulative(pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cumulative histograms of the three channels, (3, 64); NaN without pixels."""
    if not len(pixels):
        return np.full((3, _BINS), np.nan)
    ranges = ((0, 100), (-128, 128), (-128, 128))
    rows = [
        np.histogram(pixels[:, channel], bins=_BINS, range=limits)[0]
        for channel, limits in enumerate(ranges)
    ]
    return np.cumsum(np.array(rows), axis=1) / len(pixels)
