"""The tables that users open: every video in them, safe to open, and never half written."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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

_FORMULA_STARTS = ("=", "+", "-", "@")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_ENCODING: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}  # file names!


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


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[Any, Any]]) -> None:
    """Writes a CSV (RFC 4180 quoting, UTF-8); a file that is there stays whole until the end.

    None and NaN become empty cells, text becomes `safe_text`.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w", newline="", **_ENCODING) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(map(_cell, map(row.get, columns)) for row in rows)
    unfinished.replace(path)


def _cell(value: object) -> object:
    if isinstance(value, str):
        return safe_text(value)
    return "" if value is None or value != value else value  # NaN


@lru_cache(maxsize=1000)  # definitions and names come back in every row
def safe_text(text: str) -> str:
    """The text of a cell, on one line, and such that no spreadsheet takes it for a formula.

    Formulas are disarmed by an apostrophe in front, which spreadsheets read as "this is text".
    """
    line = _CONTROL_CHARACTERS.sub(" ", text)
    return f"'{line}" if line.lstrip().startswith(_FORMULA_STARTS) else line


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object; a file that is there stays whole until the end."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes text in UTF-8; a file that is there stays whole until the end."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, **_ENCODING)
    unfinished.replace(path)


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
