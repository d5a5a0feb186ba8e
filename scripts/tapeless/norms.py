"""How measurements vary among adults: what a cohort is compared with."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NORMS_FILE = Path(__file__).parent / "data" / "norms.csv"
NORMS_COLUMNS = ("measurement", "version", "sex", "adults", "mean", "sd")
"""A row per measurement and sex; `mean` and `sd` in SI units, `version` that of the definition."""


@dataclass(frozen=True)
class Norm:
    """One measurement among adults, in SI units.

    Attributes:
        version: of the definition it was taken by.
        means: by sex.
        sds: standard deviations within each sex, by sex.
    """

    version: int
    means: Mapping[str, float]
    sds: Mapping[str, float]

    @property
    def sd(self) -> float:
        """Standard deviation among adults of one sex, pooled over both.

        The difference of the sexes is left out, so that a group of one sex is not taken for one
        whose members are too much alike.
        """
        return math.sqrt(sum(sd**2 for sd in self.sds.values()) / len(self.sds))


@cache
def load_norms(path: Path = NORMS_FILE) -> Mapping[str, Norm]:
    """The norm of each measurement, by its name; `scripts/measure_norms.py` makes the file."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    return {
        name: Norm(
            version=next(int(row["version"]) for row in rows if row["measurement"] == name),
            means={r["sex"]: float(r["mean"]) for r in rows if r["measurement"] == name},
            sds={r["sex"]: float(r["sd"]) for r in rows if r["measurement"] == name},
        )
        for name in dict.fromkeys(row["measurement"] for row in rows)
    }


def find_norm(measurement: str) -> Norm | None:
    """The norm of a measurement; SHAPY's own has that of the one it is named after.

    None for one that a user has added.
    """
    return load_norms().get(measurement.removeprefix("shapy_"))
