"""Measures adults drawn from the population, and writes how each measurement varies among them.

`python scripts/measure_norms.py` renews `tapeless/data/norms.csv`, which is kept with the code: no
run makes it. To be done when a definition or the population changes; a test tells. A minute.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tapeless.measurements import load_table, measure_body
from tapeless.norms import MODEL, NORMS_COLUMNS, NORMS_FILE, TOO_WIDE
from tapeless.population import draw_adults, rest_body

ADULTS = 400
SEED = 10  # of nobody else: benchmarks/config.yaml lists the others
FIRST = 4

WIDER_THAN_PEOPLE = ("wrist", "shoulder_breadth")
"""Of which the model's adults differ by about twice what people do, as far as surveys tell."""

NOTE = f"""\
# How each measurement varies among adults of the body model, in SI units: {ADULTS} drawn from
# tapeless.population (seed {SEED}), measured as they are and not from a video. Statures and body
# mass indices are drawn as spread as those of European and North American adults; all else is as
# the model and the constants of population.py have it, and was not held against a survey.
# sd_given_height: of what a straight line in the height leaves; sd_given_height_and_mass: likewise.
# source: "{MODEL}", or "{TOO_WIDE}" where people are known to differ much less; no verdict then.
# first: of the first {FIRST} adults, women and men in turn; a test tells by them whether this file
# is out of date. Made by scripts/measure_norms.py.
"""

Sex = Literal["female", "male"]
Floats = npt.NDArray[np.float64]


def measure_adults(count: int = ADULTS) -> dict[Sex, dict[str, Floats]]:
    """The values of each measurement, by sex, in the order in which the adults are drawn."""
    bodies: dict[Sex, list[dict[str, float]]] = {"female": [], "male": []}
    for adult in draw_adults(count, SEED):
        bodies[adult.sex].append(measure_body(rest_body(adult)))
    names = [record.name for record in load_table().measurements]
    return {
        sex: {name: np.array([values[name] for values in measured]) for name in names}
        for sex, measured in bodies.items()
    }


def sd_given(values: Floats, known: Sequence[Floats]) -> float:
    """The standard deviation of what straight lines in the `known` measurements leave, to 1e-6."""
    design = np.column_stack([np.ones_like(values), *(k - k.mean() for k in known)])
    coefficients = np.linalg.lstsq(design, values, rcond=None)[0]
    left = values - design @ coefficients
    freedom = len(values) - design.shape[1]
    return round(float(np.sqrt((left**2).sum() / freedom)), 6)


def norms_of(adults: dict[Sex, dict[str, Floats]]) -> list[dict[str, str]]:
    """The rows of the table, in the order of the definitions."""
    rows = []
    for record in load_table().measurements:
        for sex, measured in adults.items():
            values, height, mass = (measured[name] for name in (record.name, "height", "mass"))
            row = {
                "measurement": record.name,
                "version": str(record.version),
                "sex": sex,
                "adults": str(len(values)),
                "mean": f"{values.mean():.4g}",
                "sd": f"{sd_given(values, []):.3g}",
                "sd_given_height": f"{sd_given(values, [height]):.3g}",
                "sd_given_height_and_mass": f"{sd_given(values, [height, mass]):.3g}",
                "source": TOO_WIDE if record.name in WIDER_THAN_PEOPLE else MODEL,
                "first": ";".join(f"{value:.5g}" for value in values[: FIRST // 2]),
            }
            rows.append(row)
    return rows


def main(table: Path = NORMS_FILE) -> None:
    """Writes the table."""
    lines = [
        ",".join(row[column] for column in NORMS_COLUMNS) for row in norms_of(measure_adults())
    ]
    table.write_text(NOTE + "\n".join([",".join(NORMS_COLUMNS), *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
