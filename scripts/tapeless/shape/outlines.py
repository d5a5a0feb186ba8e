"""The border of an observed silhouette, and the rim of a posed body that should lie on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import contourpy
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BORDER_LEVEL = 127.5
"""Grey value of a soft 8-bit silhouette at which the person ends."""

RIM_SAMPLE = 150
"""Rim edges per frame that are looked at for lying outside the silhouette."""

NORMAL_WEIGHT_PX = 30.0
"""What two opposite normals count as, in pixels of distance, when matching outline to rim."""


@dataclass(frozen=True)
class Outlines:
    """Points on the borders of F silhouettes: `points` and outward `normals` (F, M, 2) in pixels.

    `present` (F, M) is 1 for a point and 0 for padding.
    """

    points: Tensor
    normals: Tensor
    present: Tensor

    def __getitem__(self, frames: Tensor | slice) -> Outlines:
        return Outlines(self.points[frames], self.normals[frames], self.present[frames])


def trace_outline(
    silhouette: NDArray[np.uint8], spacing_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (M, 2) every `spacing_px` along the border of a silhouette, with outward normals.

    The border is followed to a fraction of a pixel where the soft mask crosses one half. Stretches
    along the edge of the picture are left out, for there the picture ends and not the person.
    The centre of the first pixel is at 0.5, 0.5.
    """
    lines = contourpy.contour_generator(z=silhouette.astype(np.float32)).lines(BORDER_LEVEL)
    pieces = [_resample(np.asarray(line), spacing_px) for line in lines if len(line) > 8]
    if not pieces:
        return np.zeros((0, 2)), np.zeros((0, 2))
    points = np.concatenate([p for p, _ in pieces])
    normals = np.concatenate([n for _, n in pieces])
    height, width = silhouette.shape
    normals *= -np.sign(_inwardness(silhouette, points, normals))[:, None]
    margin = 2.0
    inside = (
        (points > margin).all(1)
        & (points[:, 0] < width - 1 - margin)
        & (points[:, 1] < height - 1 - margin)
        & (np.abs(normals).sum(1) > 0)
    )
    return points[inside] + 0.5, normals[inside]


def gather_outlines(
    silhouettes: Sequence[NDArray[np.uint8]], spacing_px: float, device: str
) -> Outlines:
    """Traces every silhouette and pads the outlines to one length."""
    traced = [trace_outline(s, spacing_px) for s in silhouettes]
    longest = max((len(p) for p, _ in traced), default=0)
    points = np.zeros((len(traced), longest, 2), np.float32)
    normals = np.zeros_like(points)
    present = np.zeros(points.shape[:2], np.float32)
    for row, (p, n) in enumerate(traced):
        points[row, : len(p)], normals[row, : len(p)], present[row, : len(p)] = p, n, 1
    return Outlines(*(torch.as_tensor(a, device=device) for a in (points, normals, present)))


def _resample(
    line: NDArray[np.float64], spacing_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.arange(spacing_px / 2, along[-1], spacing_px)

    def place(distance: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([np.interp(distance, along, line[:, axis]) for axis in (0, 1)], 1)

    tangent = place(at + spacing_px) - place(at - spacing_px)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], 1)
    return place(at), normal / np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-9)


def _inwardness(
    silhouette: NDArray[np.uint8], points: NDArray[np.float64], normals: NDArray[np.float64]
) -> NDArray[np.float64]:
    limit = np.array(silhouette.shape[::-1]) - 1

    def value(at: NDArray[np.float64]) -> NDArray[np.float64]:
        column, row = np.clip(np.rint(at), 0, limit).astype(int).T
        return silhouette[row, column].astype(np.float64)

    return value(points + 2 * normals) - value(points - 2 * normals)


