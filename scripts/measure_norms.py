"""Measures adults drawn from the population, and writes how each measurement varies among them.

`python scripts/measure_norms.py` renews `tapeless/data/norms.csv`, which is kept with the code: no
run makes it. To be done when a definition or the population changes; a test tells. A minute.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from tapeless.measurements import load_table, measure_body
from tapeless.norms import NORMS_COLUMNS, NORMS_FILE
from tapeless.population import draw_adults, rest_body

ADULTS = 400
SEED = 11

NOTE = f"""\
# How each measurement varies among adults, in SI units: {ADULTS} drawn from tapeless.population
# (seed {SEED}), whose statures and body mass indices are those of European and North American
# adults; as these bodies are, not as measured from a video. Made by scripts/measure_norms.py.
"""

Sex = Literal["female", "male"]


def measure_norms(count: int = ADULTS) -> list[dict[str, str]]:
    """The rows of the table, in the order of the definitions."""
    values: dict[Sex, list[dict[str, float]]] = {"female": [], "male": []}
    for adult in draw_adults(count, SEED):
        values[adult.sex].append(measure_body(rest_body(adult)))
    return [
        {
            "measurement": record.name,
            "version": str(record.version),
            "sex": sex,
            "adults": str(len(bodies)),
            "mean": f"{np.mean([body[record.name] for body in bodies]):.4g}",
            "sd": f"{np.std([body[record.name] for body in bodies], ddof=1):.3g}",
        }
        for record in load_table().measurements
        for sex, bodies in values.items()
    ]


def main(table: Path = NORMS_FILE) -> None:
    """Writes the table."""
    lines = [",".join(row[column] for column in NORMS_COLUMNS) for row in measure_norms()]
    table.write_text(NOTE + "\n".join([",".join(NORMS_COLUMNS), *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
