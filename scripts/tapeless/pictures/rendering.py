"""Bodies rendered in shades of one colour, as layers to lay over a picture.

Done with NumPy. A body has thousands of faces of a few pixels each: OpenGL without a graphics card
takes several times as long for them, and as long again to load.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tapeless.scenes import vertex_normals

Floats = npt.NDArray[np.floating]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Layer = npt.NDArray[np.uint8]
"""(H, W, 4) RGBA, colours multiplied by coverage."""

BODY_COLOUR = (0.36, 0.54, 0.76)
"""Red, green and blue, as linear light."""
_NEAREST_M = 0.05
_AMBIENT = 0.3
_LIGHTS = (((-0.7, 0.8, 1.0), 2.3), ((1.0, 0.2, 0.6), 0.8))
"""Where light comes from (right, up, towards the viewer), and how strong it is."""
_BRIGHTEST = _AMBIENT + sum(strength for _, strength in _LIGHTS) / np.pi
_GAMMA = 2.2
_SMALLEST_PX2 = 1e-6
_AT_ONCE = 1 << 20
"""Pixels that are looked at together: bounds the memory, however near a body comes."""


@dataclass(frozen=True)
class BodyRenderer:
    """Renders bodies at one size in px."""

    width: int
    height: int

    def seen_by_camera(
        self,
        vertices: Floats,
        faces: Ints,
        focal_px: tuple[float, float],
        center_px: tuple[float, float],
    ) -> Layer:
        """A body in camera coordinates (x right, y down, z forward, metres), through a pinhole."""
        x, y, z = vertices.T
        nearness = 1 / np.maximum(z, _NEAREST_M)
        columns = focal_px[0] * x * nearness + center_px[0]
        rows = focal_px[1] * y * nearness + center_px[1]
        shades = _shades(vertices * [1, -1, -1], faces)
        if z.min() < _NEAREST_M:
            faces = faces[(z[faces] >= _NEAREST_M).all(axis=1)]
        return self._render(np.stack([columns, rows, nearness, shades]), faces)

    def seen_from_afar(self, vertices: Floats, faces: Ints, pixels_per_metre: float) -> Layer:
        """A body (x right, y up, z to the viewer, metres), without perspective, origin centred."""
        x, y, z = vertices.T
        columns = self.width / 2 + pixels_per_metre * x
        rows = self.height / 2 - pixels_per_metre * y
        return self._render(np.stack([columns, rows, z, _shades(vertices, faces)]), faces)

    def _render(self, points: Floats, faces: Ints) -> Layer:
        """Renders faces between points (4, V): x px, y px, nearness (in any unit), shade."""
        canvas = _Canvas(self.width, self.height)
        canvas.draw(points.astype(np.float32).take(faces.T, axis=1))
        full = (_BRIGHTEST * np.array(BODY_COLOUR)) ** (1 / _GAMMA)
        palette = np.zeros((256, 4), np.uint8)
        palette[1:, :3] = (np.arange(1, 256)[:, None] * full).round().clip(0, 255)
        palette[1:, 3] = 255
        return palette.take(canvas.shades, axis=0).reshape(self.height, self.width, 4)


class _Canvas:
    """The shade in each pixel (0: nothing), and how near it is; pixels lie row by row."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.shades = np.zeros(width * height, np.uint8)
        self._nearest = np.full(width * height, -np.inf, np.float32)

    def draw(self, corners: Singles) -> None:
        """Draws those triangles (4, 3, F) that face the viewer: x px, y px, nearness, shade."""
        corners = corners[:, :, _twice_area(*_sides(corners)) < -_SMALLEST_PX2]
        left, right = _pixels_between(corners[0], self.width)
        top, bottom = _pixels_between(corners[1], self.height)
        boxes = np.stack([left, top, right - left, bottom - top])
        ends = np.cumsum(boxes[2] * boxes[3], dtype=np.int64)
        cuts = np.searchsorted(ends, np.arange(_AT_ONCE, ends[-1:].sum(), _AT_ONCE))
        for begin, end in pairwise([0, *cuts, len(ends)]):
            self._fill(corners[:, :, begin:end], boxes[:, begin:end])

    def _fill(self, corners: Singles, boxes: Ints) -> None:
        """Fills the pixels in boxes (left, top, width, height) whose centres lie in triangles."""
        left, top, wide, high = boxes
        count = wide * high
        face = np.repeat(np.arange(len(count)), count)
        number = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
        row, column = np.divmod(number.astype(np.int32), wide.take(face))
        steps = column.astype(np.float32), row.astype(np.float32)
        one, other = (
            start + across * steps[0] + down * steps[1]
            for start, across, down in np.repeat(_shares(corners, boxes), count, axis=2)
        )
        within = np.flatnonzero((one >= 0) & (other >= 0) & (one + other <= 1))
        one, other, face = one[within], other[within], face[within]
        pixel = (top * self.width + left).take(face) + row[within] * self.width + column[within]
        first, second, third = corners[2:].swapaxes(0, 1)
        base, to_one, to_other = (
            part.take(face, axis=1) for part in (first, second - first, third - first)
        )
        nearness, shades = base + one * to_one + other * to_other
        np.maximum.at(self._nearest, pixel, nearness)
        is_seen = nearness == self._nearest.take(pixel)
        self.shades[pixel[is_seen]] = shades[is_seen]


def _sides(corners: Singles) -> tuple[Singles, Singles]:
    """From the first corner of triangles to the second, and to the third, (2, F) px each."""
    return corners[:2, 1] - corners[:2, 0], corners[:2, 2] - corners[:2, 0]


def _twice_area(one: Singles, other: Singles) -> Singles:
    """Of triangles (F,) with these sides; below 0 if they face the viewer, as y points down."""
    return np.asarray(one[0] * other[1] - one[1] * other[0])


def _pixels_between(places: Singles, size: int) -> tuple[Ints, Ints]:
    """Of triangles with corners at (3, F) px: the first pixel with its centre between them, and
    the first one beyond."""
    half = np.float32(0.5)
    first = np.ceil(places.min(axis=0) - half).clip(0, size)
    beyond = np.floor(places.max(axis=0) + half).clip(first, size)
    return first.astype(np.int32), beyond.astype(np.int32)


def _shares(corners: Singles, boxes: Ints) -> Singles:
    """The shares of the second and third corner in the places of a triangle, which sum up to 1.

    They are linear in the place. (2, 3, F): each at the first pixel of the box, and how much it
    grows from column to column, and from row to row.
    """
    one, other = _sides(corners)
    twice_area = _twice_area(one, other)
    x, y = boxes[:2] + 0.5 - corners[:2, 0]
    growths = ((other[1], -other[0]), (-one[1], one[0]))
    planes = [(across * x + down * y, across, down) for across, down in growths]
    return (np.array(planes) / twice_area).astype(np.float32)


def _shades(vertices: Floats, faces: Ints) -> Floats:
    """How bright each vertex (V,) is, up to 255: matt, in ambient light and that of the lamps."""
    normals = vertex_normals(vertices, faces)
    light = np.full(len(vertices), _AMBIENT)
    for source, strength in _LIGHTS:
        towards = np.array(source) / np.linalg.norm(source)
        light += strength / np.pi * (normals @ towards).clip(0)
    return np.asarray(255 * (light / _BRIGHTEST) ** (1 / _GAMMA))
