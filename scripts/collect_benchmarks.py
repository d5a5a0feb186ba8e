"""Adds up what the jobs of each stage cost.

Reads the benchmark files of all jobs, and what was written beside them of containers and graphics
cards; writes `benchmarks.csv`, a row per stage. It is written anew whenever a contact sheet is,
which is the last thing that is made of a video.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.logs import job_log
from tapeless.watching.costs import COST_COLUMNS, cost_rows, read_costs
from tapeless.writing import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(folder: Path, table: Path) -> None:
    """Writes the table of what lies below the folder."""
    write_table(table, COST_COLUMNS, cost_rows(read_costs(folder)))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(Path(snakemake.params.benchmarks), Path(snakemake.output.table))
