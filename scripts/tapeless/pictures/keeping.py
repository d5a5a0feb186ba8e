"""The pictures of a video that are kept: every sampled frame, with faces hidden."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from PIL import Image

from tapeless.images import read_rgb
from tapeless.keypoints import Person, frame_names, read_poses
from tapeless.logs import progress
from tapeless.outcomes import Outcome
from tapeless.pictures.faces import FaceFinder, Sighting, find_heads, lasting
from tapeless.pictures.heads import hide

log = logging.getLogger(__name__)

_JPEG_QUALITY = 90


def keep_pictures(
    frames: Path, pose: Path, pictures: Path, *, blur_faces: bool, threads: int = 2
) -> Mapping[str, int]:
    """Writes `pictures/<frame>.jpg` for every frame, and returns how many.

    Faces are hidden beyond recognition unless `blur_faces` is false. The pose files are not needed
    when the pose stage rejected the video: nobody was found then, but there may still be faces.
    """
    names = frame_names(frames)
    people: Mapping[str, list[Person]] = {}
    if Outcome.read(pose).is_ok:
        people = read_poses(pose, names)
    found = _search(frames, names, people, threads) if blur_faces else {}
    in_others = lasting(found)
    for name in names:
        picture = read_rgb(frames / f"{name}.png")
        if blur_faces:
            here = [face.head for face in found[name]]
            others = [face for other in names if other != name for face in in_others[other]]
            picture = hide(picture, find_heads(picture, people.get(name, []), here, others))
        Image.fromarray(picture).save(pictures / f"{name}.jpg", quality=_JPEG_QUALITY)
    log.info("kept %d pictures", len(names))
    return {"pictures": len(names)}


def _search(
    frames: Path, names: Sequence[str], people: Mapping[str, list[Person]], threads: int
) -> dict[str, list[Sighting]]:
    """The heads found in each frame besides those of `people`, and how they look."""
    idle: SimpleQueue[FaceFinder] = SimpleQueue()

    def search(number: int) -> list[Sighting]:
        name = names[number]
        picture = read_rgb(frames / f"{name}.png")
        finder = idle.get()
        try:
            heads = finder.find(picture, people.get(name, []), number)
        finally:
            idle.put(finder)
        return [Sighting.of(picture, head) for head in heads]

    with ExitStack() as stack:
        for _ in range(threads):
            idle.put(stack.enter_context(FaceFinder()))
        pool = stack.enter_context(ThreadPoolExecutor(threads))
        found = pool.map(search, range(len(names)))
        searched = progress(found, "frames searched for faces", len(names), log)
        return dict(zip(names, searched, strict=True))
