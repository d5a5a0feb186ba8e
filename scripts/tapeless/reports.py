"""The tables that users open: every video in them, safe to open, and never half written."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tapeless.measurements import Measurement
from tapeless.statistics import DESCRIPTION

VERDICT_COLUMNS = (
    "video",
    "subject",
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
"""What `summary.csv` says of a video before its measurements."""

_FORMULA_STARTS = ("=", "+", "-", "@")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_ENCODING: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}  # file names!
_NUMBERS = (*DESCRIPTION[1:], "low", "high")
_DECIMALS = {"std": 2}  # of a centimetre or a kilogram; all other numbers have 1


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[Any, Any]]) -> None:
    """Writes a CSV (RFC 4180 quoting, UTF-8); a file that is there stays whole until the end.

    None and NaN become empty cells, text becomes `safe_text`.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w", newline="", **_ENCODING) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    unfinished.replace(path)


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return safe_text(value) if isinstance(value, str) else value


def safe_text(text: str) -> str:
    """The text of a cell, on one line, and such that no spreadsheet takes it for a formula.

    Formulas are disarmed by an apostrophe in front, which spreadsheets read as "this is text".
    """
    line = _CONTROL_CHARACTERS.sub(" ", text)
    return f"'{line}" if line.lstrip().startswith(_FORMULA_STARTS) else line


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object; a file that is there stays whole until the end."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    unfinished.write_text(text, **_ENCODING)
    unfinished.replace(path)


def summary_columns(measurements: Iterable[Measurement]) -> list[str]:
    """The columns of `summary.csv`: the verdict, then each measurement with its interval."""
    names = [record.report_column for record in measurements]
    return [*VERDICT_COLUMNS, *(f"{n}{end}" for n in names for end in ("", "_low", "_high"))]


def summary_row(
    verdict: Mapping[str, Any],
    statistics: Mapping[str, Mapping[str, str]],
    measurements: Iterable[Measurement],
) -> dict[str, Any]:
    """The row of one video in `summary.csv`; without numbers where the video has none.

    Args:
        verdict: the video's final `outcome.json`.
        statistics: the rows of its `statistics.csv` by measurement.
        measurements: those of the report, in its order.
    """
    row = {column: verdict.get(column) for column in VERDICT_COLUMNS}
    row["status"] = "measured" if verdict["outcome"] == "ok" else "rejected"
    for record in measurements:
        line = statistics.get(record.name, {})
        for end, column in (("", "50%"), ("_low", "low"), ("_high", "high")):
            row[f"{record.report_column}{end}"] = _number(line, column)
    return row


def measurement_rows(
    verdict: Mapping[str, Any],
    statistics: Mapping[str, Mapping[str, str]],
    measurements: Iterable[Measurement],
) -> Iterator[dict[str, Any]]:
    """The rows of one video in the `measurements.csv` of all videos, one per measurement.

    Takes what `summary_row` takes. What a video lacks has a row with count 0 and no numbers.
    """
    for record in measurements:
        line = statistics.get(record.name, {})
        yield {
            "video": verdict["video"],
            "subject": verdict["subject"],
            "measurement": record.name,
            "unit": record.unit.report,
            "count": int(line.get("count", 0)),
            **{column: _number(line, column) for column in _NUMBERS},
            "definition": record.definition,
        }


def _number(line: Mapping[str, str], column: str) -> float | None:
    text = line.get(column, "")
    return round(float(text), _DECIMALS.get(column, 1)) if text else None
