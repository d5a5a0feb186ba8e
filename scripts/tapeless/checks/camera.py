"""Whether the camera stands still, by what the background does from picture to picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.checks.findings import Reading
from tapeless.checks.footage import View

Points = NDArray[np.float32]

MIN_POINTS = 6
"""Points of the background that must agree on how it moved; 2 would fix the movement."""
MIN_SHARE = 0.5
"""Share of the points that must agree; with less, something else than the background moves."""

_MOST_POINTS, _LEAST_QUALITY, _APART_PX = 300, 0.005, 7.0
_WINDOW_PX, _LEVELS = 21, 4  # follows up to about 150 px
_THERE_AND_BACK_PX = 0.5  # a point that is not found again where it came from is lost
_INLIER_PX = 1.5


def background_motion(views: Sequence[View]) -> Reading:
    """The farthest that the background goes from where it is in the first picture.

    In per cent of the picture's longer side: the mean over its four corners, so that turning and
    zooming count, too. Corners of the background are followed from each picture to the next (Lucas
    and Kanade's optical flow, there and back), and the one shift, turn and zoom that most agree on
    is kept (RANSAC), so that a passer-by does not count.
    """
    if len(views) < 2:
        return Reading(None, why_not="It takes two pictures to tell whether the camera moved.")
    height, width = views[0].picture.shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], float)
    since_first, farthest = np.eye(3), 0.0
    for one, other in pairwise(views):
        step = _motion(one, other)
        if step is None:
            return Reading(
                None,
                why_not="The background shows too little detail that stays from picture to picture "
                "to tell whether the camera moved.",
            )
        since_first = step @ since_first
        moved = (corners @ since_first.T)[:, :2] - corners[:, :2]
        farthest = max(farthest, float(np.linalg.norm(moved, axis=1).mean()))
    return Reading(100 * farthest / max(height, width))


def _motion(one: View, other: View) -> NDArray[np.float64] | None:
    """The background's shift, turn and zoom as (3, 3), or None when it cannot be told."""
    start, end = _followed(one, other)
    if len(start) < MIN_POINTS:
        return None
    motion, agree = cv2.estimateAffinePartial2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=_INLIER_PX
    )
    if motion is None or agree.sum() < max(MIN_POINTS, MIN_SHARE * len(start)):
        return None
    return np.vstack([motion, [0, 0, 1]])


def _followed(one: View, other: View) -> tuple[Points, Points]:
    """Where points of the background are in either picture, (n, 2) px each."""
    mask = one.background.astype(np.uint8)
    found = cv2.goodFeaturesToTrack(one.picture, _MOST_POINTS, _LEAST_QUALITY, _APART_PX, mask=mask)
    if found is None:
        return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
    start = np.asarray(found, np.float32)
    end, is_there = _flow(one, other, start)
    back, is_back = _flow(other, one, end)
    start, end, back = (points.reshape(-1, 2) for points in (start, end, back))
    height, width = other.background.shape
    columns, rows = np.round(end).astype(int).T
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    seen = other.background[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    returned = np.linalg.norm(back - start, axis=1) < _THERE_AND_BACK_PX
    kept = is_there & is_back & inside & seen & returned
    return start[kept], end[kept]


def _flow(one: View, other: View, start: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Where points (n, 1, 2) of one picture are in another, and which of them (n,) were found."""
    end, found, _ = cv2.calcOpticalFlowPyrLK(
        one.picture,
        other.picture,
        start,
        np.empty_like(start),
        winSize=(_WINDOW_PX, _WINDOW_PX),
        maxLevel=_LEVELS,
    )
    return np.asarray(end, np.float32), np.asarray(found).ravel() == 1
