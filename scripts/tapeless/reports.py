"""The tables that users open: every video in them, safe to open, and never half written."""

from __future__ import annotations

import csv
import gc
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from tapeless.measurements import Measurement
from tapeless.outcomes import read_each, read_sealed
from tapeless.people import MAIN_PERSON
from tapeless.writing import cell, number_cell, text_cell

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


_NUMBERS = Statistic._fields[1:-1]
_NOT_MEASURED = Statistic._make((0, *[math.nan] * len(_NUMBERS), ""))


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


def read_all_results(verdicts: Iterable[Path], statistics: Iterable[Path]) -> list[PersonResult]:
    """The people of all videos, sorted; of each video its `outcome.json` and `statistics.csv`.

    All of it stays to the end, so that Python need not look through it for garbage again and again.

    Raises:
        DamagedFileError: if files are not as they were written.
    """
    gc.disable()
    try:
        of_videos = read_each(_read_results, zip(verdicts, statistics, strict=True))
    finally:
        gc.freeze()
        gc.enable()
    results = (result for of_video in of_videos for result in of_video)
    return sorted(results, key=lambda result: (result.video, result.person))


def _read_results(files: tuple[Path, Path]) -> list[PersonResult]:
    """The people of one video: its final `outcome.json` and `statistics.csv`."""
    verdict, statistics = files
    of_video = json.loads(read_sealed(verdict))
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
    rows = csv.reader(StringIO(read_sealed(path), newline=""))
    next(rows)
    for _video, _subject, person, name, _unit, count, *cells, _definition, flags in rows:
        statistic = Statistic._make((int(count), *_numbers(cells), flags))
        found.setdefault(int(person), {})[name] = statistic
    return found


def _numbers(cells: Sequence[str]) -> list[float]:
    try:
        return list(map(float, cells))
    except ValueError:  # a few rows only have empty cells
        return [float(number or math.nan) for number in cells]


def summary_columns(measurements: Iterable[Measurement]) -> list[str]:
    """The columns of `summary.csv`: the verdict, each measurement with its interval, the flags."""
    names = [record.report_column for record in measurements]
    values = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    return [*VERDICT_COLUMNS, *values, "flags"]


def summary_row(result: PersonResult, measurements: Iterable[Measurement]) -> list[str]:
    """The cells of one person in `summary.csv`, without numbers for one who was rejected.

    `measurements` are those of the report, in its order.
    """
    cells = [cell(result.verdict[column]) for column in VERDICT_COLUMNS]
    for record in measurements:
        statistic = result.statistics.get(record.name, _NOT_MEASURED)
        shown = (statistic.median, statistic.low, statistic.high)
        cells += [number_cell(number, record.unit.decimals) for number in shown]
    return [*cells, text_cell(result.verdict["flags"])]


def measurement_rows(
    result: PersonResult, measurements: Iterable[Measurement]
) -> Iterator[tuple[str, ...]]:
    """The cells of one person in the `measurements.csv` of all videos, a row per measurement.

    What the person lacks has a row with count 0 and no numbers.
    """
    for record in measurements:
        statistic = result.statistics.get(record.name, _NOT_MEASURED)
        yield (
            text_cell(result.video),
            text_cell(result.subject),
            str(result.person),
            text_cell(record.name),
            text_cell(record.unit.report),
            str(statistic.estimates),
            *map(number_cell, statistic[1:-1], _decimals(record.unit.decimals)),
            text_cell(record.definition),
            text_cell(statistic.flags),
        )


@cache
def _decimals(of_unit: int) -> tuple[int, ...]:
    """How many decimals each number of a `Statistic` has, in a unit of so many."""
    others = {"std": of_unit + 1, "common_relative_sd": 4}
    return tuple(others.get(number, of_unit) for number in _NUMBERS)
