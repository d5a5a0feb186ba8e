"""Draws the contact sheet of a video, with a part for each person.

Reads the kept pictures, everybody found in them, the person and the frames chosen, the
silhouettes, the bodies, the statistics and the final verdict; writes one PNG. A rejected video has
a sheet, too, with whatever its stages left.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.logs import job_log
from tapeless.pictures.contents import SheetInputs, read_contents
from tapeless.pictures.sheet import draw_sheet

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(inputs: SheetInputs, sheet: Path) -> None:
    """Runs the stage for one video."""
    draw_sheet(read_contents(inputs), sheet)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            SheetInputs(
                pictures=Path(snakemake.input.pictures),
                keypoints_table=Path(snakemake.input.keypoints_table),
                pose=Path(snakemake.input.pose),
                keypoints=Path(snakemake.input.keypoints),
                silhouettes=Path(snakemake.input.silhouettes),
                bodies=Path(snakemake.input.bodies),
                statistics=Path(snakemake.input.statistics),
                outcome=Path(snakemake.input.outcome),
            ),
            Path(snakemake.output.sheet),
        )
