"""Draws one adult of a cohort and films them, once for each take.

Writes a video and a folder of exact masks for each, and a table with a row for each: who, which
take, the camera, and the shot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapeless.logs import job_log
from tapeless.population import draw_adults
from tapeless.synthetic import Shot, film_person

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def vary(shot: Shot, variation: Mapping[str, Any], generator: np.random.Generator) -> Shot:
    """Draws what is difficult about a shot; see `variation` in the benchmark's configuration."""
    is_partial, is_cluttered, is_haired = (
        bool(generator.random() < variation[share])
        for share in ("partial_turns", "cluttered", "haired")
    )
    part_degrees = generator.uniform(*variation["partial_turn_degrees"])
    hair_m = generator.uniform(*variation["hair_m"])
    return replace(
        shot,
        turn_degrees=part_degrees if is_partial and shot.turn_degrees else shot.turn_degrees,
        hair_m=hair_m if is_haired else 0.0,
        clutter=is_cluttered,
        fill=tuple(variation["fill"]),
    )


def main(
    videos: Sequence[Path],
    masks: Sequence[Path],
    table: Path,
    *,
    number: int,
    drawn: Mapping[str, Any],
    shots: Mapping[str, Mapping[str, Any]],
    variation: Mapping[str, Any],
) -> None:
    """Films number `number` (from 0) of the adults who are `drawn` so, see draw_adults.

    Takes that are `like` the same one differ in what the configuration says, and nothing else.
    """
    adult = draw_adults(number + 1, **drawn)[number]
    rows = []
    for (take, wanted), video, folder in zip(shots.items(), videos, masks, strict=True):
        wishes = dict(wanted)
        own_seed = int.from_bytes(f"{drawn['seed']} {number} {wishes.pop('like')}".encode())
        shot = vary(Shot(**wishes), variation, np.random.default_rng(own_seed))
        camera = film_person(adult, video, seed=own_seed, shot=shot, masks=folder)
        row = {"video": video.stem, "path": str(video), "adult": video.stem.split("-")[0]}
        rows.append({**row, "take": take, **asdict(camera), **asdict(shot)})
    pd.DataFrame(rows).drop(columns="fill").to_csv(table, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.output.videos],
            [Path(path) for path in snakemake.output.masks],
            Path(snakemake.output.table),
            number=snakemake.params.number,
            drawn=snakemake.params.drawn,
            shots=snakemake.params.shots,
            variation=snakemake.params.variation,
        )
