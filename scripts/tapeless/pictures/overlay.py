"""What was found in a frame, as layers to lay over its picture: skeleton, outline, fitted body."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.keypoints import BODY_25, LIMBS, Person
from tapeless.pictures.heads import Picture
from tapeless.pictures.lettering import Colour
from tapeless.pictures.rendering import Layer

LEFT: Colour = (247, 147, 30)
RIGHT: Colour = (21, 176, 168)
MIDDLE: Colour = (246, 246, 242)
OUTLINE: Colour = (255, 255, 255)
SOMEBODY: Colour = (176, 182, 188)

FINENESS = 2
"""Layers are drawn this many times larger than the picture that they are laid over."""

_SHADE: Colour = (20, 24, 28)
_FRACTION_BITS = 4
_SMALLEST_BLOB_PX = 40


@dataclass(frozen=True)
class View:
    """The part of a frame that a picture shows: from px of the frame to px of the picture.

    `left`, `top`, `wide`, `high` are the part in px of the frame; `width`, `height` the picture.
    """

    left: int
    top: int
    wide: int
    high: int
    width: int
    height: int

    @property
    def scale(self) -> tuple[float, float]:
        """Px of the picture per px of the frame, across and down (equal but for rounding)."""
        return self.width / self.wide, self.height / self.high

    def finer(self) -> View:
        """The same part at the size at which layers are drawn."""
        return replace(self, width=self.width * FINENESS, height=self.height * FINENESS)

    def part_of(self, picture: Picture) -> Picture:
        """The part of a frame's picture (H, W) or (H, W, 3) at the size of this view."""
        part = picture[self.top : self.top + self.high, self.left : self.left + self.wide]
        smaller = self.width < self.wide
        method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, (self.width, self.height), interpolation=method))

    def place(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points (N, 2) px of the frame lie in the picture, px."""
        return (points - [self.left, self.top]) * self.scale

    def blank(self) -> Layer:
        """An empty layer of this view's size."""
        return np.zeros((self.height, self.width, 4), np.uint8)


def lay_over(picture: Picture, layer: Layer, opacity: float = 1.0) -> Picture:
    """A picture (H, W, 3) with a layer over it that is a whole number of times larger."""
    height, width = picture.shape[:2]
    small = cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    small *= opacity
    laid = picture * (1 - small[:, :, 3:] / 255) + small[:, :, :3]
    return laid.round().clip(0, 255).astype(np.uint8)


def draw_outline(layer: Layer, silhouette: NDArray[np.uint8], view: View) -> None:
    """Draws the contour of a soft silhouette (H, W) of the frame, where it is one half."""
    mask = (view.part_of(silhouette) >= 128).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    large = [contour for contour in contours if cv2.contourArea(contour) >= _SMALLEST_BLOB_PX]
    for colour, width in ((_SHADE, _stroke(layer) + 1), (OUTLINE, _stroke(layer))):
        cv2.polylines(layer, large, isClosed=True, color=(*colour, 255), thickness=width,
                      lineType=cv2.LINE_AA)  # fmt: skip


def draw_skeleton(layer: Layer, person: Person, view: View, colour: Colour | None = None) -> None:
    """Draws a person's bones, coloured by side unless `colour` is given."""
    places = view.place(person.points[:, :2])
    bones = [(one, other) for one, other in LIMBS if person.present[[one, other]].all()]
    width = _stroke(layer)
    for one, other in bones:
        draw_line(layer, places[[one, other]], _SHADE, width + 3)
    for one, other in bones:
        draw_line(layer, places[[one, other]], colour or _side(one, other), width + 1)
    for number in np.flatnonzero(person.present):
        _dot(layer, places[number], _SHADE, 1.3 * width + 1)
        _dot(layer, places[number], colour or _side(number, number), 1.3 * width)


def draw_line(layer: Layer, places: NDArray[np.floating], colour: Colour, width: int) -> None:
    """Draws a line through places (N, 2) in px of the layer."""
    fixed = np.array([_fixed(place) for place in places], np.int32)
    cv2.polylines(layer, [fixed], False, (*colour, 255), width, cv2.LINE_AA, _FRACTION_BITS)


def _side(one: int, other: int) -> Colour:
    sides = {BODY_25[point][0] for point in (one, other) if BODY_25[point][:1] in "LR"}
    return {"L": LEFT, "R": RIGHT}[sides.pop()] if len(sides) == 1 else MIDDLE


def _stroke(layer: Layer) -> int:
    return max(2, round(max(layer.shape[:2]) / 340))


def _dot(layer: Layer, place: NDArray[np.float64], colour: Colour, radius: float) -> None:
    fixed_radius = round(radius * 2**_FRACTION_BITS)
    cv2.circle(
        layer, _fixed(place), fixed_radius, (*colour, 255), cv2.FILLED, cv2.LINE_AA, _FRACTION_BITS
    )


def _fixed(place: NDArray[np.floating]) -> tuple[int, int]:
    """A place in OpenCV's fixed point; OpenCV has the centre of the first pixel at 0, 0."""
    x, y = ((place - 0.5) * 2**_FRACTION_BITS).round().astype(int)
    return int(x), int(y)
