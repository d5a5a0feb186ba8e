"""An ordinary room as a camera sees it: floor, walls, and what stands and hangs there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tapeless.synthetic.camera import Camera

Picture = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Colour = npt.NDArray[np.float64]

_CEILING_M = 2.6
_SKIRTING_M = 0.09
_SOFTNESS_PX = 1.0
_SHADOW_RADIUS_M = 0.25
_SHADOW_DEPTH = 0.45
_RUG_M = (1.2, 0.9)


@dataclass(frozen=True)
class _Panel:
    """A rectangle on the back wall, with a border: a door, a cupboard, a picture."""

    x: tuple[float, float]
    y: tuple[float, float]
    colour: Colour
    border: Colour


def paint_room(
    camera: Camera, generator: np.random.Generator, *, is_cluttered: bool = False
) -> Picture:
    """A random room without anybody: (H, W, 3) RGB, 0 to 1.

    Cluttered, it has a wallpaper, shelves full of things, and a rug with a pattern.
    """
    back = -generator.uniform(0.8, 2.5)
    side = generator.uniform(1.6, 3.0)
    rays, eye = camera.rays(), camera.pose[:3, 3]
    with np.errstate(divide="ignore"):
        to_planes = np.stack(
            [
                (back - eye[2]) / rays[..., 2],
                np.where(rays[..., 1] < 0, -eye[1], _CEILING_M - eye[1]) / rays[..., 1],
                (side * np.sign(rays[..., 0]) - eye[0]) / rays[..., 0],
            ]
        )
    to_planes[~(to_planes > 0)] = np.inf
    nearest = to_planes.argmin(axis=0)
    points = eye + rays * to_planes.min(axis=0)[..., None]
    is_floor = (nearest == 1) & (rays[..., 1] < 0)

    wall_colour = _pale(generator)
    furniture = _furniture(side, generator)
    if is_cluttered:
        furniture += _shelves(side, generator)
    room = _wall(points, wall_colour, furniture, generator)
    if is_cluttered:
        bare = (room == wall_colour).all(axis=-1)
        room[bare] *= _pattern(points[bare][:, :2], generator)
    room[nearest == 2] *= 0.85
    room[nearest == 1] = 0.93
    room[is_floor] = _floor(points[is_floor], generator)
    if is_cluttered:
        on_rug = is_floor & (np.abs(points[..., [0, 2]]) < _RUG_M).all(axis=-1)
        colour = generator.uniform(0.1, 0.8, 3)
        room[on_rug] = colour * _pattern(points[on_rug][:, [0, 2]], generator)
    room *= _light(points, generator)[..., None]
    room += _unevenness(room.shape, generator)
    seen = cv2.GaussianBlur(np.clip(room, 0, 1), (0, 0), _SOFTNESS_PX)
    return np.asarray(seen, dtype=np.float32)


def shade_floor(room: Picture, camera: Camera) -> Picture:
    """The same room with the soft shadow of somebody who stands at the origin."""
    rays, eye = camera.rays(), camera.pose[:3, 3]
    distance = np.where(rays[..., 1] < 0, -eye[1] / np.minimum(rays[..., 1], -1e-6), np.inf)
    x, z = rays[..., 0] * distance, eye[2] + rays[..., 2] * distance
    with np.errstate(invalid="ignore"):
        closeness = np.exp(-(x**2 + z**2) / (2 * _SHADOW_RADIUS_M**2))
    darkened = room * (1 - _SHADOW_DEPTH * np.nan_to_num(closeness))[..., None]
    return darkened.astype(np.float32)


def _pale(generator: np.random.Generator) -> Colour:
    return generator.uniform(0.55, 0.9) * generator.uniform(0.88, 1.0, 3)


def _furniture(side: float, generator: np.random.Generator) -> list[_Panel]:
    panels = []
    for _ in range(generator.integers(2, 6)):
        width, height = generator.uniform(0.3, 1.0), generator.uniform(0.3, 0.9)
        x = generator.uniform(-side, side - width)
        hangs = generator.random() < 0.6
        y = generator.uniform(1.0, 1.6) if hangs else 0.0
        height = height if hangs else generator.choice([0.8, 1.2, 2.0])
        colour = generator.uniform(0.15, 0.9) * generator.uniform(0.6, 1.0, 3)
        border = generator.uniform(0.1, 0.95, 1).repeat(3)
        panels.append(_Panel((x, x + width), (y, y + height), colour, border))
    return panels


def _shelves(side: float, generator: np.random.Generator) -> list[_Panel]:
    """Rows of books and boxes, of all colours."""
    things = []
    for height in np.arange(generator.uniform(0.3, 0.6), 2.0, generator.uniform(0.4, 0.7)):
        x = generator.uniform(-side, 0)
        for _ in range(generator.integers(5, 25)):
            width, tall = generator.uniform([0.03, 0.12], [0.14, 0.34])
            colour = generator.uniform(0.05, 0.95, 3)
            spot = ((x, x + width), (float(height), float(height) + tall))
            things.append(_Panel(*spot, colour, 0.8 * colour))
            x += width
    return things


def _pattern(places: Floats, generator: np.random.Generator) -> Floats:
    """Stripes, checks or waves: the brightness (N, 1) of places (N, 2) in metres."""
    size, angle = generator.uniform([0.08, 0], [0.3, np.pi / 2])
    turned = places @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    along, across = np.sin(2 * np.pi * turned / size).T
    kinds = (np.sign(along), np.sign(along * across), np.clip(along + across, -1, 1))
    contrast = generator.uniform(0.08, 0.3)
    brightness: Floats = 1 - contrast * (1 + kinds[generator.integers(3)]) / 2
    return brightness[:, None]


def _wall(
    points: Floats, colour: Colour, panels: Sequence[_Panel], generator: np.random.Generator
) -> Floats:
    x, y = points[..., 0], points[..., 1]
    wall = np.tile(colour, (*x.shape, 1))
    wall[y < _SKIRTING_M] = generator.uniform(0.6, 0.95)
    for panel in panels:
        inset = np.minimum.reduce([x - panel.x[0], panel.x[1] - x, y - panel.y[0], panel.y[1] - y])
        wall[inset > 0] = panel.border
        wall[inset > 0.03] = panel.colour
    return wall


def _floor(points: Floats, generator: np.random.Generator) -> Floats:
    """Boards or tiles: (N, 3) colours of (N, 3) points."""
    colour = generator.uniform(0.3, 0.7) * np.array([1.0, *generator.uniform(0.7, 1.0, 2)])
    board = generator.uniform(0.1, 0.6)
    number, across = np.divmod(points[:, 0] / board + 100, 1.0)
    brightness = 1 + 0.05 * np.sin(number * 12.9898)
    brightness[across < 0.02] *= 0.7
    return colour * brightness[:, None]


def _light(points: Floats, generator: np.random.Generator) -> Floats:
    """Brighter towards a lamp or window somewhere."""
    source = generator.uniform([-2, 1, -1], [2, 2.5, 2])
    distance = np.linalg.norm(points - source, axis=-1)
    light: Floats = 0.75 + 0.35 * np.exp(-distance / 2.5)
    return light


def _unevenness(shape: tuple[int, ...], generator: np.random.Generator) -> Floats:
    coarse = generator.normal(0, 0.012, (16, 10, 1)).astype(np.float32)
    fine = generator.normal(0, 0.008, (shape[0] // 3, shape[1] // 3, 1)).astype(np.float32)
    both = [cv2.resize(n, shape[1::-1], interpolation=cv2.INTER_CUBIC) for n in (coarse, fine)]
    return (both[0] + both[1])[..., None].astype(np.float64)
