"""Several videos of one person: what they say together, and whether they can be of one person."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import NamedTuple

from scipy.special import chdtrc, ndtri, stdtrit

from tapeless.intervals import CONFIDENCE

SIGNIFICANCE = 0.01
"""How seldom videos of one person are said to disagree."""

BETWEEN_VIDEOS_SD: Mapping[str, float] = {"length": 0.005, "girth": 0.012, "mass": 0.02}
"""How much videos of one person differ beyond the scatter of their own estimates, by quantity.

Standard deviations relative to the value, assumed until `make bench-accuracy` has measured them on
people filmed again: breath, posture, a meal and other clothes move a girth by about 1 cm, and a
mass by somewhat more of itself; the same stature is told or seen to 0.5 cm or so.
"""

_NORMAL = float(ndtri((1 + CONFIDENCE) / 2))


class VideoValue(NamedTuple):
    """What one video says of a measurement: its median, its 95 % interval, in any one unit.

    `common_relative_sd` is the part of its uncertainty, relative to the value, that is common to
    all estimates of the video: more of the same does not make it smaller.
    """

    value: float
    low: float
    high: float
    common_relative_sd: float


@dataclass(frozen=True)
class Combined:
    """What the videos of one person say together, in their unit.

    Attributes:
        value: their mean, weighted by their intervals.
        low, high: its 95 % interval.
        sd: standard deviation between the videos, unweighted; None of a single one.
    """

    value: float
    low: float
    high: float
    sd: float | None


def combine(videos: Sequence[VideoValue]) -> Combined:
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

    Raises:
        ValueError: if there is no video, or one without 0 < low < high.
    """
    _check(videos)
    count = len(videos)
    x = [math.log(video.value) for video in videos]
    s, c = _log_sds(videos)
    weights = _weights(s)
    mean = _dot(weights, x)
    own = [sd**2 - common**2 for sd, common in zip(s, c, strict=True)]
    internal = _dot([weight**2 for weight in weights], own)
    squares = [(value - mean) ** 2 for value in x]
    external = _dot(weights, squares) / (count - 1) if count > 1 else 0.0
    excess = max(0.0, external - internal)
    variance = _dot(weights, c) ** 2 + internal + excess
    freedom = (count - 1) * (variance / excess) ** 2 if excess > 0 else math.inf
    width = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(variance)
    return Combined(
        value=math.exp(mean),
        low=math.exp(mean - width),
        high=math.exp(mean + width),
        sd=_standard_deviation([video.value for video in videos]),
    )


def videos_disagree(
    videos: Sequence[VideoValue],
    between_videos_sd: float,
    *,
    is_scale_shared: bool,
    comparisons: int = 1,
) -> bool:
    """Whether videos differ by more than videos of one person do.

    What is wrong with all of them alike does not set them apart, and is no excuse: the same given
    height, the same build. So each is held against d**2 = s**2 - c**2 + `between_videos_sd`**2
    (s and c as in `combine`), or without the c where their sizes rest on nothing that they share.
    They disagree if sum((x - mean)**2 / d**2), the mean weighted by 1 / d**2, is larger than
    chi-squared with n - 1 degrees of freedom is once in 100 subjects.

    Args:
        videos: one or more.
        between_videos_sd: of `BETWEEN_VIDEOS_SD`.
        is_scale_shared: whether the same height was given with all of them.
        comparisons: how many measurements of the person are compared in this way; what is allowed
            to chance is divided by it (Bonferroni).

    Raises:
        ValueError: as `combine`.
    """
    _check(videos)
    if len(videos) < 2:
        return False
    x = [math.log(video.value) for video in videos]
    s, c = _log_sds(videos)
    variances = [
        sd**2 - (common**2 if is_scale_shared else 0.0) + between_videos_sd**2
        for sd, common in zip(s, c, strict=True)
    ]
    mean = _dot(_weights([math.sqrt(variance) for variance in variances]), x)
    differences = sum((v - mean) ** 2 / d for v, d in zip(x, variances, strict=True))
    return float(chdtrc(len(videos) - 1, differences)) < SIGNIFICANCE / comparisons


def _check(videos: Sequence[VideoValue]) -> None:
    if not videos or not all(0 < video.low < video.high for video in videos):
        raise ValueError(f"{list(videos)}: allowed are one or more with 0 < low < high")


def _log_sds(videos: Sequence[VideoValue]) -> tuple[list[float], list[float]]:
    """The standard deviations of normal errors of the logarithms with the same intervals.

    And the parts of them that are common to all estimates of a video.
    """
    whole = [math.log(video.high / video.low) / (2 * _NORMAL) for video in videos]
    common = [min(video.common_relative_sd, sd) for video, sd in zip(videos, whole, strict=True)]
    return whole, common


def _weights(sds: Sequence[float]) -> list[float]:
    """Inverse squares that add up to 1."""
    total = sum(1 / sd**2 for sd in sds)
    return [1 / sd**2 / total for sd in sds]


# In plain Python: of two or three videos, and of many people, numpy would take ten times as long.
def _dot(left: Iterable[float], right: Iterable[float]) -> float:
    return sum(map(mul, left, right))


def _standard_deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
