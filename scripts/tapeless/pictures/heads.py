"""Where a person's head is in a picture, and hiding it for good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.keypoints import Person

Picture = NDArray[np.uint8]
Point = NDArray[np.float64]

_FACE = ("Nose", "REye", "LEye", "REar", "LEar")
_HEADS_PER_LENGTH: tuple[tuple[tuple[str, ...], tuple[str, ...], float], ...] = (
    (("REar",), ("LEar",), 1.5),
    (("REye",), ("LEye",), 3.6),
    (("Nose",), ("REar",), 1.7),
    (("Nose",), ("LEar",), 1.7),
    (("Nose",), ("Neck",), 0.95),
    (("RShoulder",), ("LShoulder",), 0.68),
    (("Neck",), ("MidHip",), 0.47),
    (("RShoulder",), ("RHip",), 0.47),
    (("LShoulder",), ("LHip",), 0.47),
)
"""Head heights (chin to crown) per distance between two points, of an average adult seen without
foreshortening: head 0.23 m, ears 0.15 m, eyes 0.063 m, shoulder joints 0.34 m, trunk 0.49 m apart.
Foreshortening only makes a distance shorter, so the largest guess is the one to trust."""
_HEADS_PER_SPAN = 0.14
"""Head heights per extent of all points found, where no distance above is known."""

_BLOCKS = 5
"""Blocks across a hidden head: some three cover the face, of which nothing is left but its hue."""
_FEATHER = 0.08
"""Width of the soft rim outside a hidden head, of its longer half-axis."""


@dataclass(frozen=True)
class Head:
    """An ellipse, in px of the picture, that covers a head generously.

    `x`, `y` is its centre; `across` and `along` are its half-axes across the head and from chin to
    crown; `tilt` is the angle in radians, clockwise as seen, by which the head is off upright.
    """

    x: float
    y: float
    across: float
    along: float
    tilt: float = 0.0

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in the ellipse."""
        dx, dy = x - self.x, y - self.y
        sine, cosine = np.sin(self.tilt), np.cos(self.tilt)
        side, up = dx * cosine + dy * sine, -dx * sine + dy * cosine
        return bool((side / self.across) ** 2 + (up / self.along) ** 2 <= 1)


def head_of(person: Person) -> Head | None:
    """The head of a person, from the face's points or, failing these, from neck and shoulders.

    None if neither face, neck nor shoulder was found. Without a point of the face the ellipse is
    wider, since the head may be turned or bent any way.
    """
    face = person.found(*_FACE)
    neck = _mean(person.found("Neck")) if person.has("Neck") else None
    if neck is None:
        neck = _mean(person.found("RShoulder", "LShoulder"))
    size = _head_height(person)
    if len(face):
        ears = person.found("REar", "LEar")
        middle = ears.mean(axis=0) if len(ears) == 2 else face.mean(axis=0)
        up = _direction(neck, middle)
        x, y = middle + 0.08 * size * up
        return Head(float(x), float(y), 0.6 * size, 0.7 * size, _tilt(up))
    if neck is None:
        return None
    up = _direction(_mean(person.found("MidHip", "RHip", "LHip")), neck)
    x, y = neck + 0.9 * size * up
    return Head(float(x), float(y), 0.8 * size, size, _tilt(up))


def hide(picture: Picture, heads: Iterable[Head]) -> Picture:
    """A copy of an RGB picture (H, W, 3) with heads made unrecognisable, for good.

    What is inside an ellipse becomes the average colours of a few blocks, which no sharpening can
    undo, and these are smoothed over. Outside the ellipses and their narrow soft rims nothing
    changes.
    """
    hidden = picture.astype(np.float32)
    for head in heads:
        _hide_one(hidden, head)
    return hidden.round().astype(np.uint8)


def _hide_one(picture: NDArray[np.float32], head: Head) -> None:
    reach = max(head.across, head.along, 1.0)
    feather = max(_FEATHER * reach, 1.0)
    height, width = picture.shape[:2]
    outer = reach + 3 * feather
    left, right = (int(np.clip(head.x + side * outer, 0, width)) for side in (-1, 1))
    top, bottom = (int(np.clip(head.y + side * outer, 0, height)) for side in (-1, 1))
    if right - left < 1 or bottom - top < 1:
        return
    region = picture[top:bottom, left:right]
    block = 2 * reach / _BLOCKS
    blocks = (max(1, round((right - left) / block)), max(1, round((bottom - top) / block)))
    few = cv2.resize(region, blocks, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(few, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigmaX=block / 2)
    inside = _ellipse(head, left, top, right - left, bottom - top)
    rim = cv2.GaussianBlur(inside, (0, 0), sigmaX=feather)
    share = np.maximum(inside, rim)[:, :, None]
    region += share * (coarse - region)


def _ellipse(head: Head, left: int, top: int, width: int, height: int) -> NDArray[np.float32]:
    x = np.arange(left, left + width)[None, :] + 0.5 - head.x
    y = np.arange(top, top + height)[:, None] + 0.5 - head.y
    sine, cosine = np.sin(head.tilt), np.cos(head.tilt)
    side, up = (x * cosine + y * sine) / head.across, (-x * sine + y * cosine) / head.along
    return (side**2 + up**2 <= 1).astype(np.float32)


def _head_height(person: Person) -> float:
    guesses = [
        ratio * float(np.linalg.norm(person.at(*one) - person.at(*other)))
        for one, other, ratio in _HEADS_PER_LENGTH
        if person.has(*one, *other)
    ]
    if not guesses:
        left, top, right, bottom = person.box
        guesses = [_HEADS_PER_SPAN * max(right - left, bottom - top)]
    return max(*guesses, 4.0)


def _mean(points: NDArray[np.float64]) -> Point | None:
    return points.mean(axis=0) if len(points) else None


def _direction(low: Point | None, high: Point) -> Point:
    """The unit vector from `low` to `high`; up in the picture where that says nothing."""
    if low is None or np.linalg.norm(high - low) < 1:
        return np.array([0.0, -1.0])
    return (high - low) / np.linalg.norm(high - low)


def _tilt(up: Point) -> float:
    return float(np.arctan2(up[0], -up[1]))
