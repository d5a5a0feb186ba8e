"""Statistics of one video: what its estimates say together, and how far that can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from tapeless.bodies import SCALES
from tapeless.measurements import Table

UNCERTAINTY_FILE = Path(__file__).parent / "data" / "uncertainty.csv"

CONFIDENCE = 0.95

DESCRIPTION = ("count", "mean", "std", "min", "25%", "50%", "75%", "max")
STATISTICS_COLUMNS = (
    "video",
    "subject",
    "measurement",
    "unit",
    *DESCRIPTION,
    "low",
    "high",
    "definition",
)
"""A row of `statistics.csv` and of the `measurements.csv` of all videos."""


Uncertainty = Mapping[tuple[str, str, str], float]
"""Relative standard deviation by shape backend, measurement and scale."""


def load_uncertainty(path: Path = UNCERTAINTY_FILE) -> Uncertainty:
    """Reads what can be wrong with all estimates of a video alike.

    Sources of error are independent, so their relative standard deviations add in squares
    (JCGM 100:2008, "GUM", equation 10).

    Raises:
        ValueError: naming the file and the row that is wrong.
    """
    rows = pd.read_csv(path, comment="#")
    wrong = rows[~rows["scale"].isin(SCALES) | ~rows["relative_sd"].between(0, 1)]
    if len(wrong):
        allowed = f"allowed: scale {' or '.join(SCALES)}, relative_sd 0 to 1"
        raise ValueError(f"{path}: {wrong.iloc[0].to_dict()}; {allowed}")
    combined: dict[tuple[str, str, str], float] = {}
    for row in rows.to_dict("records"):
        key = (str(row["shape_backend"]), str(row["measurement"]), str(row["scale"]))
        combined[key] = math.hypot(combined.get(key, 0.0), row["relative_sd"])
    return combined


def interval(
    estimates: Sequence[float], relative_sd: float, *, are_independent: bool = True
) -> tuple[float, float]:
    """Where the truth lies with 95 % confidence, around the median of a video's estimates.

    Errors of size multiply, so everything is done on logarithms, which also keeps `low` above 0.
    Two uncertainties are combined as the GUM has it (JCGM 100:2008, 5.1.2 and annex G.4):

    * of the median, from the spread of n estimates, known with n - 1 degrees of freedom; nothing
      for a single estimate. Of independent ones: standard deviation / sqrt(n), times
      `median_penalty(n)`. Of others the standard deviation itself: more of the same does not make
      the median surer;
    * `relative_sd`, of what is wrong with all estimates alike, taken as known.

    The half width is their root sum of squares times Student's t at the effective degrees of
    freedom (Welch-Satterthwaite): with three estimates that disagree, t is 4.3 and not 2.

    Args:
        estimates: one or more values above 0.
        relative_sd: from `load_uncertainty`.
        are_independent: whether what is wrong with one tells nothing of the next.

    Returns:
        low and high, in the unit of the estimates.

    Raises:
        ValueError: if there is no estimate, or one is not above 0.
    """
    values = np.asarray(estimates, dtype=float)
    if len(values) == 0 or not (values > 0).all():
        raise ValueError(f"estimates are {values.tolist()}, allowed are one or more above 0")
    count = len(values)
    of_median = 0.0
    if count > 1:
        share = median_penalty(count) / math.sqrt(count) if are_independent else 1.0
        of_median = share * np.log(values).std(ddof=1)
    combined = math.hypot(of_median, relative_sd)
    freedom = (count - 1) * (combined / of_median) ** 4 if of_median > 0 else math.inf
    width = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * combined
    middle = float(np.median(values))
    return middle * math.exp(-width), middle * math.exp(width)


def median_penalty(count: int) -> float:
    """How much larger the standard error of a median is than that of the mean of `count` values.

    For normal errors: exact for 1 to 5 values (variances of the median of small normal samples,
    as tabulated since Hojo 1931), else sqrt(pi/2), which it tends to and stays below.
    """
    exact = {1: 1.0, 2: 1.0, 3: 1.1602, 4: 1.0922, 5: 1.1976}
    return exact.get(count, math.sqrt(math.pi / 2))


def summarize(
    estimates: pd.DataFrame,
    table: Table,
    uncertainty: Uncertainty,
    *,
    video: str,
    subject: str,
    shape_backend: str,
) -> pd.DataFrame:
    """Describes a video's estimates, a row per measurement, in the units of the reports.

    Args:
        estimates: a row per estimate, a column `<measurement>_<SI unit>` each, `scale`, and the
            number of its `frames`.
        table: the measurements, in the order of the rows.
        uncertainty: from `load_uncertainty`.
        video: id of the video.
        subject: who is in it, or "".
        shape_backend: what estimated the bodies, as the configuration has it.

    Returns:
        The columns of `STATISTICS_COLUMNS`: pandas' `describe()`, and the 95 % interval of the
        median. No rows if there is no estimate.

    Raises:
        KeyError: if the uncertainty of a measurement is not known.
    """
    if estimates.empty:
        return pd.DataFrame(columns=list(STATISTICS_COLUMNS))
    scale, are_independent = scale_of(estimates), _are_independent(estimates)
    rows = []
    for record in table.present(lambda record: record.si_column in estimates):
        values = estimates[record.si_column] * record.unit.factor
        key = (shape_backend, record.name, scale)
        if key not in uncertainty:
            raise KeyError(f"add a row for {', '.join(key)} to {UNCERTAINTY_FILE}")
        low, high = interval(values.tolist(), uncertainty[key], are_independent=are_independent)
        rows.append(
            {
                "video": video,
                "subject": subject,
                "measurement": record.name,
                "unit": record.unit.report,
                **values.describe().to_dict(),
                "low": low,
                "high": high,
                "definition": record.definition,
            }
        )
    frame = pd.DataFrame(rows, columns=list(STATISTICS_COLUMNS))
    return frame.astype({"count": int})


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
