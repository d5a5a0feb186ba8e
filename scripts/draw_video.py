"""Draws the contact sheet of a video, with a part for each person.

Reads the kept pictures, everybody found in them, the person and the frames chosen, the
silhouettes, the bodies, the statistics and the final verdict; writes one PNG. A rejected video has
a sheet, too, with whatever its stages left.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.jobs import Job
from tapeless.logs import job_log
from tapeless.pictures.contents import SheetInputs, read_contents
from tapeless.pictures.sheet import draw_sheet

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(inputs: SheetInputs, sheet: Path) -> None:
    """Runs the stage for one video."""
    draw_sheet(read_contents(inputs), sheet)


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    main(
        SheetInputs(
            pictures=Path(job.input.pictures),
            keypoints_table=Path(job.input.keypoints_table),
            pose=Path(job.input.pose),
            keypoints=Path(job.input.keypoints),
            silhouettes=Path(job.input.silhouettes),
            bodies=Path(job.input.bodies),
            statistics=Path(job.input.statistics),
            outcome=Path(job.input.outcome),
        ),
        Path(job.output.sheet),
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        run(snakemake)
