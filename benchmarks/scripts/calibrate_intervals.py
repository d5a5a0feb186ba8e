"""Finds out how wide intervals have to be, and makes the library's tables of uncertainty anew.

For every video of people whose measurements are known: the smallest relative standard deviation
(beside the spread of the video's estimates) whose 95 % interval holds the truth. Of these needs, a
95 % quantile is what new people need. Rows of measured sources of error are made anew for every
measurement of the table; assumed ones of the scale, and those of other shape backends, are kept.
How much more the front only needs than a turn goes into the table of checks.
"""

import io
import math
import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import betainc

from tapeless.intervals import CONFIDENCE, interval
from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.units import QUANTITIES

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

BACKEND = "anny"
KNOWN, ESTIMATED = "known_height", "estimated"
TURN, FRONT = "turn", "front"
FIT = "fit"
COLUMNS = ["shape_backend", "measurement", "scale", "source", "relative_sd", "basis"]
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


def read_needs(folders: Sequence[Path], truth: pd.DataFrame) -> pd.DataFrame:
    """What every video needs: take, scale, adult, measurement, quantity, needed_sd.

    Args:
        folders: of the videos, with the `measurements.csv` of their estimates in them, named by
            adult and take.
        truth: a row per adult, SI.
    """
    true = truth.set_index("adult")
    rows = []
    for folder in folders:
        estimates = pd.read_csv(folder / "measurements.csv")
        adult, take = folder.name.split("-")
        for record in load_table().measurements:
            if record.si_column not in estimates or record.name not in true:
                continue
            values = estimates[record.si_column].dropna().tolist()
            right = float(true[record.name][adult])
            if not values or math.isnan(right):
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


def widening_of(quantiles: pd.DataFrame, known_sd: float) -> dict[str, float]:
    """By measurement: how much wider than after a turn the front only has to be; at least 1.

    `known_sd` is the uncertainty of a height that is given, which both share.
    """
    powers = {record.name: record.power for record in load_table().measurements}
    known = quantiles[quantiles["scale"] == KNOWN]
    own = {
        take: known[known["take"] == take].set_index("measurement")["relative_sd"]
        for take in (TURN, FRONT)
    }
    both = own[TURN].index.intersection(own[FRONT].index)
    totals = {
        take: [math.hypot(own[take][name], known_sd * powers[name]) for name in both]
        for take in own
    }
    pairs = zip(both, totals[FRONT], totals[TURN], strict=True)
    return {name: max(1.0, front / max(turn, 1e-6)) for name, front, turn in pairs}


