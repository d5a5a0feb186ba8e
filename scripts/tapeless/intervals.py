"""How far the numbers of a video can be trusted: known sources of error, and the interval."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from tapeless.bodies import SCALES

UNCERTAINTY_FILE = Path(__file__).parent / "data" / "uncertainty.csv"

CONFIDENCE = 0.95

Uncertainty = Mapping[tuple[str, str, str], float]
"""Relative standard deviation by shape backend, measurement and scale."""


def load_uncertainty(path: Path = UNCERTAINTY_FILE) -> Uncertainty:
    """Reads what can be wrong with all estimates of a video alike.

    Sources of error are independent, so their relative standard deviations add in squares
    (JCGM 100:2008, "GUM", equation 10).

    Raises:
        ValueError: naming the file and the row that is wrong.
    """
    combined: dict[tuple[str, str, str], float] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(line for line in stream if not line.startswith("#")):
            relative_sd = float(row["relative_sd"] or math.nan)
            if row["scale"] not in SCALES or not 0 <= relative_sd <= 1:
                allowed = f"allowed: scale {' or '.join(SCALES)}, relative_sd 0 to 1"
                raise ValueError(f"{path}: {row}; {allowed}")
            key = (row["shape_backend"], row["measurement"], row["scale"])
            combined[key] = math.hypot(combined.get(key, 0.0), relative_sd)
    return combined


def relative_sd_of(
    uncertainty: Uncertainty, shape_backend: str, measurement: str, quantity: str, scale: str
) -> float:
    """What can be wrong with all estimates of a measurement alike, relative to its value.

    A measurement without rows of its own has those of `other <quantity>`.

    Args:
        uncertainty: from `load_uncertainty`.
        shape_backend: what estimated the bodies, as the configuration has it.
        measurement: its name.
        quantity: what kind of quantity it is, such as "girth".
        scale: what the size of the bodies rests on, see `bodies.SCALES`.

    Raises:
        KeyError: if there is neither, with what to add.
    """
    for name in (measurement, f"other {quantity}"):
        if (shape_backend, name, scale) in uncertainty:
            return uncertainty[shape_backend, name, scale]
    key = ", ".join((shape_backend, measurement, scale))
    raise KeyError(f"add a row for {key} to {UNCERTAINTY_FILE}")


def interval(
    estimates: Sequence[float],
    relative_sd: float,
    *,
    are_independent: bool = True,
) -> tuple[float, float]:
    """Where the truth lies with 95 % confidence, around the median of a video's estimates.

    Errors of size multiply, so everything is done on logarithms, which also keeps `low` above 0.
    Two independent errors have a 95 % half width each:

    * of the median, from the spread of n estimates: Student's t at n - 1 degrees of freedom (4.3
      with three) times its standard error, nothing for a single estimate. Of independent ones that
      is the standard deviation / sqrt(n), times `median_penalty(n)`. Of others the standard
      deviation itself: more of the same does not make the median surer;
    * of what is wrong with all estimates alike: 1.96 times `relative_sd`, which is taken as known.

    The interval's half width is the root of the sum of their squares (Zou and Donner, Statistics in
    Medicine 27, 2008: variances recovered from the intervals of each part). It never shrinks when
    one of them grows. Student's t at effective degrees of freedom (Welch-Satterthwaite; JCGM
    100:2008, "GUM", annex G.4) does: with three estimates, a little more that is known to be wrong
    takes t from 4.3 to 2 and makes the interval narrower.

    Args:
        estimates: one or more values above 0.
        relative_sd: from `relative_sd_of`.
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
        of_median = student(count - 1) * share * np.log(values).std(ddof=1)
    width = math.hypot(of_median, student(math.inf) * relative_sd)
    middle = float(np.median(values))
    return middle * math.exp(-width), middle * math.exp(width)


def student(freedom: float) -> float:
    """How many standard deviations the half width of a 95 % interval is; 1.96 of a known one."""
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def median_penalty(count: int) -> float:
    """How much larger the standard error of a median is than that of the mean of `count` values.

    For normal errors: exact for 1 to 5 values (variances of the median of small normal samples,
    as tabulated since Hojo 1931), else sqrt(pi/2), which it tends to and stays below.
    """
    exact = {1: 1.0, 2: 1.0, 3: 1.1602, 4: 1.0922, 5: 1.1976}
    return exact.get(count, math.sqrt(math.pi / 2))
