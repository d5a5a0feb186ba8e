"""Whether measuring again gives the same, and whether it tells people apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri

from tapeless.intervals import CONFIDENCE

COLLAPSED_BELOW = 0.5
"""Between-person spread, relative to that of adults of one sex, which no mixed group stays below.

Chosen: people of one class, team or age group still differ by half as much as all adults do.
"""

Verdict = Literal["pass", "fail", "cannot_tell"]
Floats = npt.NDArray[np.float64]

_ROUNDING = 1e-9
_CONSTANT = 1e-6  # relative spread below which something given is the same of everybody


@dataclass(frozen=True)
class Repeated:
    """What the videos of one person say of a measurement.

    Attributes:
        values: of their videos; one or more.
        sex: "female" or "male", None if it is not known.
        given: what was told of the person and not seen, as numbers; as many of everybody.
    """

    values: Sequence[float]
    sex: str | None = None
    given: Sequence[float] = ()


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
        between_person_sd: between people (of one sex, where everybody's is known; of what a
            straight line in what is given leaves), without what videos of one person differ by;
            with it, and so an upper limit, where nobody has a second video.
        icc: share of the variance of a single video that is between people (intraclass
            correlation of a one-way random effects model, ICC(1,1) of Shrout and Fleiss 1979).
        population_sd: between adults of one sex, given the same of everybody.
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


def analyse(people: Sequence[Repeated], population_sd: float | None) -> Repeatability:
    """Splits the variance of a measurement into that within and that between people.

    Analysis of variance of a mixed model with unlike numbers of videos (Searle, Casella and
    McCulloch, Variance Components, 1992, section 5.5, Henderson's method 3). People's means,
    weighted by their numbers of videos, are compared after least squares has taken out what is
    fixed: the mean of each sex, if everybody's is known, else one mean; and straight lines in what
    is `given`. For a method that takes everybody for the average of their sex, or scales one body
    to each given height, does not tell people apart. With p columns taken out, leverages h and n
    videos of a person: mean squares between (MSB, k - p degrees of freedom) and within people
    (MSW); between-person variance (MSB - MSW) / n0, not below 0, where n0 is
    sum(n (1 - h)) / (k - p). For its limits MSB is taken at the ends of its chi-squared interval,
    and MSW as known.

    Nothing passes if nobody has a second video: MSW then counts as 0, so that the spread between
    people is at most what is seen, which can show a collapse and never exclude it. Nor if a sex is
    not known: the spread may then be that between the sexes.

    Args:
        people: who has the measurement.
        population_sd: of adults of one sex (given the same of everybody), or None if it is not
            known; there is no verdict then.
    """
    sizes = np.array([len(person.values) for person in people], dtype=float)
    videos = int(sizes.sum())
    found = Repeatability(
        people=len(people),
        videos=videos,
        people_repeated=int((sizes > 1).sum()),
        population_sd=population_sd,
    )
    if not people:
        return found
    # In plain Python: of the few videos of each, numpy would take several times as long.
    averages = [sum(person.values) / len(person.values) for person in people]
    squares = sum(
        (value - average) ** 2
        for person, average in zip(people, averages, strict=True)
        for value in person.values
    )
    means = np.array(averages)
    within = squares / (videos - len(people)) if videos > len(people) else None
    found = replace(found, mean=float(means.mean()), within_person_sd=_root(within))
    square, freedom, videos_each = _compare(means, sizes, _fixed(people))
    if freedom < 1:
        return found
    can_pass = within is not None and are_sexes_known(people)
    return _judged(found, square, freedom, videos_each, within or 0.0, can_pass=can_pass)


def are_sexes_known(people: Sequence[Repeated]) -> bool:
    """Whether people can be compared within each sex."""
    return all(person.sex for person in people)


def _fixed(people: Sequence[Repeated]) -> Floats:
    """What is taken out before people are compared (people, columns): sexes, and what is given."""
    sexes = [person.sex for person in people] if are_sexes_known(people) else [None] * len(people)
    columns = [np.array([sex == one for sex in sexes], dtype=float) for one in dict.fromkeys(sexes)]
    for known in np.array([person.given for person in people], dtype=float).T:
        spread = known.std()
        if spread > _CONSTANT * abs(known.mean()):
            columns.append((known - known.mean()) / spread)
    return np.column_stack(columns)


def _compare(means: Floats, sizes: Floats, fixed: Floats) -> tuple[float, int, float]:
    """The mean square between people, its degrees of freedom, and how many videos count for each.

    0 and 0 where what is taken out leaves nothing.
    """
    weights = np.sqrt(sizes)
    basis, scales, _ = np.linalg.svd(weights[:, None] * fixed, full_matrices=False)
    basis = basis[:, scales > _ROUNDING * scales.max()]
    freedom = len(means) - basis.shape[1]
    if freedom < 1:
        return 0.0, freedom, 0.0
    weighted = weights * means
    left = weighted - basis @ (basis.T @ weighted)
    left[np.abs(left) < _ROUNDING * np.abs(weighted).max()] = 0.0
    leverages = (basis**2).sum(axis=1)
    return float(left @ left) / freedom, freedom, float(sizes @ (1 - leverages)) / freedom


def _judged(
    found: Repeatability,
    square: float,
    freedom: int,
    videos_each: float,
    within: float,
    *,
    can_pass: bool,
) -> Repeatability:
    """With people compared: `square` is the mean square between them, `within` that of videos."""

    def between(square: float) -> float:
        return max(0.0, (square - within) / videos_each)

    variance = between(square)
    found = replace(found, between_person_sd=math.sqrt(variance))
    if found.within_person_sd is not None and variance + within > 0:
        found = replace(found, icc=variance / (variance + within))
    if found.population_sd is None:
        return found
    low, high = (
        math.sqrt(between(square * freedom / float(chdtri(freedom, tail)))) / found.population_sd
        for tail in (1 - CONFIDENCE, CONFIDENCE)
    )
    return replace(
        found,
        ratio=math.sqrt(variance) / found.population_sd,
        ratio_low=low,
        ratio_high=high,
        verdict=_judge(low, high, can_pass=can_pass),
    )


def _judge(low: float, high: float, *, can_pass: bool) -> Verdict:
    if high < COLLAPSED_BELOW:
        return "fail"
    return "pass" if can_pass and low >= COLLAPSED_BELOW else "cannot_tell"


def _root(variance: float | None) -> float | None:
    return None if variance is None else math.sqrt(variance)