def rows_of_scale(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """By scale: the assumed row of lengths that says how wrong the scale is; none if estimated."""
    lengths = rows[(rows["shape_backend"] == BACKEND) & (rows["measurement"] == "other length")]
    assumed = lengths[lengths["source"].ne(FIT) & lengths["scale"].ne(ESTIMATED)]
    return {row["scale"]: row for _, row in assumed.iterrows()}


def make_rows(quantiles: pd.DataFrame, rows: pd.DataFrame, basis: str) -> list[dict[str, object]]:
    """The rows of the backend: each measurement at each scale, then those of other measurements."""
    turned = quantiles[quantiles["take"] == TURN]
    made = []
    for scale, of_scale in (*rows_of_scale(rows).items(), (ESTIMATED, None)):
        measured = turned[turned["scale"] == (ESTIMATED if of_scale is None else KNOWN)]
        people = measured["people"].min()
        worst = measured.groupby("quantity")["relative_sd"].max()
        columns = (measured[name] for name in ("measurement", "quantity", "relative_sd"))
        names: list[tuple[str, str, float]] = list(zip(*columns, strict=True))
        names += [(f"other {quantity}", str(quantity), sd) for quantity, sd in worst.items()]
        for name, quantity, fit_sd in names:
            key = {"shape_backend": BACKEND, "measurement": name, "scale": scale}
            power = QUANTITIES[quantity][1]
            if of_scale is not None and power:
                is_length = name == "other length"
                why = of_scale["basis"] if is_length else f"assumed: {power} x that of lengths"
                sd = of_scale["relative_sd"] * power
                made.append({**key, "source": of_scale["source"], "relative_sd": sd, "basis": why})
            why = basis.format(people=people) + _what(name, scale)
            sd = math.ceil(1e4 * fit_sd) / 1e4
            made.append({**key, "source": FIT, "relative_sd": max(sd, 1e-4), "basis": why})
    return made


def _what(name: str, scale: str) -> str:
    worst = ", the largest of its quantity" if name.startswith("other ") else ""
    return worst + ("" if scale in (KNOWN, ESTIMATED) else ", with a known height")


def rewrite(path: Path, quantiles: pd.DataFrame, basis: str) -> None:
    """Makes the backend's rows anew in the table `path`; its comments and other rows stay.

    Rows of kinds of quantities that nothing was measured of stay, too.
    """
    text = path.read_text(encoding="utf-8")
    comments = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    rows = pd.read_csv(io.StringIO(text), comment="#", keep_default_na=False)
    made = pd.DataFrame(make_rows(quantiles, rows, basis), columns=COLUMNS)
    is_other = rows["measurement"].str.startswith("other ")
    is_made = rows["measurement"].isin(made["measurement"]) | ~is_other
    kept = rows[~((rows["shape_backend"] == BACKEND) & is_made)]
    table = pd.concat([made, kept])
    table["relative_sd"] = table["relative_sd"].map("{:.4f}".format)
    path.write_text(comments + table.to_csv(index=False), encoding="utf-8")


def rewrite_widening(path: Path, factors: Mapping[str, float], basis: str) -> None:
    """Says in the table of checks how much wider intervals are when nobody turned.

    Measurements that nobody measured here, the users' own, have the largest factor of their
    quantity. The rest of the file stays as it is.

    Raises:
        ValueError: if the check is not in the file, in the form that it has there.
    """
    quantities: dict[str, float] = {}
    for record in load_table().measurements:
        if record.name in factors:
            largest = max(factors[record.name], quantities.get(record.quantity, 1.0))
            quantities[record.quantity] = largest
    rounded = {name: math.ceil(100 * factor) / 100 for name, factor in factors.items()}
    rounded = {name: math.ceil(100 * f) / 100 for name, f in quantities.items()} | rounded
    entries = textwrap.fill(
        ", ".join(f"{name}: {factor:.2f}" for name, factor in rounded.items()),
        width=110,
        initial_indent=6 * " ",
        subsequent_indent=6 * " ",
    )
    pattern = r"(- code: no_turn\n(?:(?!- code:).)*?widens: )\{.*?\}(\n *widens_because: )\".*?\""
    text, count = re.subn(
        pattern,
        lambda match: f'{match[1]}{{\n{entries}\n    }}{match[2]}"{basis}"',
        path.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{path}: no check no_turn with widens and widens_because")
    path.write_text(text, encoding="utf-8")


def main(
    known: Sequence[Path],
    unknown: Sequence[Path],
    truth: Path,
    library: Path,
    outputs: Mapping[str, Path],
    *,
    seed: int,
) -> None:
    """Writes `outputs`: needs, widening, and uncertainty and checks made of those in `library`."""
    needs = read_needs([path.parent for path in (*known, *unknown)], pd.read_csv(truth))
    needs.to_csv(outputs["needs"], index=False)
    quantiles = quantiles_of(needs)
    rows = pd.read_csv(library / "uncertainty.csv", comment="#", keep_default_na=False)
    factors = widening_of(quantiles, float(rows_of_scale(rows)[KNOWN]["relative_sd"]))
    pd.Series(factors, name="factor").rename_axis("measurement").to_csv(outputs["widening"])
    basis = f"measured: calibration cohort seed {seed}, {{people}} adults"
    shutil.copyfile(library / "uncertainty.csv", outputs["uncertainty"])
    rewrite(outputs["uncertainty"], quantiles, basis)
    shutil.copyfile(library / "checks.yaml", outputs["checks"])
    front = quantiles[quantiles["take"] == FRONT]
    rewrite_widening(outputs["checks"], factors, basis.format(people=front["people"].min()))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.known],
            [Path(path) for path in snakemake.input.unknown],
            Path(snakemake.input.truth),
            Path(snakemake.params.library),
            {name: Path(path) for name, path in snakemake.output.items()},
            seed=snakemake.params.seed,
        )
