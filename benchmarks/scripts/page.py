"""What pages of the benchmark are made of: tables, numbers as people read them, templates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tapeless.measurements import Measurement

DASH = "–"

# By SI unit: the unit shown, what SI is multiplied with, digits.
SHOWN = {
    "m": ("mm", 1000.0, 0),
    "kg": ("kg", 1.0, 1),
    "m3": ("l", 1000.0, 1),
    "m2": ("m²", 1.0, 3),
    "kg_m2": ("kg/m²", 1.0, 1),
    "ratio": ("", 1.0, 3),
}


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table of what is text already."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written(pattern: str, factor: float = 1.0) -> Callable[[Any], str]:
    """Writes numbers by a format pattern, an en dash where there is none."""
    return lambda number: DASH if pd.isna(number) else pattern.format(factor * number).rstrip()


def amount(record: Measurement, *, signed: bool = False) -> Callable[[Any], str]:
    """Writes errors of a measurement, given in SI, with their unit."""
    unit, factor, digits = SHOWN[record.unit.si]
    sign = "+z" if signed else ""
    return written(f"{{:{sign}.{digits}f}} {unit}", factor)


percent = written("{:.1f} %")
share = written("{:.0f} %", 100)


def among(number: int, all_of_them: int) -> str:
    """How many of how many."""
    return f"{number} of {all_of_them}"


@dataclass(frozen=True)
class Verdict:
    """A target, what was reached, and whether that is enough; None, and why, if nobody can tell."""

    target: str
    reached: str
    is_met: bool | None
    otherwise: str = "not measured"

    def row(self) -> dict[str, str]:
        """The verdict in words."""
        words = {True: "met", False: "**missed**", None: self.otherwise}
        return {"target": self.target, "reached": self.reached, "": words[self.is_met]}


def replace_between(page: Path, name: str, text: str) -> None:
    """Writes `text` into a page, between `<!-- name -->` and `<!-- end of name -->`.

    Raises:
        ValueError: if the page does not have the two, once each and in this order.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"{page}: no text between {begin.strip()} and {end}")
    page.write_text(f"{before}{begin}{text}\n{end}{after}", encoding="utf-8")


def fill(template: Path, page: Path, fields: Mapping[str, str]) -> None:
    """Writes a page from its template."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(template.read_text(encoding="utf-8").format(**fields), encoding="utf-8")
