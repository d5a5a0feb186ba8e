"""Checks whether the numbers of a video are to be believed.

Reads the sampled frames, the keypoints, silhouettes, bodies and measurements of everybody who was
measured, and the space of bodies if the shape backend has one; writes a table with a row per person
and check: verdict, the number that decided, its limit, and what follows. The table of a rejected
video has no rows.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.checks import write_checks
from tapeless.checks.video import Stages, check_video
from tapeless.jobs import Job
from tapeless.logs import job_log
from tapeless.outcomes import check_stage
from tapeless.video.recall import recall_frames_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(stages: Stages, table: Path, *, rejecting: Sequence[str]) -> None:
    """Checks one video."""
    write_checks(table, check_video(stages, rejecting=rejecting))


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    recall_frames_of(job)
    read = (job.input.keypoints, job.input.silhouettes, job.input.bodies, job.input.measurements)
    for stage in map(Path, read):
        check_stage(stage)
    main(
        Stages(
            frames=Path(job.input.frames),
            keypoints=Path(job.input.keypoints),
            keypoints_table=Path(job.input.keypoints_table),
            silhouettes=Path(job.input.silhouettes),
            bodies=Path(job.input.bodies),
            measurements_table=Path(job.input.measurements_table),
            space=Path(job.input.space) if job.input.space else None,
        ),
        Path(job.output.checks),
        rejecting=job.params.settled["rejecting"],
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        run(snakemake)
