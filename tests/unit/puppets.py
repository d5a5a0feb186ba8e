"""People made of sticks and rectangles: body points at known places, and pictures of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.keypoints import BODY_25, LIMBS, Person

SIZE = (338, 600)  # width, height of a picture, px

# x across (shoulders 0.24 apart) and y down from the crown, in statures; facing the camera.
_PLACES = {
    "Nose": (0.0, 0.07), "REye": (-0.02, 0.06), "LEye": (0.02, 0.06), "REar": (-0.04, 0.07),
    "LEar": (0.04, 0.07), "Neck": (0.0, 0.18), "RShoulder": (-0.12, 0.18),
    "LShoulder": (0.12, 0.18), "RElbow": (-0.16, 0.36), "LElbow": (0.16, 0.36),
    "RWrist": (-0.18, 0.5), "LWrist": (0.18, 0.5), "MidHip": (0.0, 0.5), "RHip": (-0.06, 0.5),
    "LHip": (0.06, 0.5), "RKnee": (-0.07, 0.73), "LKnee": (0.07, 0.73), "RAnkle": (-0.07, 0.95),
    "LAnkle": (0.07, 0.95), "RHeel": (-0.06, 0.97), "LHeel": (0.06, 0.97),
    "RBigToe": (-0.1, 0.99), "LBigToe": (0.1, 0.99), "RSmallToe": (-0.12, 0.98),
    "LSmallToe": (0.12, 0.98),
}  # fmt: skip


@dataclass(frozen=True)
class Clothes:
    """RGB colours."""

    shirt: tuple[int, int, int]
    trousers: tuple[int, int, int]
    skin: tuple[int, int, int] = (205, 160, 130)


RED = Clothes(shirt=(190, 40, 40), trousers=(40, 45, 90))
GREEN = Clothes(shirt=(40, 140, 60), trousers=(200, 190, 160))
GREY = Clothes(shirt=(110, 112, 115), trousers=(60, 60, 66))


def standing(
    x: float = 169, soles: float = 570, stature: float = 500, width: float = 1.0
) -> Person:
    """Somebody at `x` with soles at height `soles`; `width` 0 is seen from the side."""
    crown = soles - stature
    points = [
        (x + stature * width * _PLACES[name][0], crown + stature * _PLACES[name][1], 0.9)
        for name in BODY_25
    ]
    return Person(np.array(points))


def without(person: Person, *endings: str) -> Person:
    """The person without the points whose names end so ("Hip" takes away all three)."""
    gone = [name.endswith(endings) for name in BODY_25]
    return Person(np.where(np.array(gone)[:, None], 0.0, person.points))


def picture_of(
    *people: tuple[Person, Clothes], size: tuple[int, int] = SIZE, seed: int = 0
) -> NDArray[np.uint8]:
    """An RGB picture (H, W, 3) of people before a wall, with a little noise."""
    canvas = np.full((size[1], size[0], 3), 225, np.uint8)
    for person, clothes in people:
        _draw(canvas, person, clothes)
    noise = np.random.default_rng(seed).normal(0, 3, canvas.shape)
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def _draw(canvas: NDArray[np.uint8], person: Person, clothes: Clothes) -> None:
    at = {name: person.points[i, :2].round().astype(int).tolist() for i, name in enumerate(BODY_25)}
    thick = max(1, round(0.07 * person.height_px))
    for start, end in LIMBS:
        names = (BODY_25[start], BODY_25[end])
        colour = clothes.trousers if names[0].endswith(("Hip", "Knee")) else clothes.skin
        cv2.line(canvas, at[names[0]], at[names[1]], colour, thick)
    torso = [at[name] for name in ("RShoulder", "LShoulder", "LHip", "RHip")]
    cv2.fillConvexPoly(canvas, cv2.convexHull(np.array(torso)), clothes.shirt)
    cv2.circle(canvas, at["Nose"], thick, clothes.skin, -1)