class RimFinder:
    """Finds the rim of a posed mesh: the edges between a face turned to the camera and one not."""

    def __init__(self, faces: NDArray[np.int32], device: str) -> None:
        self.faces = torch.as_tensor(faces.astype(np.int64), device=device)
        corners = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
        face = np.tile(np.arange(len(faces)), 3)
        order = np.lexsort(np.sort(corners, 1).T)
        ordered = np.sort(corners, 1)[order]
        first = np.flatnonzero((ordered[1:] == ordered[:-1]).all(1))
        pairs = np.stack([order[first], order[first + 1]], 1)

        def tensor(a: NDArray[np.int32]) -> Tensor:
            return torch.as_tensor(a.astype(np.int64), device=device)

        self.edges = tensor(corners[pairs[:, 0]])  # (E, 2) vertices
        self.edge_faces = tensor(face[pairs])  # (E, 2)
        self.edge_opposite = tensor(opposite[pairs])  # (E, 2) third vertex of either face

    def find(self, posed: Tensor, projected: Tensor) -> list[Rim]:
        """The rims of posed vertices (F, V, 3) with their projections (F, V, 2)."""
        facing = self._facing(posed)
        turned = facing[self.edge_faces].permute(2, 0, 1)  # (F, E, 2)
        on_rim = turned[..., 0] != turned[..., 1]
        rims = []
        for frame, mask in enumerate(on_rim):
            edges = self.edges[mask]
            front = torch.where(turned[frame, mask, 0], 0, 1)
            inner = self.edge_opposite[mask].gather(1, front[:, None])[:, 0]
            start, end = projected[frame, edges[:, 0]], projected[frame, edges[:, 1]]
            along = end - start
            normal = torch.stack([along[:, 1], -along[:, 0]], 1)
            outward = -torch.sign((normal * (projected[frame, inner] - start)).sum(1, keepdim=True))
            normal = outward * normal / normal.norm(dim=1, keepdim=True).clamp_min(1e-9)
            rims.append(Rim(edges, start, end, normal))
        return rims

    def _facing(self, posed: Tensor) -> Tensor:
        """Whether each face is turned to the camera, (faces, F), of posed vertices (F, V, 3).

        Its corners and the camera span a volume, whose sign says from which side it is seen.
        """
        by_vertex = posed.permute(1, 2, 0).flatten(1)  # rows are read fastest
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (
            by_vertex[self.faces[:, corner]].unflatten(1, (3, -1)).unbind(1) for corner in range(3)
        )
        volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
        return volume < 0


@dataclass(frozen=True)
class Rim:
    """Rim edges of one frame: `edges` (E, 2) vertices, projections `start`, `end`, and `normals`
    (E, 2) that point out of the picture of the body."""

    edges: Tensor
    start: Tensor
    end: Tensor
    normals: Tensor


@dataclass(frozen=True)
class Matches:
    """Places on rims and the outline points that they should lie on, M of them in each of F frames.

    `edges` (F, M, 2) vertices and `share` (F, M), 0 at the first and 1 at the second; `points` and
    `normals` (F, M, 2) of the outline; `present` (F, M), False for padding; `of_rim` (M,), True
    where a rim was matched with the outline, which says nothing inside the silhouette, and False
    where the outline was matched with a rim.
    """

    edges: Tensor
    share: Tensor
    points: Tensor
    normals: Tensor
    present: Tensor
    of_rim: Tensor


def match_outlines(rims: Sequence[Rim], outlines: Outlines) -> Matches:
    """Matches every outline point with the rim closest in place and direction, and a sample of
    each rim with the closest outline point."""
    frames = [
        _match(*frame)
        for frame in zip(rims, outlines.points, outlines.normals, outlines.present, strict=True)
    ]
    edges, share, points, normals, present = (
        torch.stack(values) for values in zip(*frames, strict=True)
    )
    of_rim = torch.arange(edges.shape[1], device=edges.device) >= outlines.points.shape[1]
    return Matches(edges, share, points, normals, present, of_rim)


def _match(rim: Rim, points: Tensor, normals: Tensor, present: Tensor) -> tuple[Tensor, ...]:
    middle = (rim.start + rim.end) / 2
    here = torch.cat([points, NORMAL_WEIGHT_PX / 2 * normals], 1)
    there = torch.cat([middle, NORMAL_WEIGHT_PX / 2 * rim.normals], 1)
    nearest = _nearest(here, there)
    start, along = rim.start[nearest], (rim.end - rim.start)[nearest]
    share = ((points - start) * along).sum(1) / (along * along).sum(1).clamp_min(1e-9)
    sample = torch.linspace(0, len(middle) - 1, RIM_SAMPLE, device=points.device).long()
    real = present > 0
    closest = _nearest(middle[sample], points.masked_fill(~real[:, None], 1e6))
    return (
        torch.cat([rim.edges[nearest], rim.edges[sample]]),
        torch.cat([share.clamp(0, 1), torch.full_like(sample, 0.5, dtype=share.dtype)]),
        torch.cat([points, points[closest]]),
        torch.cat([normals, normals[closest]]),
        torch.cat([real, torch.ones_like(sample, dtype=torch.bool)]),
    )


def _nearest(points: Tensor, others: Tensor) -> Tensor:
    """The number of the nearest of `others` (N, C) to each of `points` (M, C).

    By the products of the coordinates, taken from the middle, where rounding hurts least.
    """
    middle = points.mean(0)
    points, others = points - middle, others - middle
    return torch.addmm((others * others).sum(1) / 2, points, others.T, alpha=-1).argmin(1)
