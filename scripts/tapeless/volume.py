"""A surface's area and the volume within it; small holes, as eye sockets are, are closed first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tapeless.bodies import InvalidBodyError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PART = 4096

LARGEST_HOLE = 4e-4
"""Area of the largest hole that is closed, relative to the square of the body's height: 12 cm2 of
somebody of 1.7 m. An eye socket or a mouth is smaller; the cut of a hand that is missing is larger
(a thin wrist of 14 cm around has 16 cm2), as are those of a foot and a torso."""


def signed_volume(triangles: Floats) -> float:
    """Sum of the tetrahedra between triangles (F, 3, 3) and the origin, in the cube of their unit.

    That is the volume within a closed surface, wherever it lies: above 0 with normals outwards. Of
    an open one it depends on where the origin is.
    """
    parts = ((a * _cross(b, c)).sum() for a, b, c in _by_corner(triangles))
    return float(sum(parts)) / 6


def surface_area(triangles: Floats) -> float:
    """Sum of the areas of triangles (F, 3, 3), in the square of their unit."""
    normals = (_cross(b - a, c - a) for a, b, c in _by_corner(triangles))
    return float(sum(np.sqrt((normal**2).sum(axis=0)).sum() for normal in normals)) / 2


def _by_corner(triangles: Floats) -> Iterator[Floats]:
    """Triangles (F, 3, 3) in parts of (corner, coordinate, triangle), as fit a CPU's cache."""
    for start in range(0, len(triangles), _PART):
        yield np.ascontiguousarray(triangles[start : start + _PART].transpose(1, 2, 0))


def _cross(one: Floats, other: Floats) -> Floats:
    """Cross products of vectors (3, N); numpy's own takes several times as long."""
    (a, b, c), (x, y, z) = one, other
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x])


def enclosed_volume(vertices: Floats, faces: Ints) -> float:
    """Volume in m3 within a body's surface, its small holes closed.

    Each hole is closed by a fan of triangles around the middle of its rim.

    Args:
        vertices: (V, 3) metres, y up.
        faces: (F, 3), normals outwards.

    Raises:
        InvalidBodyError: if a hole is larger than `LARGEST_HOLE`, or normals point inwards.
    """
    caps = cap_holes(vertices, faces)
    areas = [surface_area(cap) for cap in caps]
    allowed = LARGEST_HOLE * float(np.ptp(vertices[:, 1])) ** 2
    if max(areas, default=0.0) > allowed:
        raise InvalidBodyError(
            "faces leave holes in the surface, allowed is a closed one"
            f" (the largest hole has {max(areas) * 1e4:.0f} cm2; up to {allowed * 1e4:.0f} cm2"
            " would be closed, as an eye socket is)"
        )
    volume = sum(map(signed_volume, caps), start=signed_volume(np.take(vertices, faces, axis=0)))
    if volume <= 0:
        raise InvalidBodyError("faces are turned inside out, allowed are normals outwards")
    return volume


def cap_holes(vertices: Floats, faces: Ints) -> list[Floats]:
    """Triangles (N, 3, 3) that close each hole of a surface; none if it is closed."""
    caps = []
    for rim in _find_rims(np.ascontiguousarray(faces, dtype=np.int64).tobytes()):
        start, end = vertices[rim].swapaxes(0, 1)
        middle = vertices[np.unique(rim)].mean(axis=0)
        caps.append(np.stack([end, start, np.broadcast_to(middle, start.shape)], axis=1))
    return caps


@lru_cache(maxsize=4)
def _find_rims(faces: bytes) -> tuple[Ints, ...]:
    """For each hole, the directed edges (N, 2) that no neighbour runs along in the other direction.

    Takes triangles as rows of three int64; remembered, for bodies share them.
    """
    corners = np.frombuffer(faces, np.int64).reshape(-1, 3)
    edges = corners[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    undirected, edge = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    surplus = np.bincount(edge.ravel(), np.where(edges[:, 0] < edges[:, 1], 1, -1)).astype(int)
    surplus[undirected[:, 0] == undirected[:, 1]] = 0
    rims = np.where(surplus[:, None] > 0, undirected, undirected[:, ::-1])
    rims = np.repeat(rims, np.abs(surplus), axis=0)
    if len(rims) == 0:
        return ()
    names, ends = np.unique(rims, return_inverse=True)
    start, end = ends.reshape(-1, 2).T
    links = coo_array((np.ones(len(start)), (start, end)), shape=(len(names),) * 2)
    count, hole = connected_components(links, directed=False)
    return tuple(rims[hole[start] == number] for number in range(count))
