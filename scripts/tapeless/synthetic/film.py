"""Rendering a synthetic person, or an empty room, to an H.264 video."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import cv2
import ffmpeg
import numpy as np
import numpy.typing as npt
import torch

from tapeless.anny_model import load_model
from tapeless.population import Adult, parameters_of, rest_shapes
from tapeless.scenes import vertex_normals
from tapeless.synthetic.camera import FILL, Camera
from tapeless.synthetic.clothes import Outfit, dress
from tapeless.synthetic.motion import stand_and_sway
from tapeless.synthetic.room import Picture, paint_room, shade_floor

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # off screen; read when pyrender is imported
import pyrender

Floats = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]

_NOISE_SD = 2.5
_NOISE_SHIFT_PX = 64
_UNEVEN_TURN = 0.02


@dataclass(frozen=True)
class Shot:
    """How long and how large a video is, how far the person turns in it, and what is difficult.

    A turn of 0 shows the front only; 360 is once around. Rendering a pose takes a fifth of a
    second, so a long video at a high rate may hold each pose for some frames. `fill` is the least
    and the greatest share of the picture's height that the person takes. Hair and cloth stand off
    the skin by `hair_m` and `looseness_m`; `clutter` fills the room with patterns and things.
    """

    width_px: int = 720
    height_px: int = 1280
    seconds: float = 3.0
    frames_per_second: int = 12
    turn_degrees: float = 360.0
    held: int = 1
    fill: tuple[float, float] = FILL
    hair_m: float = 0.0
    looseness_m: float = 0.0
    clutter: bool = False

    @property
    def poses(self) -> int:
        """Number of poses, each shown in `held` frames."""
        return round(self.seconds * self.frames_per_second / self.held)


def film_person(
    adult: Adult, video: Path, *, seed: int, shot: Shot | None = None, masks: Path | None = None
) -> Camera:
    """Films an adult who turns in front of a camera; returns the camera.

    Clothes, stance, room and camera follow from `seed`. With `masks`, that folder gets a
    `frame_000001.png` for each frame of the video: 8-bit grey, the person's exact coverage.

    Raises:
        ffmpeg.Error: if the video cannot be encoded.
    """
    shot = shot or Shot()
    generator = np.random.default_rng(seed)
    vertices, _ = rest_shapes([adult])
    stature = float(vertices[0, :, 1].max())
    camera = Camera.framing(stature, shot.width_px, shot.height_px, generator, shot.fill)
    room = shade_floor(paint_room(camera, generator, is_cluttered=shot.clutter), camera)
    outfit = dress(load_model(), vertices[0], generator)
    bodies = clothe(turn(adult, shot, generator), outfit, shot)
    pictures = cut_outs_of(bodies, outfit.colours, camera, generator)
    encode(compose(room, _held(pictures, shot.held), generator, masks), video, shot)
    return camera


def film_empty_room(video: Path, *, seed: int, shot: Shot | None = None) -> None:
    """Films a room with nobody in it.

    Raises:
        ffmpeg.Error: if the video cannot be encoded.
    """
    shot = shot or Shot()
    generator = np.random.default_rng(seed)
    camera = Camera.framing(1.7, shot.width_px, shot.height_px, generator)
    nobody = np.zeros((shot.height_px, shot.width_px, 4), np.float32)
    room = paint_room(camera, generator, is_cluttered=shot.clutter)
    empty = repeat(nobody, shot.poses * shot.held)
    encode(compose(room, empty, generator, None), video, shot)


def turn(adult: Adult, shot: Shot, generator: np.random.Generator) -> Iterator[Floats]:
    """The posed vertices (V, 3) of each frame in the world, on the floor."""
    model = load_model()
    phenotypes, local_changes = parameters_of([adult])
    poses = stand_and_sway(model, shot.poses, generator)
    time = np.linspace(0, 1, shot.poses, endpoint=False)
    wobble = _UNEVEN_TURN * np.sin(2 * np.pi * (time + generator.random()))
    yaws = np.radians(shot.turn_degrees * (time + wobble - wobble[0]))
    yaws += np.radians(generator.uniform(-8, 8))
    for pose, yaw in zip(poses, yaws, strict=True):
        with torch.inference_mode():
            posed = model(pose[None], phenotypes, local_changes)["vertices"][0].numpy()
        x, y, z = posed[:, 0], posed[:, 2] - posed[:, 2].min(), -posed[:, 1]
        c, s = np.cos(yaw), np.sin(yaw)
        yield np.stack([c * x + s * z, y, c * z - s * x], axis=1).astype(np.float32)


def clothe(bodies: Iterable[Floats], outfit: Outfit, shot: Shot) -> Iterator[Floats]:
    """The surfaces (V, 3) of hair, cloth and bare skin."""
    if shot.hair_m == 0 and shot.looseness_m == 0:
        yield from bodies
        return
    faces = load_model().faces.numpy()
    distances = outfit.stand_off(faces, shot.hair_m, shot.looseness_m).astype(np.float32)
    for vertices in bodies:
        yield vertices + distances[:, None] * vertex_normals(vertices, faces)


def cut_outs_of(
    bodies: Iterable[Floats],
    colours: npt.NDArray[np.uint8],
    camera: Camera,
    generator: np.random.Generator,
) -> Iterator[Picture]:
    """Renders each body alone: (H, W, 4) RGBA, 0 to 1, colours multiplied by coverage."""
    faces = load_model().faces.numpy()
    scene = _lit_scene(camera, generator)
    renderer = pyrender.OffscreenRenderer(camera.width_px, camera.height_px)
    try:
        for vertices in bodies:
            node = scene.add(_mesh(vertices, faces, colours))
            rendered, _ = renderer.render(scene, flags=pyrender.RenderFlags.RGBA)
            scene.remove_node(node)
            yield rendered.astype(np.float32) / 255
    finally:
        renderer.delete()


def _held(pictures: Iterable[Picture], times: int) -> Iterator[Picture]:
    for picture in pictures:
        yield from repeat(picture, times)


def _lit_scene(camera: Camera, generator: np.random.Generator) -> pyrender.Scene:
    scene = pyrender.Scene(bg_color=[0, 0, 0, 0], ambient_light=[generator.uniform(0.3, 0.5)] * 3)
    lens = pyrender.PerspectiveCamera(np.radians(camera.vertical_fov_degrees), znear=0.1)
    scene.add(lens, pose=camera.pose)
    scene.add(
        pyrender.DirectionalLight(intensity=generator.uniform(2.0, 3.5)),
        pose=_shining_from(generator.uniform([-1.5, 0.5, 0.5], [1.5, 2.0, 1.5])),
    )
    return scene


def _shining_from(source: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(4, 4) pose of a light that shines from `source` towards the origin, along its own -z."""
    back = np.asarray(source, np.float64)
    back = back / np.linalg.norm(back)
    right = np.cross([0, 1, 0], back)
    right = right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    return pose


