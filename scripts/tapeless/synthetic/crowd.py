"""Several synthetic people in one video, who walk past, turn and hide each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tapeless.anny_model import load_model
from tapeless.population import Adult, rest_shapes
from tapeless.synthetic.camera import Camera
from tapeless.synthetic.clothes import dress
from tapeless.synthetic.film import Floats, Shot, clothe, compose, cut_outs_of, encode, turn
from tapeless.synthetic.room import Picture, paint_room

Place = tuple[float, float]


@dataclass(frozen=True)
class Walker:
    """Somebody who goes from place to place while they turn as far as the shot says.

    Attributes:
        adult: who it is.
        places: metres to the right of the middle and towards the camera, at even times from the
            start to the end of the shot; in between, the way is straight.
        clothes_seed: people of one seed are dressed alike.
        presence: the shares of the shot at which they appear and disappear.
    """

    adult: Adult
    places: Sequence[Place]
    clothes_seed: int
    presence: tuple[float, float] = (0.0, 1.0)

    def path(self, poses: int) -> Floats:
        """Where they are at each pose, (poses, 3) m."""
        times = np.linspace(0, 1, poses, endpoint=False)
        known = np.linspace(0, 1, len(self.places))
        x, z = (np.interp(times, known, side) for side in zip(*self.places, strict=True))
        return np.stack([x, np.zeros(poses), z], axis=1).astype(np.float32)

    def presences(self, poses: int) -> npt.NDArray[np.bool_]:
        """At which poses they are there, (poses,)."""
        times = np.linspace(0, 1, poses, endpoint=False)
        return (self.presence[0] <= times) & (times < self.presence[1])


def film_crowd(
    walkers: Sequence[Walker],
    video: Path,
    *,
    seed: int,
    shot: Shot | None = None,
    masks: Path | None = None,
) -> Camera:
    """Films several people at once; returns the camera.

    Stances, room and camera follow from `seed`. The nearer hides the farther; nobody casts a
    shadow. With `masks`, that folder gets `person_1/frame_000001.png` and so on, in the order of
    `walkers`: 8-bit grey, what is seen of each person.

    Raises:
        ffmpeg.Error: if the video cannot be encoded.
    """
    shot = shot or Shot()
    generator = np.random.default_rng(seed)
    statures, _ = rest_shapes([walker.adult for walker in walkers])
    camera = Camera.framing(
        float(statures[..., 1].max()), shot.width_px, shot.height_px, generator, shot.fill
    )
    room = paint_room(camera, generator, is_cluttered=shot.clutter)
    # one after the other: the end of one renderer is the end of any other (PyOpenGL's EGL)
    alone = [_cut_outs(walker, shot, camera, seed) for walker in walkers]
    depths = np.stack([walker.path(shot.poses)[:, 2] for walker in walkers], axis=1)
    together = _laid_over(zip(*alone, strict=True), depths, shot.held, masks)
    encode(compose(room, together, generator, None), video, shot)
    return camera


def _cut_outs(walker: Walker, shot: Shot, camera: Camera, seed: int) -> list[npt.NDArray[np.uint8]]:
    """Each pose of one person alone, (H, W, 4) RGBA; nothing where they are not there."""
    generator = np.random.default_rng([seed, walker.clothes_seed])
    vertices, _ = rest_shapes([walker.adult])
    outfit = dress(load_model(), vertices[0], generator)
    bodies = clothe(turn(walker.adult, shot, generator), outfit, shot)
    placed = (body + place for body, place in zip(bodies, walker.path(shot.poses), strict=True))
    light = np.random.default_rng(seed)  # the same for everybody
    pictures = cut_outs_of(placed, outfit.colours, camera, light)
    return [
        np.round(255 * picture * is_there).astype(np.uint8)
        for picture, is_there in zip(pictures, walker.presences(shot.poses), strict=True)
    ]


def _laid_over(
    pictures: Iterable[tuple[npt.NDArray[np.uint8], ...]],
    depths: npt.NDArray[np.float32],
    held: int,
    masks: Path | None,
) -> Iterator[Picture]:
    """Everybody in one RGBA picture for each frame, the nearest person in front."""
    for number, (people, depth) in enumerate(zip(pictures, depths, strict=True)):
        together = np.zeros(people[0].shape, np.float32)
        for person in np.argsort(-depth):  # the nearest first
            seen = people[person] / np.float32(255) * (1 - together[..., 3:])
            together = together + seen
            for frame in range(held * number, held * (number + 1)):
                _write_mask(masks, int(person), frame, seen[..., 3])
        for _ in range(held):
            yield together


def _write_mask(
    masks: Path | None, person: int, frame: int, coverage: npt.NDArray[np.float32]
) -> None:
    if masks is None:
        return
    folder = masks / f"person_{person + 1}"
    folder.mkdir(parents=True, exist_ok=True)
    mask = np.round(255 * coverage).astype(np.uint8)
    cv2.imwrite(str(folder / f"frame_{frame + 1:06d}.png"), mask)
