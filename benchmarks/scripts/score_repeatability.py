"""Compares videos of the same people: rendered ones filmed again, and spans of a real recording.

Writes a row per measurement: how much videos of one person differ (within), how much people differ
(between), and their ratio; and a row per measurement and span of the recording.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from list_cohort import REAL
from score_accuracy import FACTORS

from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def in_si(measurements: pd.DataFrame) -> pd.DataFrame:
    """Medians of all videos in SI units: video, subject, measurement, measured."""
    table = measurements[["video", "subject", "measurement"]].copy()
    table["measured"] = measurements["50%"] / measurements["unit"].map(FACTORS)
    return table


def repeatability_of(measured: pd.DataFrame) -> pd.DataFrame:
    """By measurement: subjects, videos, within_sd, between_sd, ratio and largest difference (SI).

    The within-person standard deviation is pooled: the root of the mean variance over people. The
    between-person one is that of the people's means, less what the scatter within adds to it.
    """
    rows = []
    for name, table in measured.dropna(subset="measured").groupby("measurement", sort=False):
        people = table.groupby("subject")["measured"]
        within = people.var().mean()
        between = max(0.0, people.mean().var() - within / people.count().mean())
        rows.append(
            {
                "measurement": name,
                "people": len(people),
                "videos": len(table),
                "within_sd": within**0.5,
                "between_sd": between**0.5,
                "ratio": (within / between) ** 0.5 if between else float("nan"),
                "largest_difference": (people.max() - people.min()).max(),
            }
        )
    return pd.DataFrame(rows)


def spans_of(measured: pd.DataFrame) -> pd.DataFrame:
    """By measurement and span of the recording: measured, SI."""
    return measured.loc[measured["subject"] == REAL, ["measurement", "video", "measured"]]


def main(known: Path, repeatability: Path, spans: Path) -> None:
    """Writes `repeatability` and `spans`, which has no rows without a recording."""
    measured = in_si(pd.read_csv(known))
    repeatability_of(measured[measured["subject"] != REAL]).to_csv(repeatability, index=False)
    spans_of(measured).to_csv(spans, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.known),
            Path(snakemake.output.repeatability),
            Path(snakemake.output.spans),
        )
