"""Compares videos of the same people: rendered ones filmed again, and spans of a real recording.

Writes a row per measurement, with the columns of `tapeless.repeatability`: how much videos of one
person differ, and how much people do; and a row per measurement and span of the recording.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from list_cohort import REAL
from score_accuracy import FACTORS

from tapeless.logs import job_log
from tapeless.repeatability import Repeated, analyse

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def in_si(measurements: pd.DataFrame) -> pd.DataFrame:
    """Medians of all videos in SI units: video, subject, measurement, measured."""
    table = measurements[["video", "subject", "measurement"]].copy()
    table["measured"] = measurements["50%"] / measurements["unit"].map(FACTORS)
    return table


def repeatability_of(measured: pd.DataFrame) -> pd.DataFrame:
    """By measurement: the fields of `Repeatability` and the largest difference of videos (SI).

    Of all people alike, whatever their sex and height, and without norms: this is about videos of
    the same people. Whether people are told apart is seen against their true measurements.
    """
    rows = []
    for name, table in measured.dropna(subset="measured").groupby("measurement", sort=False):
        people = table.groupby("subject")["measured"]
        found = analyse([Repeated(values.tolist()) for _, values in people], population_sd=None)
        largest = (people.max() - people.min()).max()
        rows.append({"measurement": name, **asdict(found), "largest_difference": largest})
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
