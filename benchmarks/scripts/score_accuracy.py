"""Compares measured with true, and with what an average body scaled to the height would say.

Writes the error of every person and measurement, and the scores: per setting (height given or not),
method and measurement the number of people measured, bias, mean absolute error and more.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from list_cohort import UNKNOWN

from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.units import UNITS

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

GIVEN, NOT_GIVEN = "height given", "height not given"
TAPELESS, AVERAGE, AVERAGE_OF_SEX = "tapeless", "average adult", "average woman or man"

FACTORS = {unit.report: unit.factor for unit in UNITS.values()}


def errors_of_tapeless(measurements: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """A row per person, setting and measurement, SI; those not measured have no `measured`.

    Columns: setting, method, adult, measurement, unit, measured, low, high, true.
    """
    table = measurements[["video", "measurement", "unit", "50%", "low", "high"]].copy()
    table["setting"] = table["video"].str.endswith(UNKNOWN).map({True: NOT_GIVEN, False: GIVEN})
    table["adult"] = table["video"].str.removesuffix(UNKNOWN)
    for column in ("50%", "low", "high"):
        table[column] /= table["unit"].map(FACTORS)
    return (
        table.rename(columns={"50%": "measured"})
        .drop(columns="video")
        .merge(_long(truth), on=["adult", "measurement"], validate="many_to_one")
        .assign(method=TAPELESS)
    )


def errors_of_averages(average: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """What an average body says of everybody: scaled to their height where that is given.

    Lengths and girths grow with the scale, mass with its cube. Columns as above, but no interval.
    """
    powers = {m.name: 3 if m.unit.si == "kg" else 1 for m in load_table().measurements}
    statures = average.set_index("who")["height"]
    averages = average.melt("who", var_name="measurement", value_name="average")
    people = _long(truth).merge(truth[["adult", "sex", "height"]], on="adult")
    tables = []
    for method, who in ((AVERAGE, "adult"), (AVERAGE_OF_SEX, people["sex"])):
        table = people.assign(who=who, method=method).merge(averages, on=["who", "measurement"])
        scale = table["height"] / table["who"].map(statures)
        scaled = table["average"] * scale ** table["measurement"].map(powers)
        tables.append(table.assign(setting=GIVEN, measured=scaled))
        tables.append(table.assign(setting=NOT_GIVEN, measured=table["average"]))
    return pd.concat(tables).drop(columns=["sex", "height", "who", "average"])


def scores_of(errors: pd.DataFrame) -> pd.DataFrame:
    """Bias, mean absolute and largest error, SI and percent, per setting, method and measurement.

    `within` is the share of true values inside the 95 % interval, where there is one.
    """
    table = errors.dropna(subset="measured").copy()
    table["error"] = table["measured"] - table["true"]
    table["percent"] = 100 * table["error"] / table["true"]
    table["absolute"], table["absolute_percent"] = table["error"].abs(), table["percent"].abs()
    inside = (table["low"] <= table["true"]) & (table["true"] <= table["high"])
    table["inside"] = inside.astype(float).where(table["low"].notna())
    groups = table.groupby(["setting", "method", "measurement"], sort=False)
    return groups.agg(
        people=("adult", "count"),
        bias=("error", "mean"),
        mae=("absolute", "mean"),
        bias_percent=("percent", "mean"),
        sd_percent=("percent", "std"),
        mae_percent=("absolute_percent", "mean"),
        largest_percent=("absolute_percent", "max"),
        within=("inside", "mean"),
    ).reset_index()


def _long(truth: pd.DataFrame) -> pd.DataFrame:
    return truth.drop(columns="sex").melt("adult", var_name="measurement", value_name="true")


def main(measurements: Path, truth: Path, average: Path, errors: Path, scores: Path) -> None:
    """Writes `errors` and `scores`."""
    true = pd.read_csv(truth)
    table = pd.concat(
        [
            errors_of_tapeless(pd.read_csv(measurements), true),
            errors_of_averages(pd.read_csv(average), true),
        ]
    )
    table.to_csv(errors, index=False)
    scores_of(table).to_csv(scores, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.measurements),
            Path(snakemake.input.truth),
            Path(snakemake.input.average),
            Path(snakemake.output.errors),
            Path(snakemake.output.scores),
        )
