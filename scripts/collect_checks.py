"""Collects the checks of all videos into one table.

Reads the checks of every video; writes them, each row with the video it is about. Videos are in the
order in which they are given, so that the same results give the same file.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.checks import FINDING_COLUMNS
from tapeless.logs import job_log
from tapeless.writing import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(checks: Mapping[str, Path], table: Path) -> None:
    """Collects the checks of all videos, by their ids."""
    rows = []
    for video, path in sorted(checks.items()):
        with path.open(newline="", encoding="utf-8") as stream:
            rows += [{"video": video, **row} for row in csv.DictReader(stream)]
    write_table(table, ("video", *FINDING_COLUMNS), rows)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        paths = map(Path, snakemake.input.checks)
        main(dict(zip(snakemake.params.videos, paths, strict=True)), Path(snakemake.output.checks))
