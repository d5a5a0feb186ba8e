"""What the checks look at: the pictures of a video, and who is where in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.images import read_grey

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
T = TypeVar("T")

MOST_PICTURES = 48
"""Pictures of a video that are looked at, evenly spread; more tell nothing new."""
LONGEST_SIDE_PX = 800
"""Larger pictures are made smaller before the background is looked at."""
_PERSON_FROM = 60  # grey value of a soft silhouette from which on a pixel may be the person
_ROOM_PX = 8  # around a person, which may be shadow, hair, or a bad outline
_MOST_KEPT_BYTES = 256 << 20  # a quarter of what the job asks for


class GreyFrames:
    """The sampled frames in grey, each read from its file once, as long as there is room for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room_bytes = _MOST_KEPT_BYTES
        self._kept: dict[str, Picture] = {}

    def read(self, name: str) -> Picture:
        """The picture (H, W) of the frame of this name."""
        if name in self._kept:
            return self._kept[name]
        picture = read_grey(self._folder / f"{name}.png")
        if picture.nbytes <= self._room_bytes:
            self._room_bytes -= picture.nbytes
            self._kept[name] = picture
        return picture


@dataclass(frozen=True, eq=False)
class View:
    """A picture (H, W) in grey, and which of its pixels (H, W) certainly show no person."""

    picture: Picture
    background: Mask


def read_views(frames: GreyFrames, silhouettes: Iterable[Path]) -> list[View]:
    """The pictures in which everybody was cut out, in time order, evenly thinned out; maybe none.

    Args:
        frames: the sampled frames.
        silhouettes: each person's directory of silhouettes.
    """
    folders = list(silhouettes)
    if not folders:
        return []
    common = set.intersection(*({path.stem for path in f.glob("frame_*.png")} for f in folders))
    return [
        _view(frames.read(name), [read_grey(folder / f"{name}.png") for folder in folders])
        for name in thinned(sorted(common))
    ]


def thinned(items: Sequence[T], most: int = MOST_PICTURES) -> list[T]:
    """At most so many of the items, evenly spread from the first to the last."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _view(picture: Picture, silhouettes: Sequence[Picture]) -> View:
    scale = min(1.0, LONGEST_SIDE_PX / max(picture.shape))
    person = np.maximum.reduce(silhouettes)
    if scale < 1:
        picture, person = _scaled(picture, scale), _scaled(person, scale)
    room = np.ones((2 * _ROOM_PX + 1, 2 * _ROOM_PX + 1), np.uint8)
    near = cv2.dilate((person >= _PERSON_FROM).astype(np.uint8), room)
    return View(picture, near == 0)


def _scaled(picture: Picture, scale: float) -> Picture:
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
