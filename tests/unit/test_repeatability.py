"""Whether measuring again gives the same, and whether a collapse to the mean body shows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from measure_norms import FIRST, measure_adults
from tapeless.cohort import repeatability_rows
from tapeless.measurements import load_table
from tapeless.norms import find_norm, load_norms
from tapeless.repeatability import Repeated, analyse
from tapeless.reports import VERDICT_COLUMNS, PersonResult, Statistic


def of_one_sex(people: list) -> list[Repeated]:
    return [Repeated(values, "female") for values in people]


def cohort(people: int, videos: int, between: float, within: float, seed: int = 1) -> list:
    """Women who differ by `between`, in videos that differ by `within`."""
    generator = np.random.default_rng(seed)
    means = generator.normal(90, between, (people, 1))
    return of_one_sex((means + generator.normal(0, within, (people, videos))).tolist())


def test_variance_is_split_as_worked_out_by_hand() -> None:
    """Means 1 and 5; mean squares 2 within and 16 between, of two videos each: (16 - 2) / 2 = 7."""
    found = analyse([Repeated([0, 2]), Repeated([4, 6])], population_sd=None)

    assert (found.people, found.videos, found.people_repeated) == (2, 4, 2)
    assert found.mean == pytest.approx(3)
    assert found.within_person_sd == pytest.approx(math.sqrt(2))
    assert found.between_person_sd == pytest.approx(math.sqrt(7))
    assert found.icc == pytest.approx(7 / 9)
    assert (found.ratio, found.verdict) == (None, "cannot_tell")


def test_unlike_numbers_of_videos_are_split_without_bias() -> None:
    found = [
        analyse(
            [Repeated(p.values[: 1 + n % 3]) for n, p in enumerate(cohort(30, 3, 10, 4, seed))],
            None,
        )
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
    found = analyse(of_one_sex(people), population_sd=12)

    assert (found.people, found.between_person_sd) == (len(people), None)
    assert found.verdict == "cannot_tell"


def test_people_who_are_all_alike_are_no_error() -> None:
    found = analyse(of_one_sex([[80.0, 80.0], [80.0, 80.0]]), population_sd=12)

    assert (found.between_person_sd, found.icc, found.verdict) == (0, None, "fail")


def test_what_sets_the_sexes_apart_is_no_difference_between_people() -> None:
    women, men = ([[mean, mean + 1] for mean in means] for means in ([70, 71, 72], [90, 91, 92]))
    people = [*of_one_sex(women), *(Repeated(values, "male") for values in men)]

    found = analyse(people, population_sd=12)

    # mean squares 2 * 1 between and 1/2 within, of two videos each
    assert found.between_person_sd == pytest.approx(math.sqrt((2 - 0.5) / 2))
    assert found.verdict == "fail"


def test_what_is_given_explains_no_difference_between_people() -> None:
    heights = [150.0, 160, 170, 180, 190]
    people = [Repeated([h / 2, h / 2 + 0.2], "female", [h]) for h in heights]

    found = analyse(people, population_sd=4)

    assert found.between_person_sd == pytest.approx(0, abs=1e-9)
    assert found.verdict == "fail"


def test_what_is_left_beside_what_is_given_is_split_without_bias() -> None:
    generator = np.random.default_rng(4)
    left = []
    for _ in range(300):
        heights, sexes = generator.normal(170, 7, 12), generator.choice(["female", "male"], 12)
        means = 0.5 * heights + 10 * (sexes == "male") + generator.normal(0, 6, 12)
        people = [
            Repeated(generator.normal(mean, 2, 1 + n % 3), str(sex), [height])
            for n, (mean, sex, height) in enumerate(zip(means, sexes, heights, strict=True))
        ]
        left.append(analyse(people, None).between_person_sd or 0)

    assert np.mean(np.square(left)) == pytest.approx(36, rel=0.1)


def test_without_everybody_s_sex_nothing_passes() -> None:
    people = [Repeated(p.values, None if n == 0 else p.sex) for n, p in enumerate(healthy())]

    assert (analyse(healthy(), 12).verdict, analyse(people, 12).verdict) == ("pass", "cannot_tell")


def healthy() -> list[Repeated]:
    return cohort(30, 2, between=12, within=2)


def test_too_few_people_for_what_is_taken_out_are_no_error() -> None:
    people = [Repeated([70, 71], "female", [160]), Repeated([90, 91], "male", [180])]

    assert analyse(people, 12).verdict == "cannot_tell"


# a whole cohort


def result(video: int, subject: str, sex: str | None, scale: str, values: dict) -> PersonResult:
    verdict = dict.fromkeys(VERDICT_COLUMNS) | {"status": "measured", "scale": scale, "flags": ""}
    statistics = {
        name: Statistic(3, *[value] * 7, value * 0.95, value * 1.05, 0.02, "")
        for name, value in values.items()
    }
    return PersonResult(f"{subject}-{video}", subject, 1, verdict, statistics, sex=sex)


def filmed(bodies: list[dict], scale: str, *, sexes_known: bool = True) -> list[PersonResult]:
    """Two videos of each, women and men in turn, that differ by 0.2 %."""
    generator = np.random.default_rng(6)
    return [
        result(
            video,
            f"s{number:02d}",
            ("female", "male")[number % 2] if sexes_known else None,
            scale,
            {name: value * generator.normal(1, 0.002) for name, value in body.items()},
        )
        for number, body in enumerate(bodies)
        for video in (1, 2)
    ]


def verdicts(results: list[PersonResult]) -> dict[str, str]:
    records = load_table().measurements
    return {row["measurement"]: row["verdict"] for row in repeatability_rows(records, results)}


def average(sex: str) -> dict[str, float]:
    """The mean body of a sex, in the units of the reports."""
    records = load_table().measurements
    return {r.name: load_norms()[r.name].means[sex] * r.unit.factor for r in records}


@pytest.mark.parametrize("sexes_known", [True, False])
def test_everybody_taken_for_the_average_of_their_sex_never_passes(sexes_known: bool) -> None:
    """20 women and 20 men, each the mean body of their sex to within 1 %."""
    generator = np.random.default_rng(5)
    bodies = [
        {name: value * generator.normal(1, 0.01) for name, value in average(sex).items()}
        for sex in ("female", "male") * 20
    ]

    found = verdicts(filmed(bodies, "estimated", sexes_known=sexes_known))

    assert "pass" not in found.values()
    # of unknown sex, women and men could differ in height, chest and mass as people of one sex do
    shown = ("waist", "hips", *(("height", "chest", "mass") if sexes_known else ()))
    assert {found[name] for name in shown} == {"fail"}


def test_one_body_scaled_to_each_given_height_never_passes() -> None:
    generator = np.random.default_rng(7)
    powers = {record.name: record.power for record in load_table().measurements}
    bodies = []
    for sex in ("female", "male") * 20:
        scale = generator.normal(1, 0.04)
        bodies.append({n: v * scale ** powers[n] for n, v in average(sex).items()})

    found = verdicts(filmed(bodies, "known_height"))

    assert "pass" not in found.values()
    assert found["height"] == "cannot_tell"
    assert {found[name] for name in ("chest", "waist", "hips", "arm_length")} == {"fail"}


def test_people_who_differ_beyond_their_given_heights_pass_but_for_the_height() -> None:
    generator = np.random.default_rng(8)
    bodies = []
    for sex in ("female", "male") * 30:
        height = generator.normal(0, 1)
        body = {"height": average(sex)["height"] + 7 * height}
        for name in ("waist", "inside_leg"):
            norm, factor = load_norms()[name], 100
            own = norm.sd("height") * factor * generator.normal()
            explained = math.sqrt(norm.sd() ** 2 - norm.sd("height") ** 2) * factor * height
            body[name] = average(sex)[name] + explained + own
        bodies.append(body)

    results = filmed(bodies, "known_height")
    found = verdicts(results)
    records = [record for record in load_table().measurements if record.name == "waist"]
    (waist,) = repeatability_rows(records, results)

    assert found["height"] == "cannot_tell"
    assert (found["waist"], found["inside_leg"]) == ("pass", "pass")
    assert waist["taken_out"] == "sex;height"


# the norms


def test_every_measurement_has_its_norm_by_today_s_definition() -> None:
    versions = {record.name: record.version for record in load_table().measurements}

    norms = {name: norm.version for name, norm in load_norms().items()}

    assert norms == versions, "run python scripts/measure_norms.py"


def test_norms_are_those_of_adults() -> None:
    height = load_norms()["height"]

    assert height.means["female"] == pytest.approx(1.63, abs=0.02)
    assert height.means["male"] == pytest.approx(1.76, abs=0.02)
    assert height.sd() == pytest.approx(0.07, abs=0.01)  # of one sex; 0.09 over both


def test_the_first_adults_still_measure_what_the_table_says() -> None:
    """Within 1 mm, or 0.1 % of what is no length: bodies and definitions are those of the table."""
    for sex, measured in measure_adults(FIRST).items():
        for name, values in measured.items():
            limit = 0.001 * max(1.0, *values) if name == "mass" else 0.001
            assert list(values) == pytest.approx(load_norms()[name].first[sex], abs=limit), (
                f"{name}: run python scripts/measure_norms.py"
            )


def test_given_heights_and_masses_leave_less_to_be_compared() -> None:
    waist, leg, bmi = (load_norms()[name] for name in ("waist", "inside_leg", "bmi"))

    assert waist.sd("height") == pytest.approx(waist.sd(), rel=0.05)
    assert leg.sd("height") < 0.5 * leg.sd()
    assert bmi.sd_to_judge_by("height") is not None
    assert bmi.sd_to_judge_by("height and mass") is None
    assert load_norms()["height"].sd_to_judge_by("height") is None


@pytest.mark.parametrize("measurement", ["wrist", "shoulder_breadth"])
def test_nothing_is_judged_by_norms_that_are_known_to_be_too_wide(measurement: str) -> None:
    assert load_norms()[measurement].sd_to_judge_by() is None


def test_shapys_own_have_the_norm_of_their_namesakes_and_those_of_users_none() -> None:
    assert find_norm("shapy_waist") == find_norm("waist")
    assert find_norm("elbow_to_floor") is None
