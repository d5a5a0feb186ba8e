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
from tapeless.logs import job_log
from tapeless.video.recall import recall_frames

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(stages: Stages, table: Path, *, rejecting: Sequence[str]) -> None:
    """Checks one video."""
    write_checks(table, check_video(stages, rejecting=rejecting))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        recall_frames(
            Path(snakemake.input.frames),
            containers=snakemake.config["containers"],
            labels={"rule": snakemake.rule, "video": snakemake.wildcards.video},
            threads=snakemake.threads,
        )
        main(
            Stages(
                frames=Path(snakemake.input.frames),
                keypoints=Path(snakemake.input.keypoints),
                keypoints_table=Path(snakemake.input.keypoints_table),
                silhouettes=Path(snakemake.input.silhouettes),
                bodies=Path(snakemake.input.bodies),
                measurements_table=Path(snakemake.input.measurements_table),
                space=Path(snakemake.input.space) if snakemake.input.space else None,
            ),
            Path(snakemake.output.checks),
            rejecting=snakemake.params.rejecting,
        )
