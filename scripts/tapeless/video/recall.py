"""Frames that were forgotten, brought back when a stage needs them again.

Sampled frames are unblurred pictures of people, so they are deleted once a video is done. What they
were sampled from and how stays beside them: a stage that runs again later, because one of *its*
parameters changed, samples the same frames again, and no other stage has to run for it.

They are decoded on the CPU, whatever decoded them first: no such stage has a graphics card to
itself. By the standards of H.264, HEVC, VP9 and AV1, each decoder must give the same picture to the
last bit, and that a card hands it over as NV12 changes nothing (`tests/unit/test_recall.py`). Older
codecs (MPEG-2, MPEG-4 part 2) allow a decoder to differ in the last bits, and each conceals damage
in its own way: far less than detectors notice, and all frames of the stage still come from one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tapeless.constancy import expect_unchanged, identify
from tapeless.forgetting import are_forgotten, list_frames
from tapeless.jobs import Job
from tapeless.outcomes import check_stage
from tapeless.seals import seal_with
from tapeless.video.programs import CONTAINER_PROGRAM, HOST_TOOLS, Tools
from tapeless.video.sample import Sampling, sample_frames
from tapeless.writing import write_json

log = logging.getLogger(__name__)

RECIPE_FILE = "recipe.json"


def write_recipe(frames: Path, video: Path, sampling: Sampling, tools: Tools = HOST_TOOLS) -> None:
    """Writes into a directory of frames what brings them back.

    Of a container only what it is, not how it is run: that is this machine's affair, may change
    until then, and may be secret.
    """
    recipe = {
        "video": str(video),
        "content": identify(video),
        "sampling": asdict(sampling),
        "ffmpeg": _describe(tools),
    }
    write_json(frames / RECIPE_FILE, recipe)


def recall_frames_of(job: Job) -> None:
    """Makes sure that the frames which a job reads are there; see `recall_frames`."""
    recall_frames(
        Path(job.input.frames),
        containers=job.config["containers"],
        labels={"rule": job.rule, "video": job.wildcards.video},
        threads=job.threads,
    )


def recall_frames(
    frames: Path, containers: Mapping[str, Any], labels: Mapping[str, str], threads: int = 1
) -> None:
    """Makes sure that a directory holds the frames that were sampled into it.

    Does nothing when they are there, or when the video was rejected before. Stages that start
    together may all sample: each puts the same pictures in place, one whole file at a time.

    Args:
        frames: the directory.
        containers: that section of the configuration as it is now, if a container's ffmpeg
            sampled them.
        labels: say what a container is for.
        threads: that decode.

    Raises:
        DamagedStageError: if the directory is not as it was written.
        FileNotFoundError: if the video is gone.
        VideoChangedError: if it is not the one that was sampled.
        MediaToolError, ContainerError: if ffmpeg cannot be run.
    """
    check_stage(frames)
    if not are_forgotten(frames):
        return
    log.info("sampling again the frames that were forgotten")
    recipe = json.loads((frames / RECIPE_FILE).read_text(encoding="utf-8"))
    sampling = replace(Sampling(**recipe["sampling"]), hwaccel="none")
    tools = HOST_TOOLS if recipe["ffmpeg"]["runs_on"] == "host" else Tools(containers, labels)
    video = Path(recipe["video"])
    with TemporaryDirectory(dir=frames, prefix=".recalled-") as folder:
        recalled = Path(folder)
        with expect_unchanged(video, recipe.get("content")):
            sample_frames(video, recalled, sampling, threads, tools)
        # Another ffmpeg may take slightly other pictures, and another stage look at them at once.
        seal_with(frames, recalled)
        for picture in list_frames(recalled):
            picture.replace(frames / picture.name)


def _describe(tools: Tools) -> dict[str, str | None]:
    """Whose ffmpeg it is; the digest is for information, as another one samples anew anyway."""
    if tools.containers is None:
        return {"runs_on": "host"}
    from tapeless.containers import pinned_digest  # here, since most runs need no container

    digest = pinned_digest(CONTAINER_PROGRAM, tools.containers)
    return {"runs_on": "container", "digest": digest}
