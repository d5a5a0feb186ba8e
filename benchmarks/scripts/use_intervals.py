"""Puts what calibration found into the library: what is uncertain, and how much wider fronts are.

Edits the two tables as they are now, and only what was measured. Rows of measured sources of error
are made anew for every measurement; assumed ones of the scale, and those of other shape backends,
stay. How much more the front only needs than a turn goes into the table of checks.
"""

import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from calibrate_intervals import ESTIMATED, FRONT, KNOWN, TURN

from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.units import QUANTITIES

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

BACKEND = "anny"
FIT = "fit"
COLUMNS = ["shape_backend", "measurement", "scale", "source", "relative_sd", "basis"]
BASIS = "measured: calibration cohort seed {seed}, {people} adults"
CALIBRATED_PATTERN = r"^measured: calibration cohort seed \d+, (\d+) adults"
"""What `BASIS` looks like in the table."""

STATE_MARK = "# now:"
STATE = (
    f"{STATE_MARK} the rows `fit` of Anny are measured, on rendered adults; what the scale adds is "
    "assumed.\n"
)
"""What the table says of itself once intervals were calibrated."""

LEAST_SD = 1e-4


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
    """By scale: the assumed row of lengths that says how wrong the scale is."""
    lengths = rows[(rows["shape_backend"] == BACKEND) & (rows["measurement"] == "other length")]
    return {row["scale"]: row for _, row in lengths[lengths["source"].ne(FIT)].iterrows()}


def with_others(quantiles: pd.DataFrame) -> pd.DataFrame:
    """Quantiles by measurement, and the largest of each quantity for those that are not there."""
    worst = quantiles.sort_values("relative_sd").groupby("quantity").tail(1)
    names = "other " + worst["quantity"]
    return pd.concat([quantiles, worst.assign(measurement=names)]).set_index("measurement")


def make_rows(
    quantiles: pd.DataFrame, rows: pd.DataFrame, seed: int
) -> Iterator[dict[str, object]]:
    """The rows of the backend: each measurement at each scale, then those of other measurements.

    What the scale adds is always what is assumed of it, with its power. Without a height, too: the
    proportions of rendered people give their stature away more than those of real ones do, so that
    what they need is too little. It counts where it is more than the two together.
    """
    turned = quantiles[quantiles["take"] == TURN]
    known, unknown = (with_others(turned[turned["scale"] == scale]) for scale in (KNOWN, ESTIMATED))
    needed_without = unknown["relative_sd"].to_dict()
    for scale, of_scale in rows_of_scale(rows).items():
        for name, own in known.iterrows():
            key = {"shape_backend": BACKEND, "measurement": name, "scale": scale}
            power = QUANTITIES[own["quantity"]][1]
            scale_sd = of_scale["relative_sd"] * power
            if power:
                says_why = name in ("height", "other length")
                why = of_scale["basis"] if says_why else f"assumed: {power} x that of lengths"
                row = {"source": of_scale["source"], "relative_sd": scale_sd, "basis": why}
                yield key | row
            fit_sd, why = own["relative_sd"], BASIS.format(seed=seed, people=own["people"])
            why += _what(str(name), scale)
            if scale == ESTIMATED and name in needed_without:
                total = needed_without[name]
                beside = math.sqrt(max(0.0, total**2 - scale_sd**2))
                verdict = "which counts" if beside > fit_sd else "less than is given here in all"
                why += f"; without one, {100 * total:.1f} % in all, {verdict}"
                fit_sd = max(fit_sd, beside)
            sd = max(math.ceil(1e4 * fit_sd) / 1e4, LEAST_SD)
            yield key | {"source": FIT, "relative_sd": sd, "basis": why}


def _what(name: str, scale: str) -> str:
    worst = ", the largest of its quantity" if name.startswith("other ") else ""
    return worst + ("" if scale == KNOWN else ", with a known height")


def rewrite(path: Path, quantiles: pd.DataFrame, seed: int) -> None:
    """Makes the backend's rows anew in the table `path`; all other lines stay, but for `STATE`.

    Rows of kinds of quantities that nothing was measured of stay, too.
    """
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    comments = [line for line in lines if line.startswith("#") and not line.startswith(STATE_MARK)]
    _, *own = (line for line in lines if not line.startswith("#"))
    rows = pd.read_csv(path, comment="#", keep_default_na=False)
    made = pd.DataFrame(make_rows(quantiles, rows, seed), columns=COLUMNS)
    is_other = rows["measurement"].str.startswith("other ")
    is_made = rows["measurement"].isin(made["measurement"]) | ~is_other
    is_kept = ~((rows["shape_backend"] == BACKEND) & is_made)
    kept = [line for line, stays in zip(own, is_kept, strict=True) if stays]
    made["relative_sd"] = made["relative_sd"].map("{:.4f}".format)
    text = "".join([*comments, STATE, made.to_csv(index=False), *kept])
    path.write_text(text, encoding="utf-8")


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


def main(quantiles: Path, uncertainty: Path, checks: Path, *, seed: int) -> None:
    """Edits `uncertainty` and `checks`, tables of the library."""
    table = pd.read_csv(quantiles)
    rows = pd.read_csv(uncertainty, comment="#", keep_default_na=False)
    factors = widening_of(table, float(rows_of_scale(rows)[KNOWN]["relative_sd"]))
    rewrite(uncertainty, table, seed)
    if factors:
        people = table.loc[table["take"] == FRONT, "people"].min()
        rewrite_widening(checks, factors, BASIS.format(seed=seed, people=people))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        library = Path(snakemake.params.library)
        main(
            Path(snakemake.input.quantiles),
            library / "uncertainty.csv",
            library / "checks.yaml",
            seed=snakemake.params.seed,
        )
