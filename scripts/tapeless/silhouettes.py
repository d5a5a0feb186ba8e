"""The outline of one person in a picture, as a soft mask.

BlazePose's mask has 256 x 256 pixels, whatever it looks at. So it looks at the person alone: at the
whole person, which says well who belongs where, and closer at the upper and at the lower part,
which says better where the border runs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.blazepose import BlazePose, Region
from tapeless.images import read_rgb, write_image
from tapeless.keypoints import LIMBS, Person, read_person
from tapeless.logs import progress
from tapeless.outcomes import Rejected

log = logging.getLogger(__name__)

Mask = NDArray[np.float32]

# Sides of the regions looked at, in lengths of the person (topmost to lowest point, along the
# spine). Tried on 60 rendered pictures of 10 bodies, half of them in front of passers-by.
_WHOLE_SIDE = 1.2
_PART_SIDE = 0.96
_CROWN, _SOLE = 0.08, 0.03  # how far the person goes beyond the topmost and the lowest point
_PART_WEIGHT = 0.7  # of the closer looks, within the band
_BAND_PX = 4  # to either side of the whole person's border, where the closer looks count
_REACH = 0.22  # the farthest a body goes from its skeleton, in lengths of the person
_MIN_INSIDE = 0.6  # share of the body points that must lie within the silhouette
_MIN_CUT_OUT = 0.5  # share of a video's frames whose person must come out


def cut_out(models: BlazePose, picture: NDArray[np.uint8], person: Person) -> Mask | None:
    """The probability that each pixel of an RGB picture (H, W, 3) belongs to `person`, (H, W).

    The line where it is 0.5, between the centres of pixels, is the person's outline. None when
    the person cannot be told from the background.
    """
    region, upper, lower = _regions(person)
    straight, mirrored = models.look(picture, region), models.look_mirrored(picture, region)
    if straight is None or mirrored is None:
        return None
    whole = (straight.mask + mirrored.mask) / 2
    parts = [models.look(picture, part) for part in (upper, lower)]
    top, bottom = (whole if part is None else part.mask for part in parts)
    share = _share_below(region, whole.shape)
    closer = top * (1 - share) + bottom * share
    trust = _PART_WEIGHT * _border_band(whole)
    mask = keep_person(whole * (1 - trust) + closer * trust, person)
    return mask if _points_inside(mask, person) >= _MIN_INSIDE else None


def keep_person(mask: Mask, person: Person) -> Mask:
    """Clears other people and stray spots.

    What stays is joined to one of the person's points, and within reach of the skeleton.
    """
    near = _distance_to_skeleton(person, mask.shape) < _REACH * _length(person)
    solid = (mask > 0.5) & near
    _, labels = cv2.connectedComponents(solid.astype(np.uint8))
    rows, columns = _pixels(person, mask.shape)
    wanted = np.isin(labels, np.setdiff1d(labels[rows, columns], [0]))
    # The soft rim of what stays goes along, but not where it is the rim of something else.
    rim = _dilated(wanted, 3) & ~_dilated((mask > 0.5) & ~wanted, 3)
    return np.where(wanted | rim, mask, 0).astype(np.float32)


def segment_person(frames: Path, keypoints: Path, silhouettes: Path) -> Mapping[str, int]:
    """Writes the silhouette of every frame kept, 8-bit grey at the frame's size.

    A frame whose person cannot be cut out has none.

    Raises:
        Rejected: if less than half of the frames are left.
    """
    names = sorted(path.stem for path in keypoints.glob("frame_*.json"))
    written = 0
    with BlazePose() as models:
        for name in progress(names, "frames", len(names), log):
            person = read_person(keypoints / f"{name}.json")
            mask = cut_out(models, read_rgb(frames / f"{name}.png"), person)
            if mask is None:
                log.warning("%s: the person cannot be cut out; the frame has no outline", name)
                continue
            write_image(silhouettes / f"{name}.png", np.round(mask * 255).astype(np.uint8))
            written += 1
    counts = {"frames_kept": len(names), "silhouettes": written}
    if written < _MIN_CUT_OUT * len(names):
        raise Rejected(
            "no_silhouette",
            f"The person could be told from the background in only {written} of {len(names)} "
            "frames. Film in front of a plain background that differs from the clothes.",
            **counts,
        )
    return counts


def _regions(person: Person) -> tuple[Region, Region, Region]:
    """Where to look for the whole person, the upper and the lower part, all along the spine."""
    angle = _lean(person)
    axes = _axes(angle)
    along = person.points[person.present, :2] @ axes
    (left, top), (right, bottom) = along.min(axis=0), along.max(axis=0)
    length = bottom - top
    middle = (left + right) / 2
    side = _PART_SIDE * length
    whole = (middle, (top + bottom) / 2, _WHOLE_SIDE * max(length, right - left))
    upper = (middle, top - _CROWN * length + side / 2 / 1.08, side)
    lower = (middle, bottom + _SOLE * length - side / 2 / 1.08, side)

    def region(x: float, y: float, side: float) -> Region:
        centre = axes @ (x, y)
        return Region(float(centre[0]), float(centre[1]), float(side), angle)

    return region(*whole), region(*upper), region(*lower)


def _lean(person: Person) -> float:
    """The angle of the spine from upright, radians, positive to the right of the picture."""
    if not person.has("Neck", "MidHip"):
        return 0.0
    neck, hips = person.at("Neck", "MidHip")
    return float(np.arctan2(neck[0] - hips[0], hips[1] - neck[1]))


def _axes(angle: float) -> NDArray[np.float64]:
    """The directions across and down a body that leans by `angle`, as columns (2, 2)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def _length(person: Person) -> float:
    along = person.points[person.present, :2] @ _axes(_lean(person))
    return float(np.ptp(along[:, 1]))


def _share_below(region: Region, shape: tuple[int, ...]) -> Mask:
    """0 in the upper part of the region and 1 in the lower, going over about the middle."""
    rows, columns = np.indices(shape[:2]) + 0.5
    _, down = _axes(region.angle).T
    below = (columns - region.x) * down[0] + (rows - region.y) * down[1]
    return np.clip(0.5 + below * _WHOLE_SIDE / (0.16 * region.side), 0, 1).astype(np.float32)


def _border_band(mask: Mask) -> Mask:
    """1 about the border of a mask, fading to 0 away from it."""
    solid = mask > 0.5
    band = _dilated(solid, _BAND_PX) & _dilated(~solid, _BAND_PX)
    return np.asarray(cv2.GaussianBlur(band.astype(np.float32), (0, 0), 1.0), np.float32)


def _dilated(mask: NDArray[np.bool_], by_px: int) -> NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1, 2 * by_px + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel), bool)


def _distance_to_skeleton(person: Person, shape: tuple[int, ...]) -> Mask:
    canvas = np.ones(shape[:2], np.uint8)
    for start, end in LIMBS:
        if person.present[start] and person.present[end]:
            a, b = ([round(float(v)) for v in person.points[i, :2]] for i in (start, end))
            cv2.line(canvas, a, b, (0,), 1)
    return np.asarray(cv2.distanceTransform(canvas, cv2.DIST_L2, 5), np.float32)


def _points_inside(mask: Mask, person: Person) -> float:
    rows, columns = _pixels(person, mask.shape)
    return float((mask[rows, columns] > 0.5).mean()) if len(rows) else 0.0


def _pixels(person: Person, shape: tuple[int, ...]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    points = person.points[person.present, :2].astype(int)
    return points[:, 1].clip(0, shape[0] - 1), points[:, 0].clip(0, shape[1] - 1)
