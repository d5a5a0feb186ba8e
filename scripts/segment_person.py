"""Cuts the one person out of every frame kept, or each of several.

Reads the sampled frames and the frames' body points (one person each, from any detector); writes a
directory with one 8-bit grey picture per frame, of the frame's size: value / 255 is the
probability of belonging to the person.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.jobs import Job
from tapeless.logs import job_log
from tapeless.people import run_people_stage
from tapeless.silhouettes import segment_person
from tapeless.video.recall import recall_frames_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(frames: Path, keypoints: Path, silhouettes: Path) -> None:
    """Runs the stage for one video."""

    def work(_person: int, own_silhouettes: Path, own_keypoints: Path) -> Mapping[str, int]:
        return segment_person(frames, own_keypoints, own_silhouettes)

    run_people_stage(silhouettes, [keypoints], work)


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    recall_frames_of(job)
    main(
        Path(job.input.frames),
        Path(job.input.keypoints),
        Path(job.output.silhouettes),
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        run(snakemake)
