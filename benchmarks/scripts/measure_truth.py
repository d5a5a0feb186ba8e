"""Measures the true bodies of a cohort: a row per adult, with their sex and SI measurements."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tapeless.logs import job_log
from tapeless.measurements import measure_body
from tapeless.population import draw_adults, rest_body

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(truth: Path, *, adults: Sequence[str], drawn: Mapping[str, Any]) -> None:
    """Writes the table of the people who are `drawn` so (see draw_adults), named `adults`."""
    people = draw_adults(len(adults), **drawn)
    pd.DataFrame(
        {"adult": name, "sex": person.sex, **measure_body(rest_body(person))}
        for name, person in zip(adults, people, strict=True)
    ).to_csv(truth, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.truth),
            adults=snakemake.params.adults,
            drawn=snakemake.params.drawn,
        )
