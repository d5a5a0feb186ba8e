"""What every rendered scene needs: shading normals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def vertex_normals(
    vertices: npt.NDArray[np.floating], faces: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Unit normals (V, 3) of vertices (V, 3): of the faces (F, 3) around each, by their areas."""
    corners = vertices.T.take(faces.T, axis=1)
    (ax, ay, az), (bx, by, bz) = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    crosses = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    sums = [np.bincount(faces.ravel(), np.repeat(axis, 3), len(vertices)) for axis in crosses]
    normals = np.stack(sums, axis=1)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(lengths, 1e-12)).astype(np.float32)
