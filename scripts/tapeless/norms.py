"""How measurements vary among the body model's adults: what a cohort is compared with."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

NORMS_FILE = Path(__file__).parent / "data" / "norms.csv"
NORMS_COLUMNS = (
    "measurement",
    "version",
    "sex",
    "adults",
    "mean",
    "sd",
    "sd_given_height",
    "sd_given_height_and_mass",
    "source",
    "first",
)
"""A row per measurement and sex, in SI units; `version` is that of the definition."""

MODEL, TOO_WIDE = "model", "model: too wide"
"""Where a norm comes from: the adults of population.py; and whether people differ much less."""

LEAST_LEFT = 0.2
"""Share of a measurement's spread that what is given has to leave for anything to be compared."""

Given = Literal["nothing", "height", "height and mass"]
_SD_COLUMNS: Mapping[Given, str] = {
    "nothing": "sd",
    "height": "sd_given_height",
    "height and mass": "sd_given_height_and_mass",
}


@dataclass(frozen=True)
class Norm:
    """One measurement among the body model's adults, in SI units.

    Attributes:
        version: of the definition it was taken by.
        means: by sex.
        sds: standard deviations within each sex, by what is given of a person and by sex.
        first: the values of the first adults, by sex: the fingerprint of the table.
        source: `MODEL` or `TOO_WIDE`.
    """

    version: int
    means: Mapping[str, float]
    sds: Mapping[Given, Mapping[str, float]]
    first: Mapping[str, tuple[float, ...]]
    source: str

    def sd(self, given: Given = "nothing") -> float:
        """Standard deviation among adults of one sex (and of one height), pooled over both sexes.

        The difference of the sexes is left out, so that a group of one sex is not taken for one
        whose members are too much alike.
        """
        sds = self.sds[given].values()
        return math.sqrt(sum(sd**2 for sd in sds) / len(sds))

    def sd_to_judge_by(self, given: Given = "nothing") -> float | None:
        """As `sd`, or None where it can decide nothing.

        So it is where the model is known to be wider than people are, and where what is given says
        nearly all: of a height that was given, nobody has measured anything.
        """
        is_left = self.sd(given) > LEAST_LEFT * self.sd()
        return self.sd(given) if is_left and self.source != TOO_WIDE else None


@cache
def load_norms(path: Path = NORMS_FILE) -> Mapping[str, Norm]:
    """The norm of each measurement, by its name; `scripts/measure_norms.py` makes the file."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    by_name: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        by_name.setdefault(row["measurement"], {})[row["sex"]] = row
    return {name: _norm(of_sex) for name, of_sex in by_name.items()}


def _norm(rows: Mapping[str, Mapping[str, str]]) -> Norm:
    """The norm of one measurement from its rows, by sex."""
    any_row = next(iter(rows.values()))
    return Norm(
        version=int(any_row["version"]),
        means={sex: float(row["mean"]) for sex, row in rows.items()},
        sds={
            given: {sex: float(row[column]) for sex, row in rows.items()}
            for given, column in _SD_COLUMNS.items()
        },
        first={sex: tuple(map(float, row["first"].split(";"))) for sex, row in rows.items()},
        source=any_row["source"],
    )


def find_norm(measurement: str) -> Norm | None:
    """The norm of a measurement; SHAPY's own has that of the one it is named after.

    None for one that a user has added.
    """
    return load_norms().get(measurement.removeprefix("shapy_"))