def _mesh(vertices: Floats, faces: npt.NDArray[np.int64], colours: Frame) -> pyrender.Mesh:
    material = pyrender.MetallicRoughnessMaterial(metallicFactor=0.0, roughnessFactor=0.9)
    primitive = pyrender.Primitive(
        positions=vertices,
        normals=vertex_normals(vertices, faces),
        color_0=np.column_stack([colours / 255, np.ones(len(colours))]).astype(np.float32),
        indices=faces,
        material=material,
    )
    return pyrender.Mesh([primitive])


def compose(
    room: Picture,
    cut_outs: Iterable[Picture],
    generator: np.random.Generator,
    masks: Path | None,
) -> Iterator[Frame]:
    """The frames (H, W, 3): the person in front of the room, with a camera's noise."""
    height, width = room.shape[:2]
    margin = _NOISE_SHIFT_PX
    noise = generator.normal(0, _NOISE_SD, (height + margin, width + margin, 3)).astype(np.float32)
    if masks is not None:
        masks.mkdir(parents=True, exist_ok=True)
    for number, cut_out in enumerate(cut_outs, start=1):
        coverage = cut_out[..., 3:]
        top, left = generator.integers(0, margin, 2)
        frame = 255 * (cut_out[..., :3] + room * (1 - coverage))
        frame += noise[top : top + height, left : left + width]
        if masks is not None:
            mask = np.round(255 * coverage[..., 0]).astype(np.uint8)
            cv2.imwrite(str(masks / f"frame_{number:06d}.png"), mask)
        yield np.clip(frame, 0, 255).astype(np.uint8)


def encode(frames: Iterable[Frame], video: Path, shot: Shot) -> None:
    """Writes an mp4 whose bytes depend on the frames only; it appears when it is complete."""
    video.parent.mkdir(parents=True, exist_ok=True)
    unfinished = video.with_name(f".{video.name}.unfinished")
    size = f"{shot.width_px}x{shot.height_px}"
    encoder = (
        ffmpeg.input("pipe:", f="rawvideo", pix_fmt="rgb24", s=size, r=shot.frames_per_second)
        .output(
            str(unfinished),
            f="mp4",
            vcodec="libx264",
            pix_fmt="yuv420p",
            crf=20,
            preset="veryfast",
            threads=1,
            movflags="+faststart",
            fflags="+bitexact",
        )
        .global_args("-loglevel", "error", "-y")
        .run_async(pipe_stdin=True, pipe_stderr=True)
    )
    for frame in frames:
        encoder.stdin.write(frame.tobytes())
    _, errors = encoder.communicate()
    if encoder.returncode != 0:
        raise ffmpeg.Error("ffmpeg", b"", errors)
    unfinished.replace(video)
