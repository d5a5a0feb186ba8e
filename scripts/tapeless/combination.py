"""Several videos of one person: what they say together, and whether they can be of one person."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import mul

from scipy.special import chdtrc, ndtri, stdtrit

CONFIDENCE = 0.95
SIGNIFICANCE = 0.01
"""How seldom videos of one person, whose intervals are right, are said to disagree."""

_NORMAL = float(ndtri((1 + CONFIDENCE) / 2))


@dataclass(frozen=True)
class Reading:
    """What one video says of a measurement: its median, its 95 % interval, in any one unit.

    `common_relative_sd` is the part of its uncertainty, relative to the value, that is common to
    all estimates of the video: more of the same does not make it smaller.
    """

    value: float
    low: float
    high: float
    common_relative_sd: float

    @property
    def log_sd(self) -> float:
        """The standard deviation of a normal error of the logarithm with the same interval."""
        return math.log(self.high / self.low) / (2 * _NORMAL)


@dataclass(frozen=True)
class Combined:
    """What the videos of one person say together, in their unit.

    Attributes:
        value: their mean, weighted by their intervals.
        low, high: its 95 % interval.
        sd: standard deviation between the videos, unweighted; None of a single one.
        videos_disagree: whether they differ by more than their intervals explain.
    """

    value: float
    low: float
    high: float
    sd: float | None
    videos_disagree: bool


def combine(readings: Sequence[Reading], *, comparisons: int = 1) -> Combined:
    """The mean of several videos of one person, weighted by their own intervals.

    On logarithms x, as errors of size multiply. A video's interval has the standard deviation s,
    of which c is common to all its estimates, and u**2 = s**2 - c**2 is not. Weights are
    w = 1 / s**2, scaled to add up to 1. What is wrong with the mean has two parts:

    * what is common to the videos: sum(w * c). The given height is the same in each, and so is
      what the method gets wrong about this person's build; nobody has shown how much of it would
      go away. Errors that are fully correlated add up, and not their squares (JCGM 100:2008,
      "GUM", 5.2.2, note 1);
    * what differs between them: the larger of the *internal* variance sum(w**2 * u**2), which the
      intervals give, and the *external* one sum(w * (x - mean)**2) / (n - 1), which the spread of
      the videos gives. The root of external over expected is Birge's ratio (Physical Review 40,
      207, 1932); taking the larger is what the Particle Data Group does with its scale factor.

    They add in squares. The excess of the external variance over the internal one is known with
    n - 1 degrees of freedom, so that Student's t at the effective ones (GUM, G.4) takes the place
    of 1.96 where there is any. A single video keeps its own interval.

    Videos disagree if sum((x - mean)**2 / s**2) is larger than chi-squared with n - 1 degrees of
    freedom is once in 100 subjects. Common errors do not set videos apart, so that it is seldomer.

    Args:
        readings: one or more, a video each.
        comparisons: how many measurements of the person are compared in this way; what is allowed
            to chance is divided by it (Bonferroni).

    Raises:
        ValueError: if there is no reading, or one without 0 < low < high.
    """
    if not readings or not all(0 < r.low < r.high for r in readings):
        raise ValueError(f"{list(readings)}: allowed are one or more with 0 < low < high")
    count = len(readings)
    x = [math.log(reading.value) for reading in readings]
    s = [reading.log_sd for reading in readings]
    c = [min(reading.common_relative_sd, reading.log_sd) for reading in readings]
    total = sum(1 / sd**2 for sd in s)
    weights = [1 / sd**2 / total for sd in s]
    mean = _dot(weights, x)
    squares = [(value - mean) ** 2 for value in x]
    own = [sd**2 - common**2 for sd, common in zip(s, c, strict=True)]
    internal = _dot([weight**2 for weight in weights], own)
    external = _dot(weights, squares) / (count - 1) if count > 1 else 0.0
    excess = max(0.0, external - internal)
    variance = _dot(weights, c) ** 2 + internal + excess
    freedom = (count - 1) * (variance / excess) ** 2 if excess > 0 else math.inf
    width = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(variance)
    differences = sum(square / sd**2 for square, sd in zip(squares, s, strict=True))
    return Combined(
        value=math.exp(mean),
        low=math.exp(mean - width),
        high=math.exp(mean + width),
        sd=_standard_deviation([reading.value for reading in readings]),
        videos_disagree=(
            count > 1 and float(chdtrc(count - 1, differences)) < SIGNIFICANCE / comparisons
        ),
    )


# In plain Python: of two or three videos, and of many people, numpy would take ten times as long.
def _dot(left: Iterable[float], right: Iterable[float]) -> float:
    return sum(map(mul, left, right))


def _standard_deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
