"""Whether clothes hide the body: a shape as nobody has, or an outline that no body has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.bodies import Body
from tapeless.checks.findings import Reading
from tapeless.checks.footage import Mask, Picture
from tapeless.shape.anny_space import ShapeSpace

Floats = NDArray[np.float64]

BLUR_M = 0.001
"""What people differ by in ways that the population behind the space does not know: about a
millimetre everywhere on the surface, over the adults for tuning. Without it, the finest of the
unknowns, which move the surface by less, would decide."""

_IS_PERSON = 128  # grey value of a soft silhouette at which the person begins
_POINTS_APART_PX = 3  # those that a body is drawn with, at most
_GAP_PX = 5  # which is closed


def shape_oddness(bodies: Sequence[Body], space: ShapeSpace | None) -> Reading:
    """How unlike an adult of their own stature and volume the person is shaped.

    As many standard deviations as a number drawn from a normal distribution would be above the mean
    to be as rare, in a population that is a little more varied (`BLUR_M`) than that of the space.
    The median of the bodies.

    What stature and volume explain is taken away, as tall or heavy people are not odd. What is left
    of the squared Mahalanobis distance from the mean shape has chi-squared's distribution, with as
    many degrees of freedom as unknowns are left, which Wilson and Hilferty's cube root (1931) makes
    nearly normal.
    """
    known = [body for body in bodies if body.topology == "anny"]
    if space is None or not known:
        return Reading(
            None,
            why_not="Only of the bodies of shape.backend anny is it known how common a shape is.",
        )
    mean, precision = (part.astype(np.float64) for part in space.prior(None))
    basis = space.basis.astype(np.float64)
    moves_m = np.sqrt((basis**2).sum(axis=2).mean(axis=1))  # a vertex, by one of each coefficient
    spread = np.linalg.inv(precision) + np.diag((BLUR_M / moves_m) ** 2)
    found = _coefficients(known, space.mean.astype(np.float64), basis)
    oddnesses = [
        _oddness(coefficients - mean, _size_slopes(body, basis), spread)
        for body, coefficients in zip(known, found, strict=True)
    ]
    return Reading(float(np.median(oddnesses)))


def _oddness(away: Floats, slopes: Floats, spread: Floats) -> float:
    sizes = slopes @ away
    explained = sizes @ np.linalg.solve(slopes @ spread @ slopes.T, sizes)
    freedom = len(away) - len(slopes)
    left = max(float(away @ np.linalg.solve(spread, away) - explained), 0.0) / freedom
    variance = 2 / (9 * freedom)
    return float((left ** (1 / 3) - (1 - variance)) / variance**0.5)


def _coefficients(bodies: Sequence[Body], mean: Floats, basis: Floats) -> list[Floats]:
    """The coefficients (K,) of bodies, which stand on the floor wherever the space does."""
    raised = np.zeros_like(mean)
    raised[:, 1] = 1
    terms = np.concatenate([basis, raised[None]]).reshape(len(basis) + 1, -1)
    products = terms @ terms.T
    return [
        np.asarray(np.linalg.solve(products, terms @ (body.vertices - mean).ravel())[:-1])
        for body in bodies
    ]


def _size_slopes(body: Body, basis: Floats) -> Floats:
    """How stature and volume change with each coefficient, (2, K)."""
    vertices = body.vertices.astype(np.float64)
    top, floor = vertices[:, 1].argmax(), vertices[:, 1].argmin()
    corners = vertices[body.faces]
    by_corner = [np.cross(corners[:, n - 2], corners[:, n - 1]) / 6 for n in range(3)]
    moved = body.faces.T.ravel()
    by_vertex = [  # of the volume, by the place of each vertex
        np.bincount(moved, axis, len(vertices)) for axis in np.concatenate(by_corner).T
    ]
    stature = basis[:, top, 1] - basis[:, floor, 1]
    return np.stack([stature, np.tensordot(basis, np.stack(by_vertex, axis=1), 2)])


def uncovered_share(bodies: Sequence[Body], silhouettes: Mapping[str, Picture]) -> Reading:
    """How much of the silhouette lies outside the body that was fitted to it, in per cent of it.

    The median of the frames. Skirts, coats, bags and long hair are such parts.
    """
    shares = [
        100 * float((mask & ~_drawn(body, number, mask.shape)).sum() / mask.sum())
        for body in bodies
        for number in range(len(body.posed_vertices))
        if (mask := _mask_of(silhouettes, str(body.frames[number]))).any()
    ]
    if not shares:
        return Reading(
            None, why_not="The bodies were not placed in the pictures, or nobody was cut out."
        )
    return Reading(float(np.median(shares)))


def _mask_of(silhouettes: Mapping[str, Picture], frame: str) -> Mask:
    return silhouettes.get(frame, np.zeros((1, 1), np.uint8)) >= _IS_PERSON


def _drawn(body: Body, number: int, shape: tuple[int, ...]) -> Mask:
    """The pixels that a body covers: points all over its faces, and what is between them.

    Far quicker than filling every face, and as good to a pixel.
    """
    vertices = body.posed_vertices[number]
    places = body.camera_focal_px[number] * vertices[:, :2] / vertices[:, 2:]
    places = places + body.camera_center_px[number]
    corners = places.T.take(body.faces.T, axis=1)  # (2, 3, F)
    sizes = (corners.max(axis=1) - corners.min(axis=1)).max(axis=0)
    parts = np.ceil(sizes / _POINTS_APART_PX).astype(int)
    dots = np.zeros(shape, np.uint8)
    for count in np.unique(parts):
        points = _lattice(count) @ corners[:, :, parts == count]
        columns, rows = np.floor(points).astype(int).reshape(2, -1)
        inside = (columns >= 0) & (columns < shape[1]) & (rows >= 0) & (rows < shape[0])
        dots[rows[inside], columns[inside]] = 1
    gap = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_GAP_PX, _GAP_PX))
    return np.asarray(cv2.morphologyEx(dots, cv2.MORPH_CLOSE, gap), bool)


def _lattice(parts: int) -> Floats:
    """Weights (N, 3) of a triangle's corners at points that cut each side into so many parts."""
    steps = [(i, j, parts - i - j) for i in range(parts + 1) for j in range(parts + 1 - i)]
    return np.array(steps, float) / parts
