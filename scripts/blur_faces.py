"""Keeps a picture of every sampled frame, with nobody to recognise in it.

Reads the sampled frames and everybody found in them (OpenPose JSON, from any detector); writes a
directory with one JPEG per frame, of the frame's size, in which faces, and all but the people, are
blurred beyond recognition unless `blur_faces` is false. A video rejected because nobody was found
still gets its pictures, so that its contact sheet can show them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.jobs import Job
from tapeless.logs import job_log
from tapeless.outcomes import check_stage, run_stage
from tapeless.pictures.keeping import keep_pictures
from tapeless.video.recall import recall_frames_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(frames: Path, pose: Path, pictures: Path, *, blur_faces: bool, threads: int = 2) -> None:
    """Runs the stage for one video."""

    def work() -> Mapping[str, int]:
        return keep_pictures(frames, pose, pictures, blur_faces=blur_faces, threads=threads)

    check_stage(pose)  # whose verdict does not matter here, but where the faces are does
    run_stage(pictures, [frames], work)


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    recall_frames_of(job)
    main(
        Path(job.input.frames),
        Path(job.input.pose),
        Path(job.output.pictures),
        blur_faces=job.params.settled["blur_faces"],
        threads=job.threads,
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        run(snakemake)
