"""Finds everybody in every sampled frame, with MediaPipe.

Reads the frames of one video; writes a directory with one OpenPose 1.3 JSON file per frame, in
BODY_25 order and in pixels of the frame, also for frames without anybody. Nothing is downloaded:
the models lie inside MediaPipe's wheel.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.jobs import Job
from tapeless.logs import job_log
from tapeless.outcomes import run_stage
from tapeless.pose.mediapipe import estimate_pose
from tapeless.video.recall import recall_frames_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(frames: Path, pose: Path, *, min_visibility: float, people: str = "dominant") -> None:
    """Runs the stage for one video; for `all`, it also looks part by part."""

    def work() -> Mapping[str, int]:
        return estimate_pose(frames, pose, min_visibility=min_visibility, everybody=people == "all")

    run_stage(pose, [frames], work)


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    recall_frames_of(job)
    main(
        Path(job.input.frames),
        Path(job.output.pose),
        min_visibility=job.params.settled["min_visibility"],
        people=job.params.settled["people"],
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        run(snakemake)
