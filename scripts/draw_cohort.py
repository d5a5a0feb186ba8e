"""Draws the page on a whole run: who was measured, how people are built, whether it repeats.

Reads the tables of all videos; writes one HTML page that needs no other file. No pictures of people
are in it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.cohort_page import read_table, write_page
from tapeless.logs import job_log
from tapeless.writing import write_text

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(summary: Path, subjects: Path, repeatability: Path, page: Path) -> None:
    """Writes the page."""
    write_text(page, write_page(*map(read_table, (summary, subjects, repeatability))))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.summary),
            Path(snakemake.input.subjects),
            Path(snakemake.input.repeatability),
            Path(snakemake.output.page),
        )
