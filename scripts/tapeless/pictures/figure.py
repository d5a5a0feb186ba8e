"""The fitted body standing unposed, from the front and from the side, with the tapes around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull

from tapeless.bodies import Body
from tapeless.pictures.lettering import MUTED, PAPER, RULE, Colour, font
from tapeless.pictures.overlay import draw_line, lay_over
from tapeless.pictures.rendering import BodyRenderer

Floats = npt.NDArray[np.floating]

TAPE: Colour = (196, 61, 74)

_FINENESS = 4  # more than over frames: on white paper, every step of an edge shows
_TILT = np.radians(7)
_SIDEWAYS = np.radians(-90)
_GAP_M = 0.18
_LABEL_WIDTH_PX = 64
_LABEL_SIZE_PX = 15


@dataclass(frozen=True)
class _Stand:
    """Where one of the two bodies stands: turned about y, moved to the right; metres."""

    turn: float
    right: float

    def place(self, points: Floats) -> Floats:
        """Points (N, 3) of the body as the viewer sees them: x right, y up, z to the viewer."""
        sine, cosine = np.sin(self.turn), np.cos(self.turn)
        x = cosine * points[:, 0] + sine * points[:, 2]
        z = cosine * points[:, 2] - sine * points[:, 0]
        down = points[:, 1] * np.cos(_TILT) - z * np.sin(_TILT)
        near = points[:, 1] * np.sin(_TILT) + z * np.cos(_TILT)
        return np.stack([x + self.right, down, near], axis=1)


def draw_figure(body: Body, tapes: Mapping[str, Floats], size: tuple[int, int]) -> Image.Image:
    """Draws a body from the front and from its left side, with labelled tapes around it.

    Args:
        body: the body.
        tapes: for each name, points (N, 3) along a horizontal tape around it, in its frame.
        size: width and height of the drawing in px.
    """
    width, height = size
    front, side = _stands(body)
    placed = [stand.place(body.vertices) for stand in (front, side)]
    points = np.concatenate(placed)
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2 * [1, 1, 0]
    wide, tall = (high - low)[:2]
    scale = min((width - _LABEL_WIDTH_PX) / wide, (height - 8) / tall)
    room = round(scale * wide) + 4
    faces = np.concatenate([body.faces, body.faces + len(body.vertices)])
    renderer = BodyRenderer(_FINENESS * room, _FINENESS * height)
    layer = renderer.seen_from_afar(points - middle, faces, _FINENESS * scale)

    def to_layer(seen: Floats) -> Floats:
        flat = (seen - middle)[:, :2] * [scale, -scale] + [room / 2, height / 2]
        return np.asarray(_FINENESS * flat)

    ends = {}
    for name, tape in tapes.items():
        hull = tape[ConvexHull(tape[:, [0, 2]]).vertices]
        for stand in (front, side):
            seen = to_layer(_nearer_half(stand.place(hull)))
            draw_line(layer, seen, TAPE, 2 * _FINENESS)
            ends[name] = seen[-1] / _FINENESS
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = PAPER
    picture[:, :room] = lay_over(picture[:, :room], layer)
    image = Image.fromarray(picture)
    _label(ImageDraw.Draw(image), ends, width - _LABEL_WIDTH_PX + 8)
    return image


def _stands(body: Body) -> tuple[_Stand, _Stand]:
    front, side = _Stand(0.0, 0.0), _Stand(_SIDEWAYS, 0.0)
    right_of_front = front.place(body.vertices)[:, 0].max()
    left_of_side = side.place(body.vertices)[:, 0].min()
    return front, _Stand(_SIDEWAYS, float(right_of_front - left_of_side) + _GAP_M)


def _nearer_half(hull: Floats) -> Floats:
    """The part of a closed convex line (N, 3) that the viewer sees, from left to right."""
    first, last = int(hull[:, 0].argmin()), int(hull[:, 0].argmax())
    rolled = np.roll(hull, -first, axis=0)
    end = (last - first) % len(hull)
    one, other = rolled[: end + 1], np.vstack([rolled[end:], rolled[:1]])[::-1]
    return one if one[:, 2].mean() > other[:, 2].mean() else other


def _label(draw: ImageDraw.ImageDraw, ends: Mapping[str, Floats], left: int) -> None:
    """Writes each name at the right, at the height of its tape, but not over another one."""
    face = font(_LABEL_SIZE_PX)
    lowest = -np.inf
    for name, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        level = max(float(y), lowest + _LABEL_SIZE_PX + 3)
        lowest = level
        draw.line([(float(x) + 4, float(y)), (left - 6, level)], fill=RULE, width=1)
        draw.text((left, level), name, font=face, fill=MUTED, anchor="lm")
