"""The tables that users open: every video in them, safe to open, and never half written."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tapeless.measurements import Measurement
from tapeless.people import MAIN_PERSON
from tapeless.statistics import STATISTICS_COLUMNS

VERDICT_COLUMNS = (
    "video",
    "subject",
    "person",
    "status",
    "code",
    "reason",
    "frames_sampled",
    "frames_used",
    "estimates",
    "pose_backend",
    "shape_backend",
    "scale",
)
"""What `summary.csv` says of a person in a video before their measurements; `flags` follow them."""


class Statistic(NamedTuple):
    """A row of `statistics.csv`: one measurement of one person, in the unit of the reports.

    A tuple, as there may be hundreds of thousands. The numbers are in the order of the columns; NaN
    is one that is not known.
    """

    estimates: int
    mean: float
    std: float
    min: float
    quarter: float
    median: float
    three_quarters: float
    max: float
    low: float
    high: float
    common_relative_sd: float
    flags: str


_COUNT = STATISTICS_COLUMNS.index("count")
_NUMBERS = slice(_COUNT + 1, STATISTICS_COLUMNS.index("common_relative_sd") + 1)
"""The columns of `statistics.csv` that hold the numbers of `Statistic`."""

_NOT_MEASURED = Statistic._make((0, *[math.nan] * len(STATISTICS_COLUMNS[_NUMBERS]), ""))


@dataclass(frozen=True)
class PersonResult:
    """One person of one video: who, the verdict, and what was measured.

    Attributes:
        video, person: which one.
        subject: who it is, "" if unknown. The subject of a video is its person 1.
        verdict: the values of `VERDICT_COLUMNS`, and `flags`.
        statistics: by measurement; none of a person who was rejected.
        sex, given_mass_kg: what the sheet says of the subject, None if it does not.
    """

    video: str
    subject: str
    person: int
    verdict: Mapping[str, Any]
    statistics: Mapping[str, Statistic]
    sex: str | None = None
    given_mass_kg: float | None = None

    @property
    def is_measured(self) -> bool:
        """Whether the person has numbers."""
        return self.verdict["status"] == "measured"


def read_results(verdict: Path, statistics: Path) -> list[PersonResult]:
    """The people of one video: its final `outcome.json` and `statistics.csv`."""
    of_video = json.loads(verdict.read_text(encoding="utf-8"))
    measured = _read_statistics(statistics)
    return [
        PersonResult(
            video=of_video["video"],
            subject=of_video["subject"] if entry["person"] == MAIN_PERSON else "",
            person=entry["person"],
            verdict=_verdict_cells(of_video | entry),
            statistics=measured.get(entry["person"], {}),
            sex=of_video["sex"] if entry["person"] == MAIN_PERSON else None,
            given_mass_kg=of_video["given_mass_kg"] if entry["person"] == MAIN_PERSON else None,
        )
        for entry in of_video["people"]
    ]


def _verdict_cells(verdict: Mapping[str, Any]) -> dict[str, Any]:
    cells = {column: verdict.get(column) for column in VERDICT_COLUMNS}
    return cells | {
        "subject": verdict["subject"] if verdict["person"] == MAIN_PERSON else "",
        "status": "measured" if verdict["outcome"] == "ok" else "rejected",
        "flags": ";".join(verdict["flags"]),
    }


def _read_statistics(path: Path) -> dict[int, dict[str, Statistic]]:
    found: dict[int, dict[str, Statistic]] = {}
    person, name = map(STATISTICS_COLUMNS.index, ("person", "measurement"))
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.reader(stream)
        next(rows)
        for row in rows:
            numbers = [float(cell or math.nan) for cell in row[_NUMBERS]]
            statistic = Statistic._make((int(row[_COUNT]), *numbers, row[-1]))
            found.setdefault(int(row[person]), {})[row[name]] = statistic
    return found


def summary_columns(measurements: Iterable[Measurement]) -> list[str]:
    """The columns of `summary.csv`: the verdict, each measurement with its interval, the flags."""
    names = [record.report_column for record in measurements]
    values = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    return [*VERDICT_COLUMNS, *values, "flags"]


def summary_row(result: PersonResult, measurements: Iterable[Measurement]) -> dict[str, Any]:
    """The row of one person in `summary.csv`, without numbers for one who was rejected.

    `measurements` are those of the report, in its order.
    """
    row = dict(result.verdict)
    for record in measurements:
        statistic = result.statistics.get(record.name, _NOT_MEASURED)
        row[record.report_column] = rounded(statistic.median, record)
        row[f"{record.report_column}_low"] = rounded(statistic.low, record)
        row[f"{record.report_column}_high"] = rounded(statistic.high, record)
    return row


def measurement_rows(
    result: PersonResult, measurements: Iterable[Measurement]
) -> Iterator[dict[str, Any]]:
    """The rows of one person in the `measurements.csv` of all videos, one per measurement.

    What the person lacks has a row with count 0 and no numbers.
    """
    for record in measurements:
        statistic = result.statistics.get(record.name, _NOT_MEASURED)
        numbers = [round(number, record.unit.decimals) for number in statistic[1:-1]]
        yield {
            "video": result.video,
            "subject": result.subject,
            "person": result.person,
            "measurement": record.name,
            "unit": record.unit.report,
            "count": statistic.estimates,
            **dict(zip(STATISTICS_COLUMNS[_NUMBERS], numbers, strict=True)),
            "std": rounded(statistic.std, record, more=1),
            "common_relative_sd": round(statistic.common_relative_sd, 4),
            "definition": record.definition,
            "flags": statistic.flags,
        }


def rounded(value: float | None, record: Measurement, *, more: int = 0) -> float | None:
    """A value in the unit of the reports, to the decimals of the reports and some `more`."""
    return None if value is None else round(value, record.unit.decimals + more)
