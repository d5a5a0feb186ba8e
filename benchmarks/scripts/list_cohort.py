"""Writes the sheets of a cohort: of all videos with the heights, and of some without.

The first gives everybody's height, and nothing else about anybody; the second lists the takes whose
height is also kept back. Spans of a recording of a real person join the first, as videos of one
subject with one height. A third table lists what was filmed, and how.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

REAL = "real"
"""The subject of the recording, and what the names of its spans begin with."""


def list_spans(real: Mapping[str, Any]) -> pd.DataFrame:
    """A row of the sheet for each span of the recording."""
    return pd.DataFrame(
        {
            "video": f"{REAL}-{number}",
            "path": real["video"],
            "subject": REAL,
            "height_cm": real["height_cm"],
            "start_s": start_s,
            "end_s": end_s,
        }
        for number, (start_s, end_s) in enumerate(real["spans_s"], start=1)
    )


def list_people(films: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """A row of the sheet for each video of a person."""
    statures = films["adult"].map(truth.set_index("adult")["height"])
    return pd.DataFrame(
        {
            "video": films["video"],
            "path": films["path"],
            "subject": films["adult"],
            "height_cm": (100 * statures).round(1),
        }
    )


def main(
    tables: Sequence[Path],
    truth: Path,
    outputs: Mapping[str, Path],
    *,
    unknown: Sequence[str],
    real: Mapping[str, Any] | None,
) -> None:
    """Writes `outputs`: sheet, sheet_unknown (both tsv) and films (csv)."""
    films = pd.concat(map(pd.read_csv, tables), ignore_index=True)
    films.to_csv(outputs["films"], index=False)
    people = list_people(films, pd.read_csv(truth))
    sheet = people if real is None else pd.concat([people, list_spans(real)])
    sheet.to_csv(outputs["sheet"], sep="\t", index=False)
    kept_back = people[films["take"].isin(unknown)].drop(columns="height_cm")
    kept_back.to_csv(outputs["sheet_unknown"], sep="\t", index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in (*snakemake.input.tables, *snakemake.input.tables_again)],
            Path(snakemake.input.truth),
            {name: Path(path) for name, path in snakemake.output.items()},
            unknown=snakemake.params.unknown,
            real=snakemake.params.real,
        )
