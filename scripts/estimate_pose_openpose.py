"""Finds everybody in every sampled frame, with OpenPose in a container.

Reads the frames of one video and the user's own models of OpenPose; writes a directory with one
OpenPose 1.3 JSON file per frame, in BODY_25 order and in pixels of the frame, also for frames
without anybody, and, when asked for, `pictures/` with OpenPose's own drawings. The container may
look at the frames of other videos, too, that wait for it.
"""

from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.containers import Allowance, expect_usage
from tapeless.containers.sharing import Sharing, clear_shelf
from tapeless.containers.waiting import find_sharing
from tapeless.logs import job_log
from tapeless.outcomes import run_stage
from tapeless.pose.openpose import Options, estimate_pose
from tapeless.video.recall import recall_frames_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    frames: Path,
    pose: Path,
    models: Path,
    options: Options,
    allowance: Allowance,
    sharing: Sharing | None = None,
) -> None:
    """Runs the stage for one video."""
    work = partial(estimate_pose, frames, pose, models, options, allowance, sharing)
    run_stage(pose, [frames], work)
    clear_shelf(pose)


if __name__ == "__main__":
    with job_log(snakemake.log.job), expect_usage(Path(snakemake.log.usage)):
        recall_frames_of(snakemake)
        settled = snakemake.params.settled
        main(
            Path(snakemake.input.frames),
            Path(snakemake.output.pose),
            Path(snakemake.config["pose"]["openpose"]["models"]).expanduser(),
            Options(**{option.name: settled[option.name] for option in fields(Options)}),
            Allowance.of(snakemake),
            find_sharing(snakemake),
        )
