"""Compares measured with true, and with what an average body scaled to the height would say.

Writes the error of every person and measurement, and the scores: per take, height (given or not),
method and measurement the number of people measured, bias, errors, coverage and more.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from calibrate_intervals import ESTIMATED, QUANTILES_COLUMNS, TURN
from scipy.special import ndtr
from use_intervals import BACKEND

from tapeless.intervals import (
    UNCERTAINTY_FILE,
    Uncertainty,
    load_uncertainty,
    relative_sd_of,
    student,
)
from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.units import UNITS

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

GIVEN, NOT_GIVEN = "given", "not given"
TAPELESS, AVERAGE, AVERAGE_OF_SEX = "tapeless", "average adult", "average woman or man"
SETTING = ["take", "height", "method", "measurement"]

FACTORS = {unit.report: unit.factor for unit in UNITS.values()}
QUANTITY_OF = {record.name: record.quantity for record in load_table().measurements}
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
    # Nobody vanishes because they were rejected.
    videos, names = (table[column].dropna().unique() for column in ("video", "measurement"))
    everybody = pd.MultiIndex.from_product([videos, names], names=["video", "measurement"])
    return (
        everybody.to_frame(index=False)
        .merge(table, how="left", on=["video", "measurement"], validate="one_to_one")
        .rename(columns={"50%": "measured"})
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


def add_narrower(errors: pd.DataFrame, quantiles: pd.DataFrame) -> pd.DataFrame:
    """Adds `inside_narrower` and `narrower`: of intervals as rendered people need them.

    Turns without a height have wider ones: what is assumed of the spread of statures is their
    floor. These have `relative_sd` of `quantiles` in its place. NaN for all others.
    """
    turned = quantiles[(quantiles["take"] == TURN) & (quantiles["scale"] == ESTIMATED)]
    known, z = load_uncertainty(), student(math.inf)
    changes = {
        str(name): z**2 * (own["relative_sd"] ** 2 - _given(known, str(name)) ** 2)
        for name, own in turned.set_index("measurement").iterrows()
    }
    is_it = errors["height"].eq(NOT_GIVEN) & errors["take"].eq(TURN)
    change = errors["measurement"].map(changes).where(is_it)
    half = np.sqrt(((np.log(errors["high"] / errors["low"]) / 2) ** 2 + change).clip(lower=0))
    middle = np.sqrt(errors["low"] * errors["high"])
    inside = (np.log(errors["true"] / middle).abs() <= half).astype(float).where(half.notna())
    return errors.assign(inside_narrower=inside, narrower=2 * middle * np.sinh(half))


def _given(known: Uncertainty, name: str) -> float:
    return relative_sd_of(known, BACKEND, name, QUANTITY_OF[name], ESTIMATED)


def scores_of(errors: pd.DataFrame) -> pd.DataFrame:
    """Bias and errors (SI and percent), coverage and width of intervals, by `SETTING`.

    `people` were measured, of `filmed`; `held` of the `judged` intervals hold the truth. `spread`
    is the standard deviation of what was measured over that of what is true: below 1 for a method
    that takes everybody for average.
    """
    table = errors.dropna(subset=["true"]).copy()
    table["error"] = table["measured"] - table["true"]
    table["percent"] = 100 * table["error"] / table["true"]
    table["absolute"], table["absolute_percent"] = table["error"].abs(), table["percent"].abs()
    table["width"] = table["high"] - table["low"]
    table["width_percent"] = 100 * table["width"] / table["measured"]
    table["narrower_percent"] = 100 * table["narrower"] / table["measured"]
    table["truth"] = table["true"].where(table["measured"].notna())
    scores = table.groupby(SETTING, sort=False).agg(
        people=("measured", "count"),
        filmed=("adult", "count"),
        bias=("error", "mean"),
        mae=("absolute", "mean"),
        p95=("absolute", _percentile_95),
        largest=("absolute", "max"),
        bias_percent=("percent", "mean"),
        mae_percent=("absolute_percent", "mean"),
        largest_percent=("absolute_percent", "max"),
        held=("inside", "sum"),
        judged=("inside", "count"),
        covered=("covered", "mean"),
        width=("width", "median"),
        width_percent=("width_percent", "median"),
        inside_narrower=("inside_narrower", "mean"),
        narrower_percent=("narrower_percent", "median"),
        measured_sd=("measured", "std"),
        true_sd=("truth", "std"),
    )
    scores["inside"] = scores["held"] / scores["judged"]
    scores["spread"] = scores.pop("measured_sd") / scores.pop("true_sd")
    return scores.reset_index()


def _percentile_95(values: pd.Series) -> float:
    own = values.dropna()
    return math.nan if own.empty else float(np.percentile(own, 95))


def _long(truth: pd.DataFrame) -> pd.DataFrame:
    return truth.drop(columns="sex").melt("adult", var_name="measurement", value_name="true")


def main(
    inputs: dict[str, Path],
    known: Path,
    unknown: Path | None,
    quantiles: Path | None,
    errors: Path,
    scores: Path,
) -> None:
    """Writes `errors` and `scores`; `quantiles` are those of the calibration, if there are any."""
    truth, films, average = (pd.read_csv(inputs[name]) for name in ("truth", "films", "average"))
    tables = [errors_of_tapeless(pd.read_csv(known), truth, films, GIVEN)]
    if unknown:
        tables.append(errors_of_tapeless(pd.read_csv(unknown), truth, films, NOT_GIVEN))
    table = pd.concat([*tables, errors_of_averages(average, truth)])
    table = add_coverage(table, given_height_sd())
    needs = pd.read_csv(quantiles) if quantiles else pd.DataFrame(columns=QUANTILES_COLUMNS)
    table = add_narrower(table, needs)
    table.to_csv(errors, index=False)
    scores_of(table).to_csv(scores, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            {name: Path(snakemake.input[name]) for name in ("truth", "films", "average")},
            Path(snakemake.input.known),
            Path(snakemake.input.unknown) if snakemake.input.unknown else None,
            Path(snakemake.input.quantiles) if snakemake.input.quantiles else None,
            Path(snakemake.output.errors),
            Path(snakemake.output.scores),
        )
