"""Several videos of one person: closed-form cases, and how often intervals and flags are right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tapeless.combination import Reading, combine

NORMAL = 1.959964


def reading(value: float, sd: float, common_sd: float = 0.0) -> Reading:
    """A video with a normal error, relative to the value."""
    return Reading(value, value * math.exp(-NORMAL * sd), value * math.exp(NORMAL * sd), common_sd)


def log_width(low: float, high: float) -> float:
    return math.log(high / low) / 2


def test_a_single_video_keeps_its_value_and_its_interval() -> None:
    one = combine([Reading(80, 76, 85, 0.02)])

    assert one.value == pytest.approx(80)
    assert log_width(one.low, one.high) == pytest.approx(math.log(85 / 76) / 2)
    assert (one.sd, one.videos_disagree) == (None, False)


def test_of_equal_videos_only_what_differs_between_them_is_averaged_away() -> None:
    four = combine([reading(80, math.hypot(0.03, 0.02), 0.02)] * 4)

    assert four.value == pytest.approx(80)
    assert log_width(four.low, four.high) == pytest.approx(
        NORMAL * math.hypot(0.03 / 2, 0.02), rel=1e-6
    )
    assert (four.sd, four.videos_disagree) == (pytest.approx(0), False)


def test_what_is_common_to_all_videos_stays_however_many_there_are() -> None:
    for count in (1, 2, 50):
        combined = combine([reading(170, 0.005, 0.005)] * count)
        assert log_width(combined.low, combined.high) == pytest.approx(NORMAL * 0.005, rel=1e-6)


def test_a_very_uncertain_video_hardly_counts() -> None:
    sure, unsure = reading(80, 0.01), reading(100, 0.2)

    both = combine([sure, unsure])

    assert both.value == pytest.approx(80 * (100 / 80) ** (1 / 401), rel=1e-6)
    assert log_width(both.low, both.high) < 2 * log_width(sure.low, sure.high)
    assert both.sd == pytest.approx(20 / math.sqrt(2))
    assert not both.videos_disagree


def test_two_that_disagree_are_flagged_and_their_mean_is_as_unsure_as_they_differ() -> None:
    both = combine([reading(80, 0.02), reading(100, 0.02)])

    half = math.log(100 / 80) / 2
    assert both.value == pytest.approx(math.sqrt(80 * 100))
    # Birge: standard error from the spread; and nearly Student's t of one degree of freedom
    assert log_width(both.low, both.high) == pytest.approx(12.7062 * half, rel=0.08)
    assert both.videos_disagree


def test_the_order_of_videos_does_not_matter() -> None:
    readings = [reading(80, 0.02, 0.01), reading(84, 0.03, 0.02), reading(79, 0.01)]

    forwards, backwards = combine(readings), combine(readings[::-1])

    assert forwards.value == pytest.approx(backwards.value, rel=1e-12)
    assert forwards.low == pytest.approx(backwards.low, rel=1e-12)


def test_the_unit_does_not_matter() -> None:
    readings = [reading(80, 0.02, 0.01), reading(84, 0.03, 0.02)]
    metres = [
        Reading(r.value / 100, r.low / 100, r.high / 100, r.common_relative_sd) for r in readings
    ]

    combined, in_metres = combine(readings), combine(metres)

    assert in_metres.high * 100 == pytest.approx(combined.high)
    assert in_metres.sd is not None
    assert in_metres.sd * 100 == pytest.approx(combined.sd)


@pytest.mark.parametrize(
    ("count", "own", "common"), [(2, 0.02, 0.02), (3, 0.01, 0.03), (6, 0.04, 0.01)]
)
def test_the_interval_holds_and_videos_of_one_person_seldom_disagree(
    count: int, own: float, common: float
) -> None:
    """Both kinds of error drawn as the formula assumes; counted."""
    generator = np.random.default_rng(1)
    errors = generator.normal(0, common, (2000, 1)) + generator.normal(0, own, (2000, count))
    sd = math.hypot(own, common)

    found = [combine([reading(math.exp(e), sd, common) for e in row]) for row in errors]

    assert 0.93 < np.mean([c.low < 1 < c.high for c in found]) < 0.99
    assert np.mean([c.videos_disagree for c in found]) <= 0.012


def test_videos_less_sure_than_they_say_still_give_an_interval_that_holds() -> None:
    """Two and a half times too narrow: their mean would be right in 56 %, but for their spread."""
    generator = np.random.default_rng(2)
    errors = generator.normal(0, 0.05, (2000, 5))

    found = [combine([reading(math.exp(e), 0.02) for e in row]) for row in errors]

    assert np.mean([c.low < 1 < c.high for c in found]) > 0.9


def test_the_more_is_compared_the_less_is_left_to_chance() -> None:
    readings = [reading(80, 0.02), reading(86.5, 0.02)]

    assert combine(readings).videos_disagree
    assert not combine(readings, comparisons=30).videos_disagree


@pytest.mark.parametrize("readings", [[], [Reading(80, 80, 80, 0.0)], [Reading(80, 0, 90, 0.0)]])
def test_there_is_no_mean_without_sound_videos(readings: list[Reading]) -> None:
    with pytest.raises(ValueError, match="one or more with 0 < low < high"):
        combine(readings)
