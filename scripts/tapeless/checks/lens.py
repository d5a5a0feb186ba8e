"""Whether the lens bows straight lines, by the long edges in the background."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.checks.findings import Reading
from tapeless.checks.footage import View

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_LENGTH = 0.15
"""Of the picture's longer side: shorter edges show too little of a bow."""
MIN_LINES = 3
STRAIGHT_PX = 0.15
"""How straight the edges of real things are taken to be: their bow without any lens."""

_MIN_SEEN = 3  # a pixel is background when it is so in one of so many pictures
_MARGIN_PX = 6  # along the picture's own edges, which are straight, whatever the lens
_EDGES = (10, 25)  # Canny's thresholds, low, since walls differ little from ceilings
_ANGLE, _VOTES = np.pi / 360, 30  # of Hough's transform
_GAP = 0.3  # of the picture's longer side: an edge may go on behind the person
_REACH_PX = 5.0  # to either side of the chord in which the edge is looked for
_STEP_PX, _AROUND = 0.5, 5  # steps to either side of the steepest one that belong to the edge
_FOOT = 0.2  # of the steepest slope: below that it is something else
_MIN_CONTRAST = 2.0  # grey values
_MIN_SHOWN = 0.7  # of the length of a line that no person hides
_MIN_SEEN_SHARE = 0.4  # of its whole length
_MAX_ROUGHNESS_PX = 0.5
_SAME_PX, _SAME_SINE = 4.0, 0.1  # two chords of one edge
_OUTLIER = 2.5  # standard deviations
_SERIES_PX = 4.0  # pixels along an edge that say the same
_ROUNDS, _MOST = 6, 0.5
_BEYOND_GREY = np.int16(256)
_LEAST_LEVER_PX = 1e-3  # keeps lines through the centre, which say nothing, from dividing by 0


@dataclass(frozen=True)
class Line:
    """An edge that is straight in the world: where its chord is, and how far it bows.

    `middle` and the unit vector `along` (2,), `length`, in pixels. `bow_px` is how far its ends lie
    beside its middle, to the side of the vector (-along_y, along_x), `spread_px` the standard
    deviation of that, and `lever_px` what a lens with a distortion of 1 would bow it by.
    """

    middle: Floats
    along: Floats
    length: float
    bow_px: float
    spread_px: float
    lever_px: float


def distortion(views: Sequence[View], *, is_still: bool) -> Reading:
    """How far the lens moves the picture's corners outwards, in per cent of their distance.

    Radial distortion with one coefficient (Brown 1966): what should be at distance r from the
    centre is at r (1 + d r^2 / R^2), where R is half of the picture's diagonal; d is below 0 for a
    barrel. It bows a line at distance y from the centre by d y (L / 2)^2 / R^2 over its length L.
    The value is the size of d that fits all long edges best, with outliers, edges of round things,
    not counting (Geman and McClure's weights). Then the picture is straightened by it, and what is
    left is looked for again.

    Args:
        views: the pictures.
        is_still: whether the camera is known to stand still; then the pictures are put together.
    """
    if not views:
        return Reading(None, why_not="There is no picture in which the person was cut out.")
    picture, background = _background(views if is_still else views[:1])
    size, spread, count = 0.0, math.inf, 0
    for _ in range(_ROUNDS):
        lines = _distinct(_lines(*_straightened(picture, background, size)))
        count = max(count, len(lines))
        if len(lines) < MIN_LINES:
            break
        left, spread = _fit(lines)
        size = min(max(size + left, -_MOST), _MOST)
        if abs(left) < spread:
            break
    if math.isinf(spread):
        return Reading(
            None,
            why_not=f"The background shows {count} long straight edges; it takes {MIN_LINES} to "
            "tell whether the lens bows them.",
        )
    return Reading(100 * abs(size), 100 * 2 * spread)


def _straightened(picture: Floats, background: Mask, size: float) -> tuple[Floats, Mask]:
    """A picture as it would be without a distortion of that size, and its background."""
    height, width = picture.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    moved = 1 + np.float32(size * 4 / (height**2 + width**2)) * (x**2 + y**2)
    columns, rows = x * moved + (width - 1) / 2, y * moved + (height - 1) / 2
    straight = cv2.remap(picture.astype(np.float32), columns, rows, cv2.INTER_CUBIC)
    seen = cv2.remap(background.astype(np.uint8), columns, rows, cv2.INTER_NEAREST)
    return np.asarray(straight, np.float64), np.asarray(seen, bool)


