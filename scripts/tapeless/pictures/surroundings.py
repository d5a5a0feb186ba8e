"""What is around the people in a picture, made too coarse to recognise anything in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.keypoints import Person
from tapeless.pictures.heads import Picture

_COARSE_PX = 40
"""How many pixels the longer side of the surroundings keeps. A face that takes a third of it has
13, of the 20 that EN 62676-4 asks for if somebody known is to be recognised (125 px/m). For larger
ones there is the search of the whole picture (`FaceFinder`)."""
_MARGIN = 0.09
"""How far around the points of a body the picture stays sharp, of the body's extent: 15 cm of an
adult, in which lie feet, hands that are not stretched away, and the outlines of most clothes."""
_FEATHER = 0.25
"""Width of the soft rim around what stays sharp, of the margin; it lies inside."""


@dataclass(frozen=True)
class Part:
    """A rectangle of a picture, px; `right` and `bottom` are the first that are not in it."""

    left: int
    top: int
    right: int
    bottom: int


def coarsen_surroundings(picture: Picture, people: Iterable[Person]) -> Picture:
    """A copy of an RGB picture (H, W, 3) that is sharp where these people are, and nowhere else.

    All else keeps no more than its colours: it is shrunk to a few pixels, which no sharpening can
    undo, and enlarged again.
    """
    height, width = picture.shape[:2]
    shrink = min(1.0, _COARSE_PX / max(height, width))
    few = (max(1, round(shrink * width)), max(1, round(shrink * height)))
    coarse = cv2.resize(picture, few, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    share = np.zeros((height, width), np.float32)
    for person in people:
        share = np.maximum(share, _soft_rim(person, height, width))
    mixed = coarse + share[:, :, None] * (picture.astype(np.float32) - coarse)
    return mixed.round().clip(0, 255).astype(np.uint8)


def sharp_parts(people: Iterable[Person], height: int, width: int) -> list[Part]:
    """The rectangles of a picture of this size that hold what `coarsen_surroundings` leaves sharp.

    With as much around it as a face has that reaches into it. People who overlap share one.
    """
    together = np.zeros((height, width), np.uint8)
    for person in people:
        together |= _around(person, height, width, 2 * _margin(person))
    _, _, found, _ = cv2.connectedComponentsWithStats(together)
    return [
        Part(left, top, left + wide, top + high) for left, top, wide, high, _ in found[1:].tolist()
    ]


def _around(person: Person, height: int, width: int, margin_px: float) -> NDArray[np.uint8]:
    """1 where a person is, and within so many px: the hull of all points, grown."""
    inside = np.zeros((height, width), np.uint8)
    if not person.present.any():
        return inside
    points = person.points[person.present, :2].astype(np.float32)
    hull = cv2.convexHull(points).round().astype(np.int32)
    cv2.fillConvexPoly(inside, hull, (1,))
    thickness = 2 * round(margin_px) + 1
    cv2.polylines(inside, [hull], isClosed=True, color=(1,), thickness=thickness)
    return inside


def _soft_rim(person: Person, height: int, width: int) -> NDArray[np.float32]:
    """0 around a person and 1 where they are, with what is between in the rim."""
    margin_px = _margin(person)
    inside = _around(person, height, width, margin_px)
    deep_px = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    return np.minimum(deep_px / max(1.0, _FEATHER * margin_px), 1).astype(np.float32)


def _margin(person: Person) -> float:
    left, top, right, bottom = person.box
    return max(1.0, _MARGIN * max(right - left, bottom - top))
