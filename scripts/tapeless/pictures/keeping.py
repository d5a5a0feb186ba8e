"""The pictures of a video that are kept: every sampled frame, with faces hidden."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image

from tapeless.images import read_rgb
from tapeless.keypoints import Person, frame_names, read_poses
from tapeless.logs import progress
from tapeless.outcomes import Outcome
from tapeless.pictures.faces import FaceFinder, Sighting, find_heads
from tapeless.pictures.heads import Head, hide

log = logging.getLogger(__name__)

_JPEG_QUALITY = 90


def keep_pictures(
    frames: Path, pose: Path, pictures: Path, *, blur_faces: bool
) -> Mapping[str, int]:
    """Writes `pictures/<frame>.jpg` for every frame, and returns how many frames and faces.

    Faces are hidden beyond recognition unless `blur_faces` is false. The pose files are not needed
    when the pose stage rejected the video: nobody was found then, but there may still be faces.
    """
    names = frame_names(frames)
    heads = _heads_to_hide(frames, pose, names) if blur_faces else ((name, []) for name in names)
    faces = 0
    for name, to_hide in heads:
        picture = hide(read_rgb(frames / f"{name}.png"), to_hide)
        Image.fromarray(picture).save(pictures / f"{name}.jpg", quality=_JPEG_QUALITY)
        faces += len(to_hide)
    log.info("kept %d pictures, with %d faces hidden", len(names), faces)
    return {"frames": len(names), "faces_hidden": faces}


def _heads_to_hide(
    frames: Path, pose: Path, names: Sequence[str]
) -> Iterator[tuple[str, list[Head]]]:
    people: Mapping[str, list[Person]] = {}
    if Outcome.read(pose).is_ok:
        people = read_poses(pose, names)
    found: dict[str, list[Head]] = {}
    seen: dict[str, list[Sighting]] = {}
    with FaceFinder() as finder:
        for name in progress(names, "frames searched for faces", len(names), log):
            picture = read_rgb(frames / f"{name}.png")
            found[name] = finder.find(picture)
            seen[name] = [Sighting.of(picture, head) for head in found[name]]
    for name in names:
        picture = read_rgb(frames / f"{name}.png")
        elsewhere = [face for other in names if other != name for face in seen[other]]
        yield name, find_heads(picture, people.get(name, []), found[name], elsewhere)
