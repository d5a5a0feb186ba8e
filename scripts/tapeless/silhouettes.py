"""The outline of one person in a picture, as a soft mask."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.blazepose import BlazePose, Region
from tapeless.images import read_rgb, write_image
from tapeless.keypoints import Person, read_person
from tapeless.logs import progress
from tapeless.outcomes import Rejected

log = logging.getLogger(__name__)

_MARGIN = 1.35  # side of the crop, in sides of the box around the body points
_MIN_INSIDE = 0.6  # share of the body points that must lie within the silhouette


def cut_out(
    models: BlazePose, picture: NDArray[np.uint8], person: Person
) -> NDArray[np.float32] | None:
    """The probability that each pixel of an RGB picture (H, W, 3) belongs to `person`, (H, W).

    None when the person cannot be told from the background.
    """
    left, top, right, bottom = person.box
    side = _MARGIN * max(right - left, bottom - top)
    sight = models.look(picture, Region((left + right) / 2, (top + bottom) / 2, side))
    if sight is None:
        return None
    mask = keep_connected(sight.mask, person)
    return mask if _points_inside(mask, person) >= _MIN_INSIDE else None


def keep_connected(mask: NDArray[np.float32], person: Person) -> NDArray[np.float32]:
    """Clears what is not connected to any point of `person`: other people, stray spots."""
    _, labels = cv2.connectedComponents((mask > 0.5).astype(np.uint8))
    rows, columns = _pixels(person, mask.shape)
    wanted = np.isin(labels, np.setdiff1d(labels[rows, columns], [0]))
    nearby = cv2.dilate(wanted.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    rest = (labels > 0) & ~wanted
    rest = cv2.dilate(rest.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    return np.where(nearby & (~rest | wanted), mask, 0).astype(np.float32)


def segment_person(frames: Path, keypoints: Path, silhouettes: Path) -> Mapping[str, int]:
    """Writes the silhouette of every frame kept, 8-bit grey at the frame's size.

    A frame whose person cannot be cut out is left out.

    Raises:
        Rejected: if no frame is left.
    """
    names = sorted(path.stem for path in keypoints.glob("frame_*.json"))
    written = 0
    with BlazePose() as models:
        for name in progress(names, "frames", len(names), log):
            person = read_person(keypoints / f"{name}.json")
            mask = cut_out(models, read_rgb(frames / f"{name}.png"), person)
            if mask is None:
                log.warning("%s: the person cannot be cut out; the frame is left out", name)
                continue
            write_image(silhouettes / f"{name}.png", np.round(mask * 255).astype(np.uint8))
            written += 1
    counts = {"frames_kept": len(names), "silhouettes": written}
    if not written:
        raise Rejected(
            "no_silhouette",
            "The person could not be told from the background in any frame. Film in front of a "
            "plain background that differs from the clothes.",
            **counts,
        )
    return counts


def _points_inside(mask: NDArray[np.float32], person: Person) -> float:
    rows, columns = _pixels(person, mask.shape)
    return float((mask[rows, columns] > 0.5).mean()) if len(rows) else 0.0


def _pixels(person: Person, shape: tuple[int, ...]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    points = person.points[person.present, :2].astype(int)
    return points[:, 1].clip(0, shape[0] - 1), points[:, 0].clip(0, shape[1] - 1)
