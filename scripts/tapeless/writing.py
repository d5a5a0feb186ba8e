"""How files are written that users open: safe to open, and never half written."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # as wide as in East Asian text, too
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_ENCODING: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}  # file names!


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
