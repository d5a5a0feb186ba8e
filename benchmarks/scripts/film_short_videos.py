"""Films adults who turn once, a short video each."""

from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.logs import job_log
from tapeless.population import draw_adults
from tapeless.synthetic import Shot, film_person

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

SEED = 3
SHOT = Shot(width_px=720, height_px=1280, seconds=3, frames_per_second=15)

if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        films = [Path(film) for film in snakemake.output]
        adults = draw_adults(len(films), SEED, varied_beyond_prior=True)
        for number, (adult, film) in enumerate(zip(adults, films, strict=True)):
            film_person(adult, film, seed=SEED + number, shot=SHOT)
