"""Finds out how wide intervals have to be.

For every video of people whose measurements are known: the smallest relative standard deviation
(beside the spread of the video's estimates) whose 95 % interval holds the truth. Of these needs, a
95 % quantile is what new people need; a table has it for every measurement, after a turn and from
the front only. Videos and measurements whose interval a check widens are left out, for in use they
get that on top.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import betainc

from tapeless.checks import Finding, added_sd, read_checks, rejection
from tapeless.intervals import CONFIDENCE, interval
from tapeless.logs import job_log
from tapeless.measurements import Measurement, load_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

KNOWN, ESTIMATED = "known_height", "estimated"
TURN, FRONT = "turn", "front"
NO_TURN = "no_turn"
QUANTILES_COLUMNS = ["take", "scale", "measurement", "quantity", "people", "relative_sd"]
_BISECTIONS = 20


def needed_sd(estimates: Sequence[float], true: float) -> float:
    """The smallest relative standard deviation, to 1e-6, whose interval holds `true`; at most 1."""
    low, high = 0.0, 1.0
    if _holds(estimates, low, true):
        return low
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if _holds(estimates, middle, true) else (middle, high)
    return high


def _holds(estimates: Sequence[float], relative_sd: float, true: float) -> bool:
    low, high = interval(estimates, relative_sd)
    return low <= true <= high


def quantile(values: Sequence[float], level: float = CONFIDENCE) -> float:
    """The quantile of few values, as Harrell and Davis (Biometrika 69, 1982) estimate it.

    A mean of all values by their ranks, which scatters less than the one value at a rank. Its
    weights lie around rank (n + 1) `level`, the one below which a further value falls with that
    probability, as in conformal prediction.
    """
    count = len(values)
    shares = betainc((count + 1) * level, (count + 1) * (1 - level), np.arange(count + 1) / count)
    return float(np.diff(shares) @ np.sort(values))


def is_usual(findings: Sequence[Finding], take: str, record: Measurement) -> bool:
    """Whether no check widens the interval of a measurement; of a front, but for the missing turn.

    What it is in use, then, is what is calibrated here, and nothing besides.
    """
    others = [finding for finding in findings if finding.check != NO_TURN]
    is_turn_missed = any(f.check == NO_TURN and f.consequence == "widen" for f in findings)
    is_widened = added_sd(others, record, usual_sd=1.0) > 0
    return not is_widened and is_turn_missed == (take == FRONT)


def read_needs(folders: Sequence[Path], truth: pd.DataFrame) -> pd.DataFrame:
    """What every usual video needs: take, scale, adult, measurement, quantity, needed_sd.

    Args:
        folders: of the videos, named by adult and take, with the `measurements.csv` of their
            estimates in them, and the `checks.csv`. Who is rejected by a check has no needs.
        truth: a row per adult, SI.
    """
    true = truth.set_index("adult")
    rows = []
    for folder in folders:
        estimates = pd.read_csv(folder / "measurements.csv")
        findings = read_checks(folder / "checks.csv")
        if rejection(findings):
            continue
        adult, take = folder.name.split("-")
        for record in load_table().measurements:
            if record.si_column not in estimates or record.name not in true:
                continue
            values = estimates[record.si_column].dropna().tolist()
            right = float(true[record.name][adult])
            if not values or math.isnan(right):
                continue
            if not is_usual(findings, take, record):
                continue
            row = {"take": take, "scale": estimates["scale"].iloc[0], "adult": adult}
            row |= {"measurement": record.name, "quantity": record.quantity}
            rows.append({**row, "needed_sd": needed_sd(values, right)})
    return pd.DataFrame(rows)


def quantiles_of(needs: pd.DataFrame) -> pd.DataFrame:
    """By take, scale and measurement: quantity, people, and the relative_sd that covers."""
    groups = needs.groupby(["take", "scale", "measurement"], sort=False)
    return groups.agg(
        quantity=("quantity", "first"),
        people=("adult", "nunique"),
        relative_sd=("needed_sd", quantile),
    ).reset_index()


def main(videos: Sequence[Path], truth: Path, quantiles: Path, needs: Path) -> None:
    """Writes `needs`, of every video, and `quantiles`."""
    table = read_needs(videos, pd.read_csv(truth))
    table.to_csv(needs, index=False)
    quantiles_of(table).to_csv(quantiles, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path).parent for path in (*snakemake.input.known, *snakemake.input.unknown)],
            Path(snakemake.input.truth),
            Path(snakemake.output.quantiles),
            Path(snakemake.output.needs),
        )
