"""Several videos of one person: closed-form cases, and how often intervals and flags are right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tapeless.combination import BETWEEN_VIDEOS_SD, VideoValue, combine, videos_disagree

NORMAL = 1.959964


def video(value: float, sd: float, common_sd: float = 0.0) -> VideoValue:
    """A video with a normal error, relative to the value."""
    return VideoValue(
        value, value * math.exp(-NORMAL * sd), value * math.exp(NORMAL * sd), common_sd
    )


def log_width(low: float, high: float) -> float:
    return math.log(high / low) / 2


def test_a_single_video_keeps_its_value_and_its_interval() -> None:
    one = combine([VideoValue(80, 76, 85, 0.02)])

    assert one.value == pytest.approx(80)
    assert log_width(one.low, one.high) == pytest.approx(math.log(85 / 76) / 2)
    assert one.sd is None


def test_of_equal_videos_only_what_differs_between_them_is_averaged_away() -> None:
    four = combine([video(80, math.hypot(0.03, 0.02), 0.02)] * 4)

    assert four.value == pytest.approx(80)
    assert log_width(four.low, four.high) == pytest.approx(
        NORMAL * math.hypot(0.03 / 2, 0.02), rel=1e-6
    )
    assert four.sd == pytest.approx(0)


def test_what_is_common_to_all_videos_stays_however_many_there_are() -> None:
    for count in (1, 2, 50):
        combined = combine([video(170, 0.005, 0.005)] * count)
        assert log_width(combined.low, combined.high) == pytest.approx(NORMAL * 0.005, rel=1e-6)


def test_a_very_uncertain_video_hardly_counts() -> None:
    sure, unsure = video(80, 0.01), video(100, 0.2)

    both = combine([sure, unsure])

    assert both.value == pytest.approx(80 * (100 / 80) ** (1 / 401), rel=1e-6)
    assert log_width(both.low, both.high) < 2 * log_width(sure.low, sure.high)
    assert both.sd == pytest.approx(20 / math.sqrt(2))


def test_the_mean_of_two_that_disagree_is_as_unsure_as_they_differ() -> None:
    both = combine([video(80, 0.02), video(100, 0.02)])

    half = math.log(100 / 80) / 2
    assert both.value == pytest.approx(math.sqrt(80 * 100))
    # Birge: standard error from the spread; and nearly Student's t of one degree of freedom
    assert log_width(both.low, both.high) == pytest.approx(12.7062 * half, rel=0.08)


def test_the_order_of_videos_does_not_matter() -> None:
    videos = [video(80, 0.02, 0.01), video(84, 0.03, 0.02), video(79, 0.01)]

    forwards, backwards = combine(videos), combine(videos[::-1])

    assert forwards.value == pytest.approx(backwards.value, rel=1e-12)
    assert forwards.low == pytest.approx(backwards.low, rel=1e-12)


def test_the_unit_does_not_matter() -> None:
    videos = [video(80, 0.02, 0.01), video(84, 0.03, 0.02)]
    metres = [
        VideoValue(r.value / 100, r.low / 100, r.high / 100, r.common_relative_sd) for r in videos
    ]

    combined, in_metres = combine(videos), combine(metres)

    assert in_metres.high * 100 == pytest.approx(combined.high)
    assert in_metres.sd is not None
    assert in_metres.sd * 100 == pytest.approx(combined.sd)


@pytest.mark.parametrize(
    ("count", "own", "common"), [(2, 0.02, 0.02), (3, 0.01, 0.03), (6, 0.04, 0.01)]
)
def test_the_interval_holds(count: int, own: float, common: float) -> None:
    """Both kinds of error drawn as the formula assumes; counted."""
    generator = np.random.default_rng(1)
    errors = generator.normal(0, common, (2000, 1)) + generator.normal(0, own, (2000, count))
    sd = math.hypot(own, common)

    found = [combine([video(math.exp(e), sd, common) for e in row]) for row in errors]

    assert 0.93 < np.mean([c.low < 1 < c.high for c in found]) < 0.99


def test_videos_less_sure_than_they_say_still_give_an_interval_that_holds() -> None:
    """Two and a half times too narrow: their mean would be right in 56 %, but for their spread."""
    generator = np.random.default_rng(2)
    errors = generator.normal(0, 0.05, (2000, 5))

    found = [combine([video(math.exp(e), 0.02) for e in row]) for row in errors]

    assert np.mean([c.low < 1 < c.high for c in found]) > 0.9


@pytest.mark.parametrize(
    "videos", [[], [VideoValue(80, 80, 80, 0.0)], [VideoValue(80, 0, 90, 0.0)]]
)
def test_there_is_no_mean_without_sound_videos(videos: list[VideoValue]) -> None:
    with pytest.raises(ValueError, match="one or more with 0 < low < high"):
        combine(videos)


# two people under one name

MAIN_FIVE = 5
GIRTH = BETWEEN_VIDEOS_SD["girth"]
SCATTER, COMMON = 0.006, 0.021
"""Of a waist with the height given: its own, and what all estimates of the video have in common."""


def waists(*values: float) -> list[VideoValue]:
    return [video(value, math.hypot(SCATTER, COMMON), COMMON) for value in values]


def test_two_adults_of_waists_6_cm_apart_are_not_taken_for_one() -> None:
    """Their heights are given; 80 and 86 cm, each waist seen with all that may be wrong with it."""
    generator = np.random.default_rng(3)
    errors = generator.normal(0, math.hypot(SCATTER, GIRTH), (2000, 2))

    assert videos_disagree(waists(80, 86), GIRTH, is_scale_shared=True, comparisons=MAIN_FIVE)
    found = [
        videos_disagree(
            waists(80 * math.exp(one), 86 * math.exp(other)),
            GIRTH,
            is_scale_shared=True,
            comparisons=MAIN_FIVE,
        )
        for one, other in errors
    ]
    assert np.mean(found) > 0.7


@pytest.mark.parametrize("count", [2, 3, 6])
def test_videos_of_one_person_seldom_disagree(count: int) -> None:
    generator = np.random.default_rng(1)
    common = generator.normal(0, COMMON, (5000, 1))
    errors = common + generator.normal(0, math.hypot(SCATTER, GIRTH), (5000, count))

    found = [
        videos_disagree(waists(*np.exp(row)), GIRTH, is_scale_shared=True, comparisons=1)
        for row in errors
    ]

    assert 0.005 < np.mean(found) < 0.015


def test_without_a_height_that_they_share_videos_differ_by_their_scales_too() -> None:
    two = waists(80, 87)

    assert videos_disagree(two, GIRTH, is_scale_shared=True)
    assert not videos_disagree(two, GIRTH, is_scale_shared=False)


def test_the_more_is_compared_the_less_is_left_to_chance() -> None:
    two = waists(80, 84.3)

    assert videos_disagree(two, GIRTH, is_scale_shared=True)
    assert not videos_disagree(two, GIRTH, is_scale_shared=True, comparisons=30)


def test_a_single_video_agrees_with_itself() -> None:
    assert not videos_disagree(waists(80), GIRTH, is_scale_shared=True)
