"""Measures the true bodies of a cohort: a row per adult, with their sex and SI measurements."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tapeless.logs import job_log
from tapeless.measurements import measure_body
from tapeless.population import draw_adults, rest_body

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(truth: Path, *, adults: Sequence[str], seed: int, varied_beyond_prior: bool) -> None:
    """Writes the table of the people that `seed` draws, named `adults`."""
    people = draw_adults(len(adults), seed, varied_beyond_prior=varied_beyond_prior)
    pd.DataFrame(
        {"adult": name, "sex": person.sex, **measure_body(rest_body(person))}
        for name, person in zip(adults, people, strict=True)
    ).to_csv(truth, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.truth),
            adults=snakemake.params.adults,
            seed=snakemake.params.seed,
            varied_beyond_prior=snakemake.params.varied_beyond_prior,
        )
