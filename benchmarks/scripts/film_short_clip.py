"""Films one rendered person for two seconds, in small pictures: what things are done to later."""

import sys
from pathlib import Path

from tapeless.population import draw_adults
from tapeless.synthetic import Shot, film_person

SEED = 7


def main(clip: Path) -> None:
    """Writes the clip."""
    (adult,) = draw_adults(1, SEED, varied_beyond_prior=True)
    shot = Shot(width_px=360, height_px=640, seconds=2, frames_per_second=8)
    film_person(adult, clip, seed=SEED, shot=shot)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
