"""Draws one adult of a cohort and films them.

Writes the video, and a JSON file with their sex, their true measurements (SI) and the camera.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.logs import job_log
from tapeless.measurements import measure_body
from tapeless.population import draw_adults, rest_body
from tapeless.synthetic import Shot, film_person

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    video: Path, truth: Path, *, number: int, seed: int, varied_beyond_prior: bool, shot: Shot
) -> None:
    """Films number `number` (from 0) of the adults that `seed` draws."""
    adult = draw_adults(number + 1, seed, varied_beyond_prior=varied_beyond_prior)[number]
    camera = film_person(adult, video, seed=1000 * seed + number, shot=shot)
    content = {
        "sex": adult.sex,
        "measurements": measure_body(rest_body(adult)),
        "camera": asdict(camera),
    }
    truth.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.video),
            Path(snakemake.output.truth),
            number=snakemake.params.number,
            seed=snakemake.params.seed,
            varied_beyond_prior=snakemake.params.varied_beyond_prior,
            shot=Shot(**snakemake.params.shot),
        )
