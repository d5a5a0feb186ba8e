"""What every rendered scene needs: shading normals, and lights that shine from a place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def vertex_normals(
    vertices: npt.NDArray[np.floating], faces: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Unit normals (V, 3) of vertices (V, 3): of the faces (F, 3) around each, by their areas."""
    corners = vertices[faces]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = [np.bincount(faces.ravel(), np.repeat(axis, 3), len(vertices)) for axis in crosses.T]
    normals = np.stack(sums, axis=1)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(lengths, 1e-12)).astype(np.float32)


def shining_from(source: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(4, 4) pose of a light that shines from `source` towards the origin, along its own -z."""
    back = np.asarray(source, np.float64)
    back = back / np.linalg.norm(back)
    right = np.cross([0, 1, 0], back)
    right = right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    return pose
