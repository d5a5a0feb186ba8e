"""The pictures of a video that are kept: every sampled frame, with nobody to recognise in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from PIL import Image

from tapeless.images import read_rgb
from tapeless.keypoints import Person, frame_names, read_poses
from tapeless.logs import progress
from tapeless.outcomes import Outcome
from tapeless.pictures.faces import FaceFinder, Sighting, find_heads, lasting
from tapeless.pictures.heads import Head, head_of, hide
from tapeless.pictures.surroundings import coarsen_surroundings, sharp_parts

log = logging.getLogger(__name__)

_JPEG_QUALITY = 90
_NEAR_FRAMES = 2
"""How many frames before and after one tell of people whom the pose detector lost in it."""


def keep_pictures(
    frames: Path, pose: Path, pictures: Path, *, blur_faces: bool, threads: int = 2
) -> Mapping[str, int]:
    """Writes `pictures/<frame>.jpg` for every frame, and returns how many.

    Unless `blur_faces` is false, only the people whom the pose detector found stay sharp, with all
    faces near them hidden beyond recognition; what surrounds them keeps no more than its colours.
    The pose files are not needed when the pose stage rejected the video, as nobody was found then.
    """
    names = frame_names(frames)
    people: Mapping[str, list[Person]] = {}
    if Outcome.read(pose).is_ok:
        people = read_poses(pose, names)
    seen = _search(frames, names, people, threads) if blur_faces else {}
    bystanders = lasting({name: heads.of_bystanders for name, heads in seen.items()})
    for number, name in enumerate(names):
        picture = read_rgb(frames / f"{name}.png")
        if blur_faces:
            others = [face for other in names if other != name for face in bystanders[other]]
            near = names[max(0, number - _NEAR_FRAMES) : number + _NEAR_FRAMES + 1]
            others += [head for other in near if other != name for head in seen[other].posed]
            heads = find_heads(picture, people.get(name, []), seen[name].found, others)
            picture = hide(coarsen_surroundings(picture, people.get(name, [])), heads)
        Image.fromarray(picture).save(pictures / f"{name}.jpg", quality=_JPEG_QUALITY)
    log.info("kept %d pictures", len(names))
    return {"pictures": len(names)}


class _Seen(NamedTuple):
    """The heads in one frame: those found by looking, those of them that are of bystanders whom the
    pose detector did not find, and those of whom it found.

    Somebody whom it loses in the next frame still has a head there.
    """

    found: list[Head]
    of_bystanders: list[Sighting]
    posed: list[Sighting]


def _search(
    frames: Path, names: Sequence[str], people: Mapping[str, list[Person]], threads: int
) -> dict[str, _Seen]:
    """The heads in each frame, and how they look."""
    idle: SimpleQueue[FaceFinder] = SimpleQueue()

    def search(number: int) -> _Seen:
        name = names[number]
        picture = read_rgb(frames / f"{name}.png")
        here = people.get(name, [])
        finder = idle.get()
        try:
            parts = sharp_parts(here, *picture.shape[:2])
            heads = finder.find(picture, parts, here, number)
        finally:
            idle.put(finder)
        posed = [head for head in map(head_of, here) if head is not None]
        others = [head for head in heads if not any(own.holds(head.x, head.y) for own in posed)]
        return _Seen(heads, *([Sighting.of(picture, h) for h in each] for each in (others, posed)))

    with ExitStack() as stack:
        for _ in range(threads):
            idle.put(stack.enter_context(FaceFinder()))
        pool = stack.enter_context(ThreadPoolExecutor(threads))
        found = pool.map(search, range(len(names)))
        searched = progress(found, "frames searched for faces", len(names), log)
        return dict(zip(names, searched, strict=True))