def _background(views: Sequence[View]) -> tuple[Floats, Mask]:
    """The median picture of the background, and where it was seen often enough."""
    pictures = np.stack([view.picture for view in views]).astype(np.int16)
    seen = np.stack([view.background for view in views])
    hidden_last = np.sort(np.where(seen, pictures, _BEYOND_GREY), axis=0)
    times = seen.sum(axis=0)
    middle = np.maximum(times - 1, 0) // 2
    median = np.take_along_axis(hidden_last, middle[None], axis=0)[0]
    enough = times >= max(1, len(views) // _MIN_SEEN)
    is_inner = np.zeros_like(enough)
    is_inner[_MARGIN_PX:-_MARGIN_PX, _MARGIN_PX:-_MARGIN_PX] = True
    enough &= is_inner
    return np.where(enough, median, 0).astype(np.float64), enough


def _lines(picture: Floats, background: Mask) -> Iterator[Line]:
    """The long edges of a picture, the longest first; an edge may come several times."""
    smooth = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.float32)
    edges = cv2.Canny(np.clip(smooth, 0, 255).astype(np.uint8), *_EDGES)
    inner = cv2.erode(background.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    edges[~inner] = 0
    side = max(picture.shape)
    chords = cv2.HoughLinesP(
        edges, 1, _ANGLE, _VOTES, minLineLength=MIN_LENGTH * side, maxLineGap=_GAP * side
    )
    if chords is None:
        return
    ends = chords.reshape(-1, 2, 2).astype(np.float64)
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    for number in np.argsort(-lengths, kind="stable"):
        line = _line(smooth, inner, *ends[number])
        if line is not None:
            yield line


def _line(
    picture: NDArray[np.float32], background: Mask, start: Floats, end: Floats
) -> Line | None:
    """The edge along a chord; None if there is none wherever it can be seen, or a ragged one."""
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    places = np.arange(0, length)[:, None] * along + start
    offsets, shown = _edge_offsets(picture, background, places, across)
    seen = background[tuple(places.round().astype(int).T[::-1])]
    if shown.sum() < max(_MIN_SHOWN * seen.sum(), _MIN_SEEN_SHARE * len(seen)):
        return None
    place = np.linspace(-1, 1, len(offsets))  # along the chord
    terms = np.stack([np.ones_like(place), place, place**2], axis=1)
    coefficients, roughness = _robust_fit(terms, offsets, shown)
    if roughness > _MAX_ROUGHNESS_PX:
        return None
    middle = (start + end) / 2 + coefficients[0] * across
    centre = (np.array(picture.shape[::-1]) - 1) / 2
    half_diagonal = math.hypot(*picture.shape) / 2
    lever = float((middle - centre) @ across) * (length / 2 / half_diagonal) ** 2
    information = terms[shown].T @ terms[shown] / _SERIES_PX
    variance = roughness**2 * float(np.linalg.inv(information)[2, 2])
    spread = math.sqrt(variance + STRAIGHT_PX**2)
    return Line(middle, along, length, float(coefficients[2]), spread, lever)


def _edge_offsets(
    picture: NDArray[np.float32], background: Mask, places: Floats, across: Floats
) -> tuple[Floats, Mask]:
    """How far beside places on a chord (n, 2) an edge lies, (n,), and where it shows."""
    steps = np.arange(-_REACH_PX, _REACH_PX + _STEP_PX, _STEP_PX)
    around = places[:, None] + steps[:, None] * across
    columns, rows = np.moveaxis(around, 2, 0).astype(np.float32)
    values = cv2.remap(picture, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.remap(background.astype(np.uint8), columns, rows, cv2.INTER_NEAREST) > 0
    slopes = np.diff(values, axis=1) * (seen[:, 1:] & seen[:, :-1])
    strongest = np.take_along_axis(slopes, np.abs(slopes).argmax(axis=1)[:, None], axis=1)
    slopes = np.maximum(slopes * np.sign(np.median(strongest)), 0)
    peak = slopes.argmax(axis=1)[:, None]
    near = np.where(np.abs(np.arange(slopes.shape[1]) - peak) <= _AROUND, slopes, 0)
    near = np.maximum(near - _FOOT * near.max(axis=1, keepdims=True), 0)  # so that none is cut off
    contrast = near.sum(axis=1)
    offsets = near @ ((steps[1:] + steps[:-1]) / 2) / np.maximum(contrast, 1e-6)
    is_within = (peak[:, 0] > 1) & (peak[:, 0] < slopes.shape[1] - 2)
    return offsets, is_within & (contrast > _MIN_CONTRAST)


def _robust_fit(terms: Floats, values: Floats, shown: Mask) -> tuple[Floats, float]:
    """Coefficients of the terms (n, k), and the spread of what they leave (about its median)."""
    weights = shown.astype(np.float64)
    for _ in range(5):
        root = np.sqrt(weights)
        coefficients = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)[0]
        left = values - terms @ coefficients
        spread = 1.4826 * float(np.median(np.abs(left[shown]))) + 0.02
        weights = shown / (1 + (left / (_OUTLIER * spread)) ** 2) ** 2
    return coefficients, spread


def _distinct(lines: Iterator[Line]) -> list[Line]:
    """Each edge once: by its longest chord."""
    kept: list[Line] = []
    for line in lines:
        if not any(_are_same(line, other) for other in kept):
            kept.append(line)
    return kept


def _are_same(line: Line, longer: Line) -> bool:
    across = np.array([-longer.along[1], longer.along[0]])
    between = line.middle - longer.middle
    return bool(
        abs(line.along @ across) < _SAME_SINE
        and abs(between @ across) < _SAME_PX
        and abs(between @ longer.along) < longer.length / 2
    )


def _fit(lines: Sequence[Line]) -> tuple[float, float]:
    """The distortion that explains the bows of all lines, and its standard deviation."""
    bows, spreads, levers = (
        np.array([getattr(line, name) for line in lines])
        for name in ("bow_px", "spread_px", "lever_px")
    )
    levers = np.where(np.abs(levers) < _LEAST_LEVER_PX, _LEAST_LEVER_PX, levers)
    weights = spreads**-2
    for _ in range(20):
        size = float((weights * levers * bows).sum() / (weights * levers**2).sum())
        left = (bows - size * levers) / spreads
        weights = spreads**-2 / (1 + (left / _OUTLIER) ** 2) ** 2
    excess = max(1.0, 1.4826 * float(np.median(np.abs(left))))
    information = float((weights * levers**2).sum())
    return size, excess / np.sqrt(information)
