"""Collects all videos into the tables that users open.

Reads the statistics and the final verdict of every video; writes `summary.csv` (wide, a row per
video and person), `measurements.csv` (tidy, a row per measurement of them), `subjects.csv` (a row
per subject of the sheet, their videos joined) and `repeatability.csv` (a row per measurement: how
videos of one person, and people, differ). Who was rejected has rows without numbers. SHAPY's own
measurements are there as soon as one video has them. Rows are sorted by id, so that the same
results give the same files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapeless.beside import working_beside
from tapeless.cohort import (
    REPEATABILITY_COLUMNS,
    group_by_subject,
    repeatability_rows,
    subject_columns,
    subject_row,
)
from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.reports import measurement_rows, read_all_results, summary_columns, summary_row
from tapeless.statistics import STATISTICS_COLUMNS
from tapeless.writing import write_rows, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    statistics: Sequence[Path],
    verdicts: Sequence[Path],
    *,
    summary: Path,
    measurements: Path,
    subjects: Path,
    repeatability: Path,
    custom: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Collects all videos.

    `statistics` and `verdicts` are in the same order of videos; `custom` are the user's own
    measurements.
    """
    results = read_all_results(verdicts, statistics)
    names = {name for result in results for name in result.statistics}
    records = load_table(custom=custom).present(lambda record: record.name in names)

    def compare_people() -> None:
        groups = group_by_subject(results)
        people = (subject_row(subject, videos, records) for subject, videos in groups.items())
        write_table(subjects, subject_columns(records), people)
        write_table(repeatability, REPEATABILITY_COLUMNS, repeatability_rows(records, results))

    with working_beside(compare_people):
        write_rows(summary, summary_columns(records), (summary_row(r, records) for r in results))
        rows = (row for result in results for row in measurement_rows(result, records))
        write_rows(measurements, STATISTICS_COLUMNS, rows)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.statistics],
            [Path(path) for path in snakemake.input.outcome],
            summary=Path(snakemake.output.summary),
            measurements=Path(snakemake.output.measurements),
            subjects=Path(snakemake.output.subjects),
            repeatability=Path(snakemake.output.repeatability),
            custom=snakemake.params.settled["custom"],
        )
