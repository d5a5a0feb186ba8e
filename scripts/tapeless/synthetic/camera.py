"""The camera that films synthetic people: a pinhole on the z axis, as a phone on a stand."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, degrees, radians, sin, tan

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FOV_DEGREES = (38.0, 68.0)
"""Vertical, of phones held upright: from twice enlarged to the main camera."""
FILL = (0.60, 0.82)
"""Share of the picture's height that a standing person takes."""
_HEIGHT_M = (0.9, 1.5)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera at (0, height_m, distance_m), which looks along -z, tilted down by pitch."""

    width_px: int
    height_px: int
    vertical_fov_degrees: float
    height_m: float
    distance_m: float
    pitch_degrees: float

    @classmethod
    def framing(
        cls,
        stature_m: float,
        width_px: int,
        height_px: int,
        generator: np.random.Generator,
        fill: tuple[float, float] = FILL,
    ) -> Camera:
        """A random camera that sees a standing person from head to foot, with room around.

        The person takes a share of the picture's height between the two of `fill`.
        """
        fov = generator.uniform(*FOV_DEGREES)
        distance = stature_m / generator.uniform(*fill) / (2 * tan(radians(fov) / 2))
        height = generator.uniform(*_HEIGHT_M)
        aim = stature_m / 2 + generator.uniform(-0.04, 0.04)
        pitch = degrees(atan2(height - aim, distance))
        return cls(width_px, height_px, fov, height, distance, pitch)

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, the same along both axes."""
        return self.height_px / 2 / tan(radians(self.vertical_fov_degrees) / 2)

    @property
    def pose(self) -> Floats:
        """(4, 4) from the camera (OpenGL: x right, y up, looking along -z) to the world."""
        c, s = cos(radians(self.pitch_degrees)), sin(radians(self.pitch_degrees))
        return np.array(
            [
                [1, 0, 0, 0],
                [0, c, s, self.height_m],
                [0, -s, c, self.distance_m],
                [0, 0, 0, 1],
            ]
        )

    def rays(self) -> Floats:
        """(height_px, width_px, 3) direction of each pixel's line of sight, in the world."""
        v, u = np.mgrid[: self.height_px, : self.width_px] + 0.5
        x = (u - self.width_px / 2) / self.focal_px
        y = (self.height_px / 2 - v) / self.focal_px
        directions = np.stack([x, y, np.full_like(x, -1.0)], axis=-1)
        rotated: Floats = directions @ self.pose[:3, :3].T
        return rotated
