"""Bodies rendered off screen, as layers to lay over a picture."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from tapeless.scenes import shining_from, vertex_normals

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # off screen; read when pyrender is imported
import pyrender

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int32]
Layer = npt.NDArray[np.uint8]
"""(H, W, 4) RGBA, colours multiplied by coverage."""

BODY_COLOUR = (0.36, 0.54, 0.76, 1.0)
_NEAREST_M, _FARTHEST_M = 0.05, 100.0
_LIGHTS = (((-0.7, 0.8, 1.0), 2.3), ((1.0, 0.2, 0.6), 0.8))
"""Where light comes from (right, up, towards the viewer), and how strong it is."""


class BodyRenderer:
    """Renders bodies at one size in px; a context manager, as it holds a place on the GPU."""

    def __init__(self, width: int, height: int) -> None:
        self._renderer = pyrender.OffscreenRenderer(width, height)

    def __enter__(self) -> BodyRenderer:
        return self

    def __exit__(self, *_error: object) -> None:
        self._renderer.delete()

    def seen_by_camera(
        self,
        vertices: Floats,
        faces: Ints,
        focal_px: tuple[float, float],
        center_px: tuple[float, float],
    ) -> Layer:
        """A body in camera coordinates (x right, y down, z forward, metres), through a pinhole."""
        lens = pyrender.IntrinsicsCamera(*focal_px, *center_px, znear=_NEAREST_M, zfar=_FARTHEST_M)
        return self._render(vertices * [1, -1, -1], faces, lens)

    def seen_from_afar(self, vertices: Floats, faces: Ints, pixels_per_metre: float) -> Layer:
        """A body (x right, y up, z to the viewer, metres), without perspective, origin centred."""
        half = 0.5 / pixels_per_metre
        lens = pyrender.OrthographicCamera(
            xmag=self._renderer.viewport_width * half,
            ymag=self._renderer.viewport_height * half,
            znear=_NEAREST_M,
            zfar=_FARTHEST_M,
        )
        return self._render(vertices - [0, 0, _FARTHEST_M / 2], faces, lens)

    def _render(self, vertices: Floats, faces: Ints, lens: pyrender.Camera) -> Layer:
        scene = pyrender.Scene(bg_color=[0, 0, 0, 0], ambient_light=[0.3] * 3)
        scene.add(_mesh(vertices, faces))
        scene.add(lens)
        for source, intensity in _LIGHTS:
            scene.add(pyrender.DirectionalLight(intensity=intensity), pose=shining_from(source))
        picture, _ = self._renderer.render(scene, flags=pyrender.RenderFlags.RGBA)
        return np.array(picture, dtype=np.uint8)


def _mesh(vertices: Floats, faces: Ints) -> pyrender.Mesh:
    material = pyrender.MetallicRoughnessMaterial(
        baseColorFactor=BODY_COLOUR, metallicFactor=0.0, roughnessFactor=0.8
    )
    return pyrender.Mesh(
        [
            pyrender.Primitive(
                positions=vertices.astype(np.float32),
                normals=vertex_normals(vertices, faces),
                indices=faces,
                material=material,
            )
        ]
    )
