"""Whether measuring again gives the same, and whether it tells people apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

COLLAPSED_BELOW = 0.5
"""Between-person spread, relative to that of adults of one sex, which no mixed group stays below.

Chosen: people of one class, team or age group still differ by half as much as all adults do.
"""
CONFIDENCE = 0.95

Verdict = Literal["pass", "fail", "cannot_tell"]


@dataclass(frozen=True)
class Repeatability:
    """How a measurement varies over the videos of a cohort, in its own unit.

    None is what these videos cannot tell.

    Attributes:
        people: people with the measurement.
        videos: videos of them.
        people_repeated: people with two videos or more.
        mean: of the people's own means.
        within_person_sd: between videos of one person, pooled over people.
        between_person_sd: between people, without what videos of one person differ by; with it,
            and so an upper limit, where nobody has a second video.
        icc: share of the variance of a single video that is between people (intraclass
            correlation of a one-way random effects model, ICC(1,1) of Shrout and Fleiss 1979).
        population_sd: between adults of one sex.
        ratio: `between_person_sd` to `population_sd`.
        ratio_low, ratio_high: one-sided 95 % limits of the ratio.
        verdict: "fail" where people differ so little that the measurement has collapsed to the
            mean body (`ratio_high` below `COLLAPSED_BELOW`), "pass" where it has not.
    """

    people: int
    videos: int
    people_repeated: int
    mean: float | None = None
    within_person_sd: float | None = None
    between_person_sd: float | None = None
    icc: float | None = None
    population_sd: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    verdict: Verdict = "cannot_tell"


def analyse(people: Sequence[Sequence[float]], population_sd: float | None) -> Repeatability:
    """Splits the variance of a measurement into that within and that between people.

    Analysis of variance of a one-way random effects model with unlike numbers of videos (Searle,
    Casella and McCulloch, Variance Components, 1992, section 3.6): the mean squares between (MSB,
    k - 1 degrees of freedom) and within people (MSW); between-person variance (MSB - MSW) / n0,
    not below 0. For its limits MSB is taken at the ends of its chi-squared interval, and MSW as
    known. If nobody has a second video, MSW counts as 0: the spread between people is then at most
    what is seen, which can show a collapse and never exclude it.

    Args:
        people: per person, the values of their videos; one or more each.
        population_sd: of adults of one sex, or None if it is not known.
    """
    groups = [np.asarray(values, dtype=float) for values in people]
    sizes = np.array([len(group) for group in groups], dtype=float)
    videos = int(sizes.sum())
    found = Repeatability(
        people=len(groups),
        videos=videos,
        people_repeated=int((sizes > 1).sum()),
        population_sd=population_sd,
    )
    if not groups:
        return found
    means = np.array([group.mean() for group in groups])
    squares = sum(float(((g - m) ** 2).sum()) for g, m in zip(groups, means, strict=True))
    within = squares / (videos - len(groups)) if videos > len(groups) else None
    found = replace(found, mean=float(means.mean()), within_person_sd=_root(within))
    return _with_people_compared(found, means, sizes, within) if len(groups) > 1 else found


def _with_people_compared(
    found: Repeatability,
    means: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.float64],
    within: float | None,
) -> Repeatability:
    freedom = len(means) - 1
    videos_each = float(sizes.sum() - (sizes**2).sum() / sizes.sum()) / freedom
    grand_mean = (sizes * means).sum() / sizes.sum()
    mean_square = float((sizes * (means - grand_mean) ** 2).sum()) / freedom

    def between(square: float) -> float:
        return max(0.0, (square - (within or 0.0)) / videos_each)

    variance = between(mean_square)
    found = replace(found, between_person_sd=math.sqrt(variance))
    if within is not None and variance + within > 0:
        found = replace(found, icc=variance / (variance + within))
    if found.population_sd is None:
        return found
    low, high = (
        math.sqrt(between(mean_square * freedom / float(chdtri(freedom, tail))))
        / found.population_sd
        for tail in (1 - CONFIDENCE, CONFIDENCE)
    )
    return replace(
        found,
        ratio=math.sqrt(variance) / found.population_sd,
        ratio_low=low,
        ratio_high=high,
        verdict=_judge(low, high, is_repeated=within is not None),
    )


def _judge(low: float, high: float, *, is_repeated: bool) -> Verdict:
    if high < COLLAPSED_BELOW:
        return "fail"
    return "pass" if is_repeated and low >= COLLAPSED_BELOW else "cannot_tell"


def _root(variance: float | None) -> float | None:
    return None if variance is None else math.sqrt(variance)
