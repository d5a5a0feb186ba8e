"""Writes the sheet of a cohort, with every adult twice, and their true measurements.

The sheet gives the height of `adult_01` and keeps that of `adult_01-height_unknown` back; nothing
else is said of anybody. The table of truth has a row per adult: sex and SI measurements.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

UNKNOWN = "-height_unknown"


def main(videos: Sequence[Path], truths: Sequence[Path], sheet: Path, truth: Path) -> None:
    """Writes `sheet` (tsv) and `truth` (csv)."""
    people = [json.loads(path.read_text(encoding="utf-8")) for path in truths]
    table = pd.DataFrame(
        {"adult": path.stem, "sex": person["sex"], **person["measurements"]}
        for path, person in zip(truths, people, strict=True)
    )
    table.to_csv(truth, index=False)
    rows = pd.DataFrame({"video": table["adult"], "path": [str(path) for path in videos]})
    known = rows.assign(height_cm=(100 * table["height"]).round(1))
    unknown = rows.assign(video=rows["video"] + UNKNOWN, height_cm=None)
    pd.concat([known, unknown]).to_csv(sheet, sep="\t", index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.videos],
            [Path(path) for path in snakemake.input.truth],
            Path(snakemake.output.sheet),
            Path(snakemake.output.truth),
        )
