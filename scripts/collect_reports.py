"""Collects all videos into the two reports that users open.

Reads the statistics and the final verdict of every video; writes `summary.csv` (wide, a row per
video) and `measurements.csv` (tidy, a row per video and measurement). A rejected video has its
rows, without numbers. SHAPY's own measurements are there as soon as one video has them. Videos are
sorted by id, so that the same results give the same files.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.reports import measurement_rows, summary_columns, summary_row, write_table
from tapeless.statistics import STATISTICS_COLUMNS

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def read_statistics(path: Path) -> dict[str, dict[str, str]]:
    """The rows of a video's `statistics.csv`, as text, by measurement."""
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["measurement"]: row for row in csv.DictReader(stream)}


def main(
    statistics: Sequence[Path], verdicts: Sequence[Path], summary: Path, measurements: Path
) -> None:
    """Collects all videos; `statistics` and `verdicts` are in the same order of videos."""
    videos = [
        (json.loads(verdict_file.read_text(encoding="utf-8")), read_statistics(statistics_file))
        for verdict_file, statistics_file in zip(verdicts, statistics, strict=True)
    ]
    videos.sort(key=lambda video: video[0]["video"])
    records = load_table().present(lambda record: any(record.name in rows for _, rows in videos))
    summaries = [summary_row(*video, records) for video in videos]
    rows = [row for video in videos for row in measurement_rows(*video, records)]
    write_table(summary, summary_columns(records), summaries)
    write_table(measurements, STATISTICS_COLUMNS, rows)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.statistics],
            [Path(path) for path in snakemake.input.outcome],
            Path(snakemake.output.summary),
            Path(snakemake.output.measurements),
        )
