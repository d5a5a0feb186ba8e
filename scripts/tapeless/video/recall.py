"""Frames that were forgotten, brought back when a stage needs them again.

Sampled frames are unblurred pictures of people, so they are deleted once a video is done. What they
were sampled from and how stays beside them: a stage that runs again later, because one of *its*
parameters changed, samples the same frames again, and no other stage has to run for it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tapeless.outcomes import Outcome
from tapeless.video.programs import HOST_TOOLS, Tools
from tapeless.video.sample import Sampling, sample_frames

log = logging.getLogger(__name__)

RECIPE_FILE = "recipe.json"


def write_recipe(frames: Path, video: Path, sampling: Sampling, tools: Tools = HOST_TOOLS) -> None:
    """Writes into a directory of frames what brings them back."""
    whose = {"containers": tools.containers, "labels": tools.labels}
    recipe = {"video": str(video), "sampling": asdict(sampling), "tools": whose}
    (frames / RECIPE_FILE).write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")


def recall_frames(frames: Path, threads: int = 1) -> None:
    """Makes sure that a directory holds the frames that were sampled into it.

    Does nothing when they are there, or when the video was rejected before. Stages that start
    together may all sample: each puts the same pictures in place, one whole file at a time.

    Raises:
        FileNotFoundError: if the video is gone.
    """
    outcome = Outcome.read(frames)
    if not outcome.is_ok or len(_list(frames)) == outcome.counts["frames_sampled"]:
        return
    log.info("sampling again the frames that were forgotten")
    recipe = json.loads((frames / RECIPE_FILE).read_text(encoding="utf-8"))
    with TemporaryDirectory(dir=frames, prefix=".recalled-") as folder:
        recalled = Path(folder)
        sampling, tools = Sampling(**recipe["sampling"]), Tools(**recipe["tools"])
        sample_frames(Path(recipe["video"]), recalled, sampling, threads, tools)
        for picture in _list(recalled):
            picture.replace(frames / picture.name)


def _list(folder: Path) -> list[Path]:
    return list(folder.glob("frame_*.png"))
