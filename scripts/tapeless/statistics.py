"""Statistics of one video: what its estimates say together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from tapeless.intervals import Uncertainty, interval, relative_sd_of
from tapeless.measurements import Measurement, Table

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTION = ("count", "mean", "std", "min", "25%", "50%", "75%", "max")
STATISTICS_COLUMNS = (
    "video",
    "subject",
    "person",
    "measurement",
    "unit",
    *DESCRIPTION,
    "low",
    "high",
    "common_relative_sd",
    "definition",
    "flags",
)
"""A row of `statistics.csv` and of the `measurements.csv` of all videos."""

_USUAL_BACKEND, _USUAL_SCALE = "anny", "known_height"
"""What the factors of the checks were measured on, so that it is its uncertainty they multiply,
whatever a video's own backend and scale."""


def summarize(
    estimates: pd.DataFrame,
    table: Table,
    uncertainty: Uncertainty,
    *,
    shape_backend: str,
    added_sd: Callable[[Measurement, float], float] = lambda _measurement, _usual_sd: 0.0,
) -> pd.DataFrame:
    """Describes the estimates of one person, a row per measurement, in the units of the reports.

    Args:
        estimates: a row per estimate, a column `<measurement>_<SI unit>` each, `scale`, the number
            of its `frames`, and `flags` (`<measurement>=<flag>`, joined by `;`, or nothing).
        table: the measurements, in the order of the rows.
        uncertainty: from `load_uncertainty`.
        shape_backend: what estimated the bodies, as the configuration has it.
        added_sd: the error that the checks of the video add to a measurement, given its usual
            uncertainty: a relative standard deviation. It adds in squares (JCGM 100:2008, "GUM",
            equation 10), and not in proportion: clothes that are loose do not make a stature that
            nobody knows less known.

    Returns:
        The columns of `STATISTICS_COLUMNS` from `measurement` on: pandas' `describe()`, the 95 %
        interval of the median, the part of it that is common to all estimates, and the flags that
        at least half of the estimates have. No rows if there is no estimate; a count of 0 and NaN
        for what could be taken on none of them.

    Raises:
        KeyError: if the uncertainty of a measurement is not known.
    """
    import pandas as pd  # here, as the reports of all videos ask for nothing but the columns

    columns = list(STATISTICS_COLUMNS[STATISTICS_COLUMNS.index("measurement") :])
    if estimates.empty:
        return pd.DataFrame(columns=columns)
    scale, are_independent = scale_of(estimates), _are_independent(estimates)
    flags = _common_flags(estimates["flags"])
    rows = []
    for record in table.present(lambda record: record.si_column in estimates):
        # A body may lack what even one of `MAIN` rests on.
        found = estimates.get(record.si_column, pd.Series(dtype=float))
        values = found.dropna() * record.unit.factor
        own_sd, usual_sd = (
            relative_sd_of(uncertainty, backend, record.name, record.quantity, of_scale)
            for backend, of_scale in ((shape_backend, scale), (_USUAL_BACKEND, _USUAL_SCALE))
        )
        relative_sd = math.hypot(own_sd, added_sd(record, usual_sd))
        row = _describe(record, values, relative_sd, are_independent=are_independent)
        rows.append(row | {"flags": ";".join(flags.get(record.name, ()))})
    return pd.DataFrame(rows, columns=columns).astype({"count": int})


def _describe(
    record: Measurement, values: pd.Series[float], relative_sd: float, *, are_independent: bool
) -> dict[Hashable, object]:
    """The row of one measurement but for its flags; `values` are in the unit of the reports."""
    low, high = math.nan, math.nan
    if len(values):
        low, high = interval(values.tolist(), relative_sd, are_independent=are_independent)
    return {
        "measurement": record.name,
        "unit": record.unit.report,
        **values.describe().to_dict(),
        "low": low,
        "high": high,
        "common_relative_sd": relative_sd,
        "definition": record.definition,
    }


def _common_flags(flags: pd.Series[str]) -> dict[str, list[str]]:
    """The flags of each measurement that at least half of the estimates have, sorted."""
    seen = Counter(
        flag for cell in flags if isinstance(cell, str) for flag in set(cell.split(";")) if flag
    )
    found: dict[str, list[str]] = {}
    for flag in sorted(flag for flag, count in seen.items() if 2 * count >= len(flags)):
        measurement, _, code = flag.partition("=")
        found.setdefault(measurement, []).append(code)
    return found


def _are_independent(estimates: pd.DataFrame) -> bool:
    """Whether each estimate rests on frames of its own all over the video.

    Not so of one estimate a frame, as SHAPY gives them: pictures of one person, in the same clothes
    and room, before the same network. What differs between them is known to be as large as the
    error itself (two nearly identical pictures gave 1.75 m and 1.62 m, SHAPY's issue 39), and
    nobody has shown how much of it goes away in the median of a video: so none is taken to.
    """
    return bool((estimates["frames"] > 1).any())


def scale_of(estimates: pd.DataFrame) -> str:
    """What the size of a video's estimates rests on; it is the same for all of them.

    Raises:
        ValueError: if it is not.
    """
    scales = estimates["scale"].unique().tolist()
    if len(scales) != 1:
        raise ValueError(f"estimates of one video have the scales {scales}, allowed is one")
    return str(scales[0])
