"""Measures the average adult, the average woman and the average man of the population.

Each is the mean, vertex by vertex, of the unposed bodies. Writes a table with a row for each
(`who`: adult, female, male) and SI measurements.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tapeless.logs import job_log
from tapeless.measurements import measure_body
from tapeless.population import PRIOR_SEED, draw_adults, rest_body, rest_shapes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(average: Path, *, adults: int) -> None:
    """Writes the table of the means of `adults` people, half of them women."""
    people = draw_adults(adults, PRIOR_SEED)
    rows = []
    for who in ("adult", "female", "male"):
        members = [person for person in people if who in ("adult", person.sex)]
        vertices, joints = (shapes.mean(axis=0) for shapes in rest_shapes(members))
        floor = [0, vertices[:, 1].min(), 0]
        body = replace(rest_body(people[0]), vertices=vertices - floor, joints=joints - floor)
        rows.append({"who": who, **measure_body(body)})
    pd.DataFrame(rows).to_csv(average, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(Path(snakemake.output.average), adults=snakemake.params.adults)
