"""How files are written that users open: safe to open, and never half written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

UNFINISHED = ".unfinished"
"""What the name of a file ends with that is being written."""

_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # as wide as in East Asian text, too
_INNER_FORMULA = re.compile(rf';(?=[\s"]*[{"".join(map(re.escape, _FORMULA_STARTS))}])')
"""Where many languages have a comma in numbers, spreadsheets take `;` for the end of a cell."""
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_SPECIAL = re.compile('[,"]')  # of CSV; lines do not end within a cell
_FIXED_POINT = (".0f", ".1f", ".2f", ".3f", ".4f")  # by the number of decimals
_ENCODING: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}  # file names!


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[Any, Any]]) -> None:
    """Writes a CSV (RFC 4180 quoting, UTF-8); a file that is there stays whole until the end.

    Cells are as `cell` has them.
    """
    write_rows(path, columns, (map(cell, map(row.get, columns)) for row in rows))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Iterable[str]]) -> None:
    """As `write_table`, of what `cell` and its like gave, in the order of the columns.

    For hundreds of thousands of rows: `csv` looks for what is to be quoted, one character after
    the other, in each cell again.
    """
    with whole(path) as unfinished, unfinished.open("w", newline="", **_ENCODING) as stream:
        stream.write(f"{','.join(map(text_cell, columns))}\n")
        stream.writelines(f"{','.join(row)}\n" for row in rows)


def cell(value: object) -> str:
    """A cell of a CSV: nothing for None and NaN, and `safe_text`, quoted where it must be."""
    if isinstance(value, str):
        return text_cell(value)
    return "" if value is None or value != value else _quoted(str(value))  # NaN


@lru_cache(maxsize=1000)  # definitions and names come back in every row
def text_cell(text: str) -> str:
    """A `cell` of text."""
    return _quoted(safe_text(text))


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if _SPECIAL.search(text) else text


def number_cell(value: float, decimals: int) -> str:
    """A `cell` of `round(value, decimals)` in half the time: most cells of long tables are numbers.

    `decimals` are 1 to 4, and the value is below 1e10: beyond, a float lacks the decimals.
    """
    if value != value:  # NaN
        return ""
    digits = format(value, _FIXED_POINT[decimals])
    while digits[-1] == "0" and digits[-2] != ".":
        digits = digits[:-1]
    return digits


def safe_text(text: str) -> str:
    """The text of a cell, on one line, and such that no spreadsheet takes it for a formula.

    Formulas are disarmed by an apostrophe in front, which spreadsheets read as "this is text"; also
    those after a `;`, at which some end the cell. Tabs are no part of a line.
    """
    line = _INNER_FORMULA.sub(";'", _CONTROL_CHARACTERS.sub(" ", text))
    return f"'{line}" if line.lstrip().startswith(_FORMULA_STARTS) else line


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object; a file that is there stays whole until the end."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes text in UTF-8; a file that is there stays whole until the end."""
    with whole(path) as unfinished:
        unfinished.write_text(text, **_ENCODING)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside another, whose place it takes when the block is left well; else it is removed.

    A job that is killed leaves it behind. Its name is the same each time, so that the job which is
    run again takes it over, and nothing gathers.
    """
    unfinished = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):  # what led here is what has to be told
            unfinished.unlink(missing_ok=True)
        raise
