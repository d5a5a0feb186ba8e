"""Collects the checks of all videos into one table.

Reads the checks of every video; writes them, each row with the video it is about. Videos are sorted
by id, so that the same results give the same file.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.checks import FINDING_COLUMNS, read_checks
from tapeless.logs import job_log
from tapeless.outcomes import read_each
from tapeless.writing import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(checks: Mapping[str, Path], table: Path) -> None:
    """Collects the checks of all videos, by their ids."""
    paths = dict(sorted(checks.items()))
    rows = [
        {"video": video, **asdict(finding)}
        for video, findings in zip(paths, read_each(read_checks, paths.values()), strict=True)
        for finding in findings
    ]
    write_table(table, ("video", *FINDING_COLUMNS), rows)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        paths = map(Path, snakemake.input.checks)
        main(dict(zip(snakemake.params.videos, paths, strict=True)), Path(snakemake.output.checks))
