"""Whether the outline is sharp: how many pixels the picture takes from person to background."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.checks.findings import Reading
from tapeless.checks.footage import GreyFrames, Mask, Picture

MIN_EDGES = 30
"""Places along the sides of somebody that a picture must show to tell how sharp it is."""

_IS_PERSON = 128
_MOST_EDGES = 200  # looked at in a picture
_STEP = 0.1  # of the usual range of greys, 0 to 255: fainter edges drown in noise
_UPRIGHT = 0.8  # horizontal part of the unit normal from which on an outline is a side
_SEARCH = 0.01  # of the person's height: how far the edge may be from the outline
_REACH = 0.04  # of the person's height: how far an edge is followed to either side
_FLAT = 0.2  # of an edge's steepest slope, at which it ends


def outline_width(frames: GreyFrames, silhouettes: Mapping[str, Picture]) -> Reading:
    """How wide the sides of the person are in the pictures, in per cent of the person's height.

    An edge is as wide as it would be at its steepest slope all the way. Blurred by a movement, it
    is as wide as that goes in one exposure. The median of the edges of a picture, along its rows,
    and of the pictures.

    Args:
        frames: the sampled frames.
        silhouettes: soft masks by frame.
    """
    widths = [
        100 * width
        for name, silhouette in silhouettes.items()
        if (width := _width(frames.read(name), silhouette >= _IS_PERSON))
    ]
    if not widths:
        return Reading(
            None, why_not="The person hardly differs from the background, so no edge shows."
        )
    return Reading(float(np.median(widths)))


def _width(picture: Picture, mask: Mask) -> float | None:
    """The median width of the sides in one picture, in heights of the person; None without any."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    height = float(rows[-1] - rows[0] + 1)
    reach, search = (max(2, round(share * height)) for share in (_REACH, _SEARCH))
    y, x = _sides(mask, reach)
    if len(y) < MIN_EDGES:
        return None
    slopes = np.diff(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.5), axis=1)
    near = slopes[y[:, None], x[:, None] + np.arange(-reach, reach)]
    widths = _edge_widths(near, reach - search, reach + search)
    return float(np.median(widths)) / height if len(widths) >= MIN_EDGES else None


def _sides(mask: Mask, margin: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the first pixels beyond upright edges of a mask, off the borders."""
    y, x = np.nonzero(mask[:, 1:] != mask[:, :-1])
    x = x + 1
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2.0)
    along, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    across = np.abs(along[y, x]) / np.maximum(np.hypot(along, down)[y, x], 1e-6)
    kept = (across > _UPRIGHT) & (x >= margin) & (x < mask.shape[1] - margin)
    every = max(1, int(kept.sum()) // _MOST_EDGES)
    return y[kept][::every], x[kept][::every]


def _edge_widths(slopes: NDArray[np.float32], first: int, last: int) -> NDArray[np.float64]:
    """Widths in px of the steepest edges that begin between two columns of slopes (n, m).

    An edge goes as far to either side as the slope keeps its sign and is not nearly flat.
    """
    sizes = np.abs(slopes)
    top = first + sizes[:, first:last].argmax(axis=1)[:, None]
    steepest = np.take_along_axis(slopes, top, axis=1)
    flat = (_FLAT * np.abs(steepest).astype(np.float64)).astype(np.float32)
    ends_it = slopes * np.sign(steepest) <= flat
    place = np.arange(slopes.shape[1])
    begins = np.where(ends_it & (place < top), place, -1).max(axis=1) + 1
    ends = np.where(ends_it & (place > top), place, len(place)).min(axis=1)
    parts = [size[begin:end] for size, begin, end in zip(sizes, begins, ends, strict=True)]
    steps = np.array([part.sum() for part in parts], np.float64)
    is_edge = steps >= _STEP * 255
    widths: NDArray[np.float64] = steps[is_edge] / np.abs(steepest[is_edge, 0].astype(np.float64))
    return widths
