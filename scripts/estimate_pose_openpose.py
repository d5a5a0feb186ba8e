"""Finds everybody in every sampled frame, with OpenPose in a container.

Reads the frames of one video and the user's own models of OpenPose; writes a directory with one
OpenPose 1.3 JSON file per frame, in BODY_25 order and in pixels of the frame, also for frames
without anybody, and, when asked for, `pictures/` with OpenPose's own drawings.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.containers import Allowance, expect_usage
from tapeless.logs import job_log
from tapeless.outcomes import run_stage
from tapeless.pose.openpose import Options, estimate_pose
from tapeless.video.recall import recall_frames_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(frames: Path, pose: Path, *, models: Path, options: Options, allowance: Allowance) -> None:
    """Runs the stage for one video."""
    run_stage(
        pose,
        [frames],
        lambda: estimate_pose(frames, pose, models=models, options=options, allowance=allowance),
    )


if __name__ == "__main__":
    usage_file = Path(snakemake.log.usage)
    with job_log(snakemake.log.job), expect_usage(usage_file):
        recall_frames_of(snakemake)
        main(
            Path(snakemake.input.frames),
            Path(snakemake.output.pose),
            models=Path(snakemake.config["pose"]["openpose"]["models"]).expanduser(),
            options=Options(
                min_confidence=snakemake.params.min_confidence,
                net_resolution=snakemake.params.net_resolution,
                number_people_max=snakemake.params.number_people_max,
                face=snakemake.params.face,
                hands=snakemake.params.hands,
                pictures=snakemake.params.pictures,
            ),
            allowance=Allowance(
                settings=snakemake.config["containers"],
                labels={"rule": "estimate_pose", "video": snakemake.wildcards.video},
                gpus=snakemake.resources.gpu,
                memory_mb=snakemake.resources.mem_mb,
                usage_file=usage_file,
            ),
        )
