"""Compares measured with true, and with what an average body scaled to the height would say.

Writes the error of every person and measurement, and the scores: per take, height (given or not),
method and measurement the number of people measured, bias, errors, coverage and more.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr

from tapeless.intervals import UNCERTAINTY_FILE
from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.units import UNITS

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

GIVEN, NOT_GIVEN = "given", "not given"
TAPELESS, AVERAGE, AVERAGE_OF_SEX = "tapeless", "average adult", "average woman or man"
SETTING = ["take", "height", "method", "measurement"]

FACTORS = {unit.report: unit.factor for unit in UNITS.values()}
POWERS = {record.name: record.power for record in load_table().measurements}


def given_height_sd(path: Path = UNCERTAINTY_FILE) -> float:
    """How wrong a height that people give is taken to be, as a relative standard deviation."""
    rows = pd.read_csv(path, comment="#")
    is_it = rows["source"].eq("given height") & rows["measurement"].eq("other length")
    return float(rows.loc[is_it, "relative_sd"].iloc[0])


def errors_of_tapeless(
    measurements: pd.DataFrame, truth: pd.DataFrame, films: pd.DataFrame, height: str
) -> pd.DataFrame:
    """A row per video and measurement, SI; those not measured have no `measured`.

    Columns: take, height, method, adult, measurement, measured, low, high, true, height_cm.
    """
    table = measurements[["video", "measurement", "unit", "50%", "low", "high"]].copy()
    for column in ("50%", "low", "high"):
        table[column] /= table["unit"].map(FACTORS)
    return (
        table.rename(columns={"50%": "measured"})
        .drop(columns="unit")
        .merge(films[["video", "adult", "take"]], on="video", validate="many_to_one")
        .drop(columns="video")
        .merge(_long(truth), on=["adult", "measurement"], validate="many_to_one")
        .assign(method=TAPELESS, height=height)
    )


def errors_of_averages(average: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """What an average body says of everybody: scaled to their height where that is given.

    Each measurement grows with its own power of the scale. Columns as above, but no interval, and
    no take.
    """
    statures = average.set_index("who")["height"]
    averages = average.melt("who", var_name="measurement", value_name="average")
    people = _long(truth).merge(truth[["adult", "sex"]], on="adult")
    own = people["adult"].map(truth.set_index("adult")["height"])
    tables = []
    for method, who in ((AVERAGE, "adult"), (AVERAGE_OF_SEX, people["sex"])):
        table = people.assign(who=who, method=method, own=own)
        table = table.merge(averages, on=["who", "measurement"])
        scale = table["own"] / table["who"].map(statures)
        scaled = table["average"] * scale ** table["measurement"].map(POWERS)
        tables.append(table.assign(height=GIVEN, measured=scaled))
        tables.append(table.assign(height=NOT_GIVEN, measured=table["average"]))
    return pd.concat(tables).drop(columns=["sex", "who", "average", "own"]).assign(take="")


def add_coverage(errors: pd.DataFrame, height_sd: float) -> pd.DataFrame:
    """Adds `inside`, 1 where the interval holds the truth, and `covered`.

    Everybody in a cohort gives their exact height. `covered` is the probability that the interval
    would hold the truth if the given height had an error of relative standard deviation
    `height_sd`, which moves value and interval alike, by its power of the scale. Both are NaN
    without an interval.
    """
    table = errors.copy()
    has_interval = table["low"].notna() & table["true"].notna()
    inside = (table["low"] <= table["true"]) & (table["true"] <= table["high"])
    table["inside"] = inside.astype(float).where(has_interval)
    share = table["measurement"].map(POWERS) * height_sd
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = [np.log(table["true"] / table[bound]) / share for bound in ("low", "high")]
        moved = ndtr(reach[0]) - ndtr(reach[1])
    is_moved = table["height"].eq(GIVEN) & (share > 0)
    table["covered"] = table["inside"].where(~is_moved, moved).where(has_interval)
    return table


def scores_of(errors: pd.DataFrame) -> pd.DataFrame:
    """Bias and errors (SI and percent), coverage and width of intervals, by `SETTING`.

    `spread` is the standard deviation of what was measured over that of what is true: below 1 for
    a method that takes everybody for average.
    """
    table = errors.dropna(subset=["measured", "true"]).copy()
    table["error"] = table["measured"] - table["true"]
    table["percent"] = 100 * table["error"] / table["true"]
    table["absolute"], table["absolute_percent"] = table["error"].abs(), table["percent"].abs()
    table["width"] = table["high"] - table["low"]
    table["width_percent"] = 100 * table["width"] / table["measured"]
    scores = table.groupby(SETTING, sort=False).agg(
        people=("adult", "count"),
        bias=("error", "mean"),
        mae=("absolute", "mean"),
        p95=("absolute", _percentile_95),
        largest=("absolute", "max"),
        bias_percent=("percent", "mean"),
        mae_percent=("absolute_percent", "mean"),
        largest_percent=("absolute_percent", "max"),
        inside=("inside", "mean"),
        covered=("covered", "mean"),
        width=("width", "median"),
        width_percent=("width_percent", "median"),
        measured_sd=("measured", "std"),
        true_sd=("true", "std"),
    )
    scores["spread"] = scores.pop("measured_sd") / scores.pop("true_sd")
    return scores.reset_index()


def _percentile_95(values: pd.Series) -> float:
    return math.nan if values.empty else float(np.percentile(values, 95))


def _long(truth: pd.DataFrame) -> pd.DataFrame:
    return truth.drop(columns="sex").melt("adult", var_name="measurement", value_name="true")


def main(
    inputs: dict[str, Path], known: Path, unknown: Path | None, errors: Path, scores: Path
) -> None:
    """Writes `errors` and `scores`."""
    truth, films, average = (pd.read_csv(inputs[name]) for name in ("truth", "films", "average"))
    tables = [errors_of_tapeless(pd.read_csv(known), truth, films, GIVEN)]
    if unknown:
        tables.append(errors_of_tapeless(pd.read_csv(unknown), truth, films, NOT_GIVEN))
    table = pd.concat([*tables, errors_of_averages(average, truth)])
    table = add_coverage(table, given_height_sd())
    table.to_csv(errors, index=False)
    scores_of(table).to_csv(scores, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            {name: Path(snakemake.input[name]) for name in ("truth", "films", "average")},
            Path(snakemake.input.known),
            Path(snakemake.input.unknown) if snakemake.input.unknown else None,
            Path(snakemake.output.errors),
            Path(snakemake.output.scores),
        )
