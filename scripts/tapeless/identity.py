"""Who is who: sorts the sightings of people in the frames of one video into persons.

Two sightings are one person when their clothes have the same colours, or roughly so while place
and size agree. Somebody who turns in place changes colours little by little, somebody who walks
changes place and size little by little, and sightings are joined one to the next: either may go
a long way. Two sightings in one frame are never one person.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tapeless.keypoints import Person

_SHOULDERS, _HIPS = ("RShoulder", "LShoulder"), ("RHip", "LHip")
_THIGHS = (("RHip", "RKnee"), ("LHip", "LKnee"))
_SHINS = (("RKnee", "RAnkle"), ("LKnee", "LAnkle"))
_SIDEWAYS = 0.4  # shoulders this narrow, in lengths of the torso: an arm hides what is worn there
_THIGH_WIDTH, _SHIN_WIDTH = 0.04, 0.03  # of the strips looked at, in heights of the person

# Histogram of colours in CIELAB: L in 0..100, a and b in -64..64; then blurred, so that the same
# cloth in another light counts as alike, in L above all.
_BINS = (16, 24, 24)
_LIMITS = ((0, 100), (-64, 64), (-64, 64))
_BLUR_BINS = (1.3, 1.0, 1.0)

# How unlike the colours of one person may be: the share not in common. On eight people who turn
# once before a camera, 99 % of the pairs of sightings of one stay below 0.39, and 95 % of those of
# two lie above 0.63; two people in a park in dull clothes, back-lit, lie above 0.37.
_ALIKE = 0.33  # when place says nothing
_ALIKE_DESPITE_PLACE = 0.18  # when place and size contradict
_ALIKE_IN_PLACE = 0.70  # when place and size agree, a moment apart
_UNSEEN = 0.45  # taken for the difference of colours that cannot be compared
_REACH = (0.3, 1.0)  # how far a person gets: at once, and per second; in body heights
_GROWTH = (0.1, 0.3)  # how much a person's size changes: at once, and per second; natural log

Colours = tuple[NDArray[np.float32] | None, ...]


@dataclass(frozen=True, eq=False)
class Sighting:
    """One person in one frame. `colours` is what `clothing_colours` says of them."""

    frame: int
    time_s: float
    person: Person
    colours: Colours

    @property
    def is_dressed(self) -> bool:
        """Whether any colours were seen."""
        return any(part is not None for part in self.colours)


def clothing_colours(picture: NDArray[np.uint8], person: Person) -> Colours:
    """The colours on torso, thighs and shins of a person in an RGB picture (H, W, 3).

    Each is a smoothed histogram over CIELAB that sums to 1, or None where that part is hidden.
    """
    left, top, right, bottom = _crop(person, picture.shape)
    if right - left < 2 or bottom - top < 2:
        return None, None, None
    crop = picture[top:bottom, left:right].astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2LAB), np.float32)
    offset = np.array([left, top])
    masks = (
        _torso_mask(lab.shape, person, offset),
        _legs_mask(lab.shape, person, offset, _THIGHS, _THIGH_WIDTH),
        _legs_mask(lab.shape, person, offset, _SHINS, _SHIN_WIDTH),
    )
    return tuple(_histogram(lab[mask]) for mask in masks)


def group_sightings(sightings: Sequence[Sighting]) -> list[list[Sighting]]:
    """Sorts sightings into persons, each with at most one sighting per frame, largest group first.

    The two that are most surely the same are joined first (single linkage), unless that would
    put two sightings of one frame together. A sighting without colours joins a person by its
    place, but two persons do not become one by it.
    """
    groups = {number: [sighting] for number, sighting in enumerate(sightings)}
    links = sorted(
        (doubt, i, j)
        for (i, one), (j, other) in itertools.combinations(enumerate(sightings), 2)
        if (doubt := _doubt(one, other)) < _ALIKE
    )
    for _, i, j in links:
        one, other = groups[i], groups[j]
        is_bridge = not (sightings[i].is_dressed and sightings[j].is_dressed) and all(
            any(sighting.is_dressed for sighting in group) for group in (one, other)
        )
        if not is_bridge and {s.frame for s in one}.isdisjoint(s.frame for s in other):
            one.extend(other)
            groups = {n: one if group is other else group for n, group in groups.items()}
    distinct = {id(group): group for group in groups.values()}
    return sorted(distinct.values(), key=len, reverse=True)


def _doubt(one: Sighting, other: Sighting) -> float:
    """How doubtful it is that two sightings are one person: below `_ALIKE` they are taken for one.

    What the colours do not share, less or more by what place and size say.
    """
    if one.frame == other.frame:
        return np.inf
    agreement = _place_agreement(one, other)
    limit = _ALIKE_IN_PLACE if agreement > 0 else _ALIKE_DESPITE_PLACE
    return colour_difference(one, other) - abs(agreement) * (limit - _ALIKE)


def strain(one: Sighting, other: Sighting) -> float:
    """How far the two are apart in place and size, 1 being as far as one person gets meanwhile."""
    seconds = abs(one.time_s - other.time_s)
    heights = [max(s.person.height_px, 1.0) for s in (one, other)]
    centres = [np.add(s.person.box[:2], s.person.box[2:]) / 2 for s in (one, other)]
    moved = float(np.linalg.norm(centres[0] - centres[1])) / max(heights)
    grown = abs(float(np.log(heights[0] / heights[1])))
    return max(
        moved / (_REACH[0] + _REACH[1] * seconds), grown / (_GROWTH[0] + _GROWTH[1] * seconds)
    )


def colour_difference(one: Sighting, other: Sighting) -> float:
    """The share of the colours that the two do not have in common, 0 to 1.

    Parts that are hidden in either are left out; when all are, the place must speak for the two.
    """
    shares = [
        1 - float(np.minimum(a, b).sum())
        for a, b in zip(one.colours, other.colours, strict=True)
        if a is not None and b is not None
    ]
    return float(np.mean(shares)) if shares else _UNSEEN


def _place_agreement(one: Sighting, other: Sighting) -> float:
    """Whether place and size let the two be one person: 1 yes, 0 says nothing, -1 hardly.

    Being in the same place a moment later is a strong sign, and none after some seconds.
    """
    seconds = abs(one.time_s - other.time_s)
    agreement = max(-1.0, 1 - strain(one, other) ** 2)
    return agreement * float(np.exp(-seconds)) if agreement > 0 else agreement


def _crop(person: Person, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(edge) for edge in person.box)
    return max(0, left), max(0, top), min(shape[1], right + 1), min(shape[0], bottom + 1)


def _torso_mask(
    shape: tuple[int, ...], person: Person, offset: NDArray[np.int_]
) -> NDArray[np.bool_]:
    mask = np.zeros(shape[:2], np.uint8)
    corners = _torso_corners(person)
    if corners is not None:
        inner = corners.mean(axis=0) + 0.8 * (corners - corners.mean(axis=0)) - offset
        hull = cv2.convexHull(np.round(inner).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, (1,))
    return mask.astype(bool)


def _torso_corners(person: Person) -> NDArray[np.float64] | None:
    """Shoulders and hips, (4, 2) px; the chest alone when no hips are in view."""
    if not person.has(*_SHOULDERS):
        return None
    shoulders = person.at(*_SHOULDERS)
    width = float(np.linalg.norm(shoulders[0] - shoulders[1]))
    if not person.has(*_HIPS):
        chest = shoulders.mean(axis=0) + 0.5 * (shoulders - shoulders.mean(axis=0))
        return np.concatenate([shoulders, chest + np.array([0, width])])
    hips = person.at(*_HIPS)
    length = np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0))
    return np.concatenate([shoulders, hips]) if width > _SIDEWAYS * length else None


def _legs_mask(
    shape: tuple[int, ...],
    person: Person,
    offset: NDArray[np.int_],
    bones: tuple[tuple[str, str], ...],
    width: float,
) -> NDArray[np.bool_]:
    mask = np.zeros(shape[:2], np.uint8)
    for bone in bones:
        if person.has(*bone):
            upper, lower = person.at(*bone) - offset
            ends = (upper + 0.15 * (lower - upper), upper + 0.85 * (lower - upper))
            start, end = ([round(float(v)) for v in point] for point in ends)
            cv2.line(mask, start, end, (1,), max(1, round(width * person.height_px)))
    return mask.astype(bool)


def _histogram(pixels: NDArray[np.float32]) -> NDArray[np.float32] | None:
    if not len(pixels):
        return None
    counts, _ = np.histogramdd(pixels, bins=_BINS, range=_LIMITS)
    smooth = gaussian_filter(counts, _BLUR_BINS, mode="nearest")
    return (smooth / smooth.sum()).astype(np.float32)
