"""Whether measuring again gives the same, and whether a collapse to the mean body shows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from measure_norms import measure_norms
from tapeless.measurements import load_table
from tapeless.norms import find_norm, load_norms
from tapeless.repeatability import analyse


def cohort(people: int, videos: int, between: float, within: float, seed: int = 1) -> list:
    generator = np.random.default_rng(seed)
    means = generator.normal(90, between, (people, 1))
    return (means + generator.normal(0, within, (people, videos))).tolist()


def test_variance_is_split_as_worked_out_by_hand() -> None:
    """Means 1 and 5; mean squares 2 within and 16 between, of two videos each: (16 - 2) / 2 = 7."""
    found = analyse([[0, 2], [4, 6]], population_sd=None)

    assert (found.people, found.videos, found.people_repeated) == (2, 4, 2)
    assert found.mean == pytest.approx(3)
    assert found.within_person_sd == pytest.approx(math.sqrt(2))
    assert found.between_person_sd == pytest.approx(math.sqrt(7))
    assert found.icc == pytest.approx(7 / 9)
    assert (found.ratio, found.verdict) == (None, "cannot_tell")


def test_unlike_numbers_of_videos_are_split_without_bias() -> None:
    found = [
        analyse([row[: 1 + n % 3] for n, row in enumerate(cohort(30, 3, 10, 4, seed))], None)
        for seed in range(200)
    ]

    between = [f.between_person_sd**2 for f in found if f.between_person_sd is not None]
    within = [f.within_person_sd**2 for f in found if f.within_person_sd is not None]
    assert np.mean(between) == pytest.approx(100, rel=0.05)
    assert np.mean(within) == pytest.approx(16, rel=0.05)


def test_people_as_unlike_as_the_population_pass() -> None:
    found = analyse(cohort(30, 2, between=12, within=2), population_sd=12)

    assert found.verdict == "pass"
    assert found.ratio_low is not None
    assert found.ratio_high is not None
    assert found.ratio_low < 1 < found.ratio_high


def test_a_collapse_to_the_mean_body_shows() -> None:
    found = analyse(cohort(20, 2, between=1.5, within=2), population_sd=12)

    assert found.verdict == "fail"
    assert found.ratio == pytest.approx(1.5 / 12, abs=0.06)


def test_noise_between_videos_is_not_taken_for_people_who_differ() -> None:
    found = analyse(cohort(40, 3, between=0, within=12), population_sd=12)

    assert found.verdict == "fail"
    assert found.icc == pytest.approx(0, abs=0.1)


def test_of_few_people_nothing_can_be_told() -> None:
    assert analyse(cohort(2, 2, between=3, within=1), population_sd=12).verdict == "cannot_tell"


def test_without_a_second_video_of_anybody_a_collapse_shows_but_health_does_not() -> None:
    collapsed = analyse(cohort(20, 1, between=1, within=1), population_sd=12)
    healthy = analyse(cohort(20, 1, between=12, within=1), population_sd=12)

    assert (collapsed.verdict, healthy.verdict) == ("fail", "cannot_tell")
    assert (healthy.within_person_sd, healthy.icc) == (None, None)


def test_limits_hold_the_true_ratio_as_often_as_they_say() -> None:
    found = [analyse(cohort(12, 2, 6, 2, seed), population_sd=12) for seed in range(600)]

    assert np.mean([f.ratio_low <= 0.5 for f in found if f.ratio_low is not None]) > 0.93
    assert np.mean([f.ratio_high >= 0.5 for f in found if f.ratio_high is not None]) > 0.93


@pytest.mark.parametrize("people", [[], [[80.0]], [[80.0, 81.0]]])
def test_nobody_to_compare_with_is_no_error(people: list[list[float]]) -> None:
    found = analyse(people, population_sd=12)

    assert (found.people, found.between_person_sd) == (len(people), None)
    assert found.verdict == "cannot_tell"


def test_people_who_are_all_alike_are_no_error() -> None:
    found = analyse([[80.0, 80.0], [80.0, 80.0]], population_sd=12)

    assert (found.between_person_sd, found.icc, found.verdict) == (0, None, "fail")


# the population


def test_every_measurement_has_its_norm_by_today_s_definition() -> None:
    versions = {record.name: record.version for record in load_table().measurements}

    norms = {name: norm.version for name, norm in load_norms().items()}

    assert norms == versions, "run python scripts/measure_norms.py"


def test_norms_are_those_of_adults() -> None:
    height = load_norms()["height"]

    assert height.means["female"] == pytest.approx(1.63, abs=0.02)
    assert height.means["male"] == pytest.approx(1.76, abs=0.02)
    assert height.sd == pytest.approx(0.07, abs=0.01)  # of one sex; 0.09 over both


def test_norms_are_made_by_measuring_adults_of_the_population() -> None:
    rows = measure_norms(4)

    assert [(row["measurement"], row["sex"]) for row in rows] == [
        (name, sex) for name in load_norms() for sex in ("female", "male")
    ]
    for row in rows:
        norm = load_norms()[row["measurement"]]
        assert abs(float(row["mean"]) - norm.means[row["sex"]]) < 4 * norm.sds[row["sex"]]


def test_shapys_own_have_the_norm_of_their_namesakes_and_those_of_users_none() -> None:
    assert find_norm("shapy_waist") == find_norm("waist")
    assert find_norm("elbow_to_floor") is None
