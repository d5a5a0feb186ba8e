"""Keeps a picture of every sampled frame, with faces hidden.

Reads `frames/` and `pose/`; writes `pictures/` (`frame_000001.jpg` ... at the size of the frames).
Faces are blurred beyond recognition unless `blur_faces` is false: those of everybody whom the pose
detector found, wherever their heads must be, and those that a face detector finds besides. A video
rejected for want of people still gets its pictures, for the contact sheet to show why.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tapeless.keypoints import Person, frame_names, read_poses
from tapeless.logs import job_log, progress
from tapeless.outcomes import Outcome, run_stage
from tapeless.pictures.faces import FaceFinder, Sighting, find_heads
from tapeless.pictures.heads import Head, Picture, hide

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

JPEG_QUALITY = 90

log = logging.getLogger(__name__)


def main(frames: Path, pose: Path, pictures: Path, *, blur_faces: bool) -> None:
    """Runs the stage on one video's directories."""

    def work() -> Mapping[str, int]:
        names = frame_names(frames)
        if not blur_faces:
            for name in names:
                _write(pictures / f"{name}.jpg", _read(frames / f"{name}.png"))
            return {"frames": len(names)}
        people = read_poses(pose, names) if Outcome.read(pose).is_ok else {}
        return {"frames": len(names), "faces": _hide_all(frames, names, people, pictures)}

    run_stage(pictures, [frames], work)


def _hide_all(
    frames: Path, names: list[str], people: Mapping[str, list[Person]], pictures: Path
) -> int:
    found: dict[str, list[Head]] = {}
    seen: dict[str, list[Sighting]] = {}
    with FaceFinder() as finder:
        for name in progress(names, "frames searched for faces", len(names), log):
            picture = _read(frames / f"{name}.png")
            found[name] = finder.find(picture)
            seen[name] = [Sighting.of(picture, head) for head in found[name]]
    hidden = 0
    for name in names:
        picture = _read(frames / f"{name}.png")
        elsewhere = [face for other in names if other != name for face in seen[other]]
        heads = find_heads(picture, people.get(name, []), found[name], elsewhere)
        _write(pictures / f"{name}.jpg", hide(picture, heads))
        hidden += len(heads)
    log.info("hid %d faces in %d frames", hidden, len(names))
    return hidden


def _read(path: Path) -> Picture:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _write(path: Path, picture: Picture) -> None:
    Image.fromarray(picture).save(path, quality=JPEG_QUALITY)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.frames),
            Path(snakemake.input.pose),
            Path(snakemake.output.pictures),
            blur_faces=snakemake.params.blur_faces,
        )
