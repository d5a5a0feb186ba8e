"""What the benchmark makes of measured and true numbers, and of Snakemake's own timings."""

from __future__ import annotations

import ast
import math
import re
import shutil
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from tapeless.checks import Finding, write_checks
from tapeless.checks.table import TABLE_FILE, load_checks
from tapeless.images import write_image
from tapeless.intervals import interval, load_uncertainty, relative_sd_of
from tapeless.measurements import load_table
from tapeless.shape.anny import Frame
from tapeless.sources import find_sources
from tapeless.synthetic import Shot

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "scripts"))

import draw_accuracy
import write_accuracy
import write_benchmarks
from ablate_fit import evenly, with_exact_outlines
from calibrate_intervals import QUANTILES_COLUMNS, needed_sd, quantile, quantiles_of, read_needs
from film_adult import vary
from list_cohort import list_people, list_spans
from page import amount, markdown, replace_between
from score_accuracy import (
    AVERAGE,
    AVERAGE_OF_SEX,
    GIVEN,
    NOT_GIVEN,
    TAPELESS,
    add_coverage,
    add_narrower,
    errors_of_averages,
    errors_of_tapeless,
    scores_of,
)
from score_cost import cost_per_stage, read_costs
from score_repeatability import repeatability_of
from share_sight import share
from use_intervals import BASIS, CALIBRATED_PATTERN, STATE, rewrite, rewrite_widening, widening_of
from variants import AS_IN_A_RUN
from write_accuracy import Evidence, accuracy_table, front_table, judge
from write_faults import describe_kills
from write_scaling import tell_runs

CONFIG = yaml.safe_load(
    (Path(__file__).parents[2] / "benchmarks" / "config.yaml").read_text(encoding="utf-8")
)
LIBRARY = Path(__file__).parents[2] / "scripts"
NOBODY = pd.DataFrame(columns=QUANTILES_COLUMNS)
RECORDS = {record.name: record for record in load_table().measurements}


@pytest.fixture
def truth() -> pd.DataFrame:
    """A woman and a man, SI."""
    return pd.DataFrame(
        {
            "adult": ["adult_01", "adult_02"],
            "sex": ["female", "male"],
            "height": [1.6, 1.8],
            "chest": [0.9, 1.0],
            "waist": [0.8, 1.0],
            "hips": [1.0, 1.0],
            "mass": [60.0, 80.0],
        }
    )


@pytest.fixture
def films() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "video": ["adult_01-turn", "adult_02-turn", "adult_01-front", "adult_02-front"],
            "path": ["a", "b", "c", "d"],
            "adult": ["adult_01", "adult_02", "adult_01", "adult_02"],
            "take": ["turn", "turn", "front", "front"],
        }
    )


@pytest.fixture
def measurements() -> pd.DataFrame:
    """Waists as the workflow reports them: +2 cm and -1 cm after a turn; one front rejected."""
    return pd.DataFrame(
        {
            "video": ["adult_01-turn", "adult_02-turn", "adult_01-front", "adult_02-front"],
            "measurement": ["waist", "waist", "waist", None],
            "unit": ["cm", "cm", "cm", None],
            "50%": [82.0, 99.0, 84.0, None],
            "low": [81.0, 95.0, 79.0, None],
            "high": [83.0, 103.0, 89.0, None],
        }
    )


@pytest.fixture
def errors(measurements: pd.DataFrame, truth: pd.DataFrame, films: pd.DataFrame) -> pd.DataFrame:
    table = add_coverage(errors_of_tapeless(measurements, truth, films, GIVEN), height_sd=0.0)
    return add_narrower(table, NOBODY)


def score(errors: pd.DataFrame, **wanted: str) -> pd.Series:
    scores = scores_of(errors)
    for column, value in wanted.items():
        scores = scores[scores[column] == value]
    assert len(scores) == 1
    return scores.iloc[0]


# the cohort


def test_no_two_cohorts_share_a_seed_nor_any_the_priors() -> None:
    seeds = [cohort["drawn"]["seed"] for cohort in CONFIG["cohorts"].values()]
    assert len({*seeds, 1}) == len(seeds) + 1


def seeds_in(path: Path) -> set[int]:
    """The literal seeds that a file draws people with, and its constants that are called so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "draw_adults":
            values = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "seed")]
        elif isinstance(node, ast.Assign) and "SEED" in getattr(node.targets[0], "id", ""):
            values = [node.value]
        found |= {v.value for v in values if isinstance(v, ast.Constant)}
    return found


def test_nobody_of_the_evaluation_is_seen_elsewhere_and_every_seed_has_its_purpose() -> None:
    root = Path(__file__).parents[2]
    files = [
        f
        for folder in ("scripts", "tests", "docs", "benchmarks")
        for f in root.glob(f"{folder}/**/*.py")
    ]
    used = {path: seeds_in(path) for path in files}
    evaluated = CONFIG["cohorts"]["evaluation"]["drawn"]["seed"]
    assert [path for path, seeds in used.items() if evaluated in seeds] == []
    listed = set(CONFIG["seeds"])
    assert set().union(*used.values()) <= listed
    assert {cohort["drawn"]["seed"] for cohort in CONFIG["cohorts"].values()} <= listed


def test_spans_of_the_recording_share_no_frame() -> None:
    spans = CONFIG["real"]["spans_s"]
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


def test_everything_that_the_page_judges_is_a_measurement() -> None:
    names = [*CONFIG["drawn"], *CONFIG["repeated"], CONFIG["real_spans"]["measurement"]]
    names += [name for target in CONFIG["targets"].values() for name in target["measurements"]]
    assert set(names) <= set(RECORDS)


def test_as_many_takes_are_difficult_as_the_configuration_says() -> None:
    drawn = [vary(Shot(), CONFIG["variation"], np.random.default_rng(seed)) for seed in range(1000)]
    partial = [shot.turn_degrees for shot in drawn if shot.turn_degrees != 360]
    assert len(partial) / 1000 == pytest.approx(CONFIG["variation"]["partial_turns"], abs=0.05)
    assert 180 <= min(partial) < max(partial) <= 300
    assert np.mean([shot.clutter for shot in drawn]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([shot.hair_m > 0 for shot in drawn]) == pytest.approx(0.3, abs=0.05)


def test_who_faces_the_camera_is_not_made_to_turn_in_part() -> None:
    sure = CONFIG["variation"] | {"partial_turns": 1.0}
    assert vary(Shot(turn_degrees=0), sure, np.random.default_rng(1)).turn_degrees == 0


def test_the_sheet_gives_everybody_their_height(truth: pd.DataFrame, films: pd.DataFrame) -> None:
    sheet = list_people(films, truth).set_index("video")
    assert sheet["height_cm"].tolist() == [160.0, 180.0, 160.0, 180.0]
    assert sheet.loc["adult_02-front", "subject"] == "adult_02"


def test_spans_of_a_recording_are_videos_of_one_subject_with_one_height() -> None:
    real = {"video": "man.mp4", "height_cm": 170, "spans_s": [[0, 1], [0.5, 1.5]]}
    sheet = list_spans(real)
    assert sheet["video"].is_unique
    assert sheet["subject"].nunique() == sheet["height_cm"].nunique() == 1
    assert sheet[["start_s", "end_s"]].to_numpy().tolist() == [[0, 1], [0.5, 1.5]]


def test_what_was_seen_is_shared_and_not_copied(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    (seen / "frame.png").write_bytes(b"picture")
    share(seen, tmp_path / "other")
    assert (tmp_path / "other/frame.png").samefile(seen / "frame.png")


# other input for the fit


def seen(count: int) -> list[Frame]:
    return [
        Frame(f"frame_{n:06d}", np.zeros((25, 3)), np.zeros((6, 4), np.uint8))
        for n in range(1, count + 1)
    ]


def test_fewer_frames_still_see_the_whole_turn() -> None:
    chosen = [frame.name for frame in evenly(seen(24), 4)]
    assert chosen == ["frame_000001", "frame_000007", "frame_000013", "frame_000019"]


def test_exact_outlines_are_those_of_the_frame_of_the_video(tmp_path: Path) -> None:
    for number, grey in ((3, 100), (4, 255)):
        mask = np.full((12, 8), grey, np.uint8)
        write_image(tmp_path / f"frame_{number:06d}.png", mask)
    table = pd.DataFrame({"frame": ["frame_000001", "frame_000002"], "source_frame": [2, 3]})
    exact = with_exact_outlines(seen(2), tmp_path, table)
    assert [frame.silhouette.shape for frame in exact] == [(6, 4), (6, 4)]
    assert [int(frame.silhouette.mean()) for frame in exact] == [100, 255]


# scores


def test_scores_are_those_of_the_errors(errors: pd.DataFrame) -> None:
    waist = score(errors, take="turn")
    assert waist["people"] == 2
    assert waist["bias"] == pytest.approx((0.02 - 0.01) / 2)
    assert waist["mae"] == pytest.approx((0.02 + 0.01) / 2)
    assert waist["mae_percent"] == pytest.approx((2.5 + 1) / 2)
    assert waist["largest"] == pytest.approx(0.02)
    assert waist["p95"] == pytest.approx(0.0195)
    assert waist["width"] == pytest.approx((0.02 + 0.08) / 2)


def test_who_takes_everybody_for_average_keeps_none_of_the_spread(errors: pd.DataFrame) -> None:
    assert score(errors, take="turn")["spread"] == pytest.approx((0.99 - 0.82) / (1.0 - 0.8))
    assert score(errors.assign(measured=0.9), take="turn")["spread"] == 0


def test_the_share_of_true_values_in_the_interval(errors: pd.DataFrame) -> None:
    assert score(errors, take="turn")["inside"] == 0.5


def test_who_was_not_measured_is_not_scored(errors: pd.DataFrame) -> None:
    waist = score(errors, take="front")
    assert (waist["people"], waist["filmed"]) == (1, 2)
    assert waist["bias"] == pytest.approx(0.04)


def test_narrower_intervals_are_those_that_rendered_people_need() -> None:
    """Their relative_sd takes the place of the one given; the spread of the estimates stays."""
    given = relative_sd_of(load_uncertainty(), "anny", "waist", "girth", "estimated")
    low, high = interval([0.79, 0.80, 0.81], given)
    row = {"method": TAPELESS, "adult": "a", "measurement": "waist", "take": "turn"}
    row |= {"height": NOT_GIVEN, "measured": 0.8, "low": low, "high": high}
    errors = pd.DataFrame([row | {"true": 0.84}, row | {"true": 0.81}, row | {"take": "front"}])
    needs = pd.DataFrame([["turn", "estimated", "waist", "girth", 40, 0.02]])
    table = add_narrower(errors, needs.set_axis(QUANTILES_COLUMNS, axis=1))
    low, high = interval([0.79, 0.80, 0.81], 0.02)
    assert table["narrower"].tolist()[:2] == pytest.approx([high - low] * 2)
    assert table["inside_narrower"].tolist()[:2] == [high >= 0.84, True]
    assert table["inside_narrower"].isna().tolist() == [False, False, True]


def test_coverage_counts_on_heights_that_are_given_wrong() -> None:
    """An interval that a height exact to 1 % moves out of half of the time, and its cube sooner."""
    row = {"take": "turn", "height": GIVEN, "method": TAPELESS, "adult": "a", "measured": 1.0}
    rows = [
        {**row, "measurement": "waist", "true": 1.0, "low": 1.0, "high": 9.0},
        {**row, "measurement": "waist", "true": 1.0, "low": 1 / 1.0196, "high": 1.0196},
        {**row, "measurement": "mass", "true": 1.0, "low": 1 / 1.0196, "high": 1.0196},
        {**row, "measurement": "waist_to_hip", "true": 1.0, "low": 0.99, "high": 1.01},
        {**row, "measurement": "waist", "true": 1.0, "low": 1.0, "high": 9.0, "height": NOT_GIVEN},
    ]
    covered = add_coverage(pd.DataFrame(rows), height_sd=0.01)["covered"]
    assert covered.tolist() == pytest.approx([0.5, 0.95, 0.483, 1.0, 1.0], abs=0.003)


@pytest.fixture
def average() -> pd.DataFrame:
    """Average bodies, 1.5 m tall (the adult), 1.6 m (the woman) and 2 m (the man), SI."""
    return pd.DataFrame(
        {
            "who": ["adult", "female", "male"],
            "height": [1.5, 1.6, 2.0],
            "waist": [0.75, 0.9, 1.1],
            "mass": [50.0, 62.0, 100.0],
        }
    )


@pytest.mark.parametrize(
    ("method", "height", "measurement", "woman", "man"),
    [
        (AVERAGE, NOT_GIVEN, "waist", 0.75, 0.75),
        (AVERAGE, GIVEN, "waist", 0.8, 0.9),
        (AVERAGE, GIVEN, "mass", 50 * (1.6 / 1.5) ** 3, 50 * 1.2**3),
        (AVERAGE_OF_SEX, NOT_GIVEN, "mass", 62.0, 100.0),
        (AVERAGE_OF_SEX, GIVEN, "waist", 0.9, 0.99),
    ],
)
def test_an_average_body_grows_with_the_height_given(
    truth: pd.DataFrame,
    average: pd.DataFrame,
    method: str,
    height: str,
    measurement: str,
    woman: float,
    man: float,
) -> None:
    levels = ["method", "height", "measurement"]
    table = errors_of_averages(average, truth).set_index(levels).sort_index()
    said = table.loc[(method, height, measurement)].set_index("adult")["measured"]
    assert said["adult_01"] == pytest.approx(woman)
    assert said["adult_02"] == pytest.approx(man)


def test_scatter_within_people_is_told_from_that_between_them() -> None:
    generator = np.random.default_rng(1)
    people = generator.normal(0.9, 0.1, 2000)
    rows = [
        {"subject": f"s{i}", "video": f"s{i}-{take}", "measurement": "waist", "measured": value}
        for i, person in enumerate(people)
        for take, value in enumerate(person + generator.normal(0, 0.01, 3))
    ]
    waist = repeatability_of(pd.DataFrame(rows)).iloc[0]
    assert waist["within_person_sd"] == pytest.approx(0.01, rel=0.05)
    assert waist["between_person_sd"] == pytest.approx(0.1, rel=0.05)
    assert waist["icc"] == pytest.approx(0.99, abs=0.005)


# intervals


@pytest.mark.parametrize(
    ("estimates", "true"), [([0.79, 0.80, 0.82], 0.85), ([0.80], 0.70), ([0.8, 0.8, 0.8], 0.8001)]
)
def test_the_need_is_what_just_reaches_the_truth(estimates: list[float], true: float) -> None:
    need = needed_sd(estimates, true)
    low, high = interval(estimates, need)
    assert min(abs(low / true - 1), abs(high / true - 1)) < 1e-5


def test_whoever_has_what_the_truth_needs_or_more_holds_it() -> None:
    generator = np.random.default_rng(5)
    for _ in range(60):
        estimates = np.exp(generator.normal(0, 10 ** generator.uniform(-3, -1), 3)).tolist()
        true = math.exp(generator.normal(0, 0.05))
        need = needed_sd(estimates, true)
        for given in np.linspace(need, 3 * need + 0.01, 31):
            low, high = interval(estimates, given)
            assert low <= true <= high


def test_where_the_spread_alone_reaches_the_truth_nothing_is_needed() -> None:
    assert needed_sd([0.7, 0.8, 0.9], 0.81) == 0


def test_the_quantile_of_few_covers_as_many_new_ones_as_it_says() -> None:
    generator = np.random.default_rng(3)
    for draw in (generator.standard_normal, lambda size: generator.standard_t(4, size)):
        samples, new = np.abs(draw((400, 40))), np.abs(draw(4000))
        covered = [(new <= quantile(sample)).mean() for sample in samples]
        assert np.mean(covered) == pytest.approx(0.95, abs=0.012)


@pytest.fixture
def quantiles() -> pd.DataFrame:
    """As found in 3 people: the waist needs 1 % after a turn and 3 % without, the neck 2 %."""
    generator, rows = np.random.default_rng(1), []
    for take, scale, waist in (
        ("turn", "known_height", 0.01),
        ("turn", "estimated", 0.04),
        ("front", "known_height", 0.03),
    ):
        for name, need in (("waist", waist), ("neck", 0.02), ("mass", 0.05)):
            about = {"take": take, "scale": scale, "measurement": name}
            about["quantity"] = RECORDS[name].quantity
            rows += [
                {**about, "adult": adult, "needed_sd": need + 1e-6 * generator.random()}
                for adult in "abc"
            ]
    return quantiles_of(pd.DataFrame(rows))


def test_the_front_only_is_widened_by_what_it_needs_more_than_a_turn(
    quantiles: pd.DataFrame,
) -> None:
    factors = widening_of(quantiles, known_sd=0.005)
    assert factors["neck"] == pytest.approx(1, rel=1e-3)
    assert factors["waist"] == pytest.approx(
        math.hypot(0.03, 0.005) / math.hypot(0.01, 0.005), rel=1e-3
    )


def test_measured_rows_are_made_anew_and_the_others_kept(
    quantiles: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "uncertainty.csv"
    path.write_text(
        "# where from\n# now: assumed\nshape_backend,measurement,scale,source,relative_sd,basis\n"
        "anny,waist,known_height,fit,0.5,old\n"
        "anny,other length,known_height,given height,0.005,assumed\n"
        "anny,other length,known_object,known object,0.02,assumed\n"
        "anny,other length,estimated,stature of adults,0.03,assumed\n"
        "anny,other area,known_height,fit,0.3,of no measured kind\n"
        'shapy,waist,known_height,fit,0.08,"published"\n',
        encoding="utf-8",
    )

    rewrite(path, quantiles, seed=12)

    assert path.read_text(encoding="utf-8").startswith(f"# where from\n{STATE}shape_backend,")
    assert path.read_text(encoding="utf-8").endswith(
        'shapy,waist,known_height,fit,0.08,"published"\n'
    )
    known = load_uncertainty(path)
    assert known["anny", "other area", "known_height"] == 0.3
    assert known["anny", "waist", "known_height"] == pytest.approx(
        math.hypot(0.01, 0.005), abs=2e-4
    )
    assert known["anny", "mass", "known_height"] == pytest.approx(
        math.hypot(0.05, 3 * 0.005), abs=2e-4
    )
    assert known["anny", "waist", "known_object"] == pytest.approx(math.hypot(0.01, 0.02), abs=2e-4)
    assert known["anny", "other girth", "known_height"] == pytest.approx(
        math.hypot(0.02, 0.005), abs=2e-4
    )
    assert "measured: calibration cohort seed 12, 3 adults" in path.read_text(encoding="utf-8")
    again = path.read_text(encoding="utf-8")
    rewrite(path, quantiles, seed=12)
    assert path.read_text(encoding="utf-8") == again


@pytest.mark.parametrize(
    ("assumed", "waist", "mass"),
    [
        (0.001, 0.04, 0.05),  # what rendered people need is more
        (0.03, 0.04, math.hypot(3 * 0.03, 0.05)),
        (0.045, math.hypot(0.045, 0.01), math.hypot(3 * 0.045, 0.05)),
    ],
)
def test_without_a_height_nobody_is_surer_than_the_spread_of_statures_allows(
    quantiles: pd.DataFrame, tmp_path: Path, assumed: float, waist: float, mass: float
) -> None:
    """Rendered people need 4 % at the waist and 5 % of the mass without a height."""
    path = tmp_path / "uncertainty.csv"
    path.write_text(
        "shape_backend,measurement,scale,source,relative_sd,basis\n"
        f"anny,other length,estimated,stature of adults,{assumed},assumed: statures\n",
        encoding="utf-8",
    )

    rewrite(path, quantiles, seed=12)

    known = load_uncertainty(path)
    assert known["anny", "waist", "estimated"] == pytest.approx(waist, abs=2e-4)
    assert known["anny", "mass", "estimated"] == pytest.approx(mass, abs=2e-4)
    bases = pd.read_csv(path, comment="#").set_index(["measurement", "source"])["basis"]
    assert bases["waist", "stature of adults"] == "assumed: 1 x that of lengths"
    assert "with a known height; without one, 4.0 % in all" in bases["waist", "fit"]


def found(check: str, consequence: str) -> Finding:
    return Finding(1, check, "fail", 1.0, 0.0, "%", consequence, "")  # type: ignore[arg-type]


def test_needs_are_those_of_videos_as_the_intervals_are_used(
    truth: pd.DataFrame, tmp_path: Path
) -> None:
    """Not of those that a check widens more, nor of fronts that are not known as such."""
    seen = {
        "adult_01-turn": [found("camera_moves", "flag")],
        "adult_02-turn": [found("waist_hidden", "widen")],
        "adult_01-front": [found("no_turn", "widen")],
        "adult_02-front": [],
        "adult_02-turn_again": [found("no_turn", "widen")],
        "adult_02-turn_once_more": [found("partial_body", "reject")],
    }
    for video, findings in seen.items():
        (tmp_path / video).mkdir()
        table = pd.DataFrame({"scale": "known_height", "waist_m": [0.8], "height_m": [1.7]})
        table.to_csv(tmp_path / video / "measurements.csv")
        write_checks(tmp_path / video / "checks.csv", findings)

    needs = read_needs([tmp_path / video for video in seen], truth)

    used = needs.groupby("measurement")[["adult", "take"]].apply(lambda t: t.to_numpy().tolist())
    assert used["waist"] == [["adult_01", "turn"], ["adult_01", "front"]]
    assert used["height"] == [["adult_01", "turn"], ["adult_02", "turn"], ["adult_01", "front"]]


@pytest.mark.parametrize("script", ["measure_bodies", "estimate_shape_anny", "segment_person"])
def test_what_calibration_writes_into_the_library_starts_no_measuring_again(script: str) -> None:
    sources = {path.name for path in find_sources(LIBRARY / f"{script}.py")}
    assert "bodies.py" in sources or "silhouettes.py" in sources
    assert not sources & {"uncertainty.csv", "checks.yaml"}


def test_the_check_of_the_turn_is_told_how_much_wider_the_front_is(tmp_path: Path) -> None:
    path = tmp_path / "checks.yaml"
    shutil.copy(TABLE_FILE, path)
    before = load_checks(TABLE_FILE)

    rewrite_widening(path, {"waist": 1.234, "hips": 2.0, "mass": 3.0}, "measured: 3 adults")

    after = load_checks(path)
    own = {"girth": 2.0, "mass": 3.0, "waist": 1.24, "hips": 2.0}
    assert after["no_turn"].widens == own
    assert after["no_turn"].widens_because == "measured: 3 adults"
    assert {**after, "no_turn": None} == {**before, "no_turn": None}
    rewrite_widening(path, {"waist": 1.3}, "measured again")
    assert load_checks.__wrapped__(path)["no_turn"].widens == {"girth": 1.3, "waist": 1.3}


# pages


def evidence(errors: pd.DataFrame, average: pd.DataFrame, truth: pd.DataFrame) -> Evidence:
    table = add_narrower(pd.concat([errors, errors_of_averages(average, truth)]), NOBODY)
    empty = pd.DataFrame()
    spans = pd.DataFrame({"measurement": "waist", "video": ["a", "b"], "measured": [0.8, 0.81]})
    return Evidence(
        errors=table,
        scores=scores_of(table),
        truth=truth,
        films=empty,
        summary=empty,
        summary_unknown=empty,
        repeatability=empty,
        spans=spans,
        truth_of_calibration=empty,
        ablation=empty,
    )


def test_the_page_says_lengths_in_mm_with_coverage_and_width(
    errors: pd.DataFrame, average: pd.DataFrame, truth: pd.DataFrame
) -> None:
    (waist,) = accuracy_table(evidence(errors, average, truth), "turn", GIVEN).splitlines()[2:]
    assert waist.startswith(
        "| waist | +5 mm | **15 mm** | 1.7 % | 19 mm | 20 mm | 2 of 2 | 50 % (1 to 99) | 50 % |"
    )


def test_the_front_only_is_compared_with_the_turn(
    errors: pd.DataFrame, average: pd.DataFrame, truth: pd.DataFrame
) -> None:
    (waist,) = front_table(evidence(errors, average, truth)).splitlines()[2:]
    assert "| **40 mm** | 5.0 % | 20 mm | 2.0 |" in waist  # of the one measured in both
    assert "| 1 of 2 |" in waist


def test_missed_targets_are_called_missed(
    errors: pd.DataFrame, average: pd.DataFrame, truth: pd.DataFrame
) -> None:
    verdicts = {v.target: v for v in judge(evidence(errors, average, truth), CONFIG)}
    assert verdicts["girths: bias within 9 mm"].row()[""] == "met"
    assert verdicts["girths: nobody worse than 40 mm"].reached == "waist 20.0 mm"
    front = verdicts["front only, girths: mean error at most 27 mm"]
    assert (front.reached, front.row()[""]) == ("waist 40.0 mm", "**missed**")
    front = verdicts["front only: mean errors at most 1.8 x those of the turn"]
    assert (front.reached, front.row()[""]) == ("waist 2.0", "**missed**")
    assert verdicts["turn, height given: every interval holds 92 to 98 %"].is_met is None
    assert verdicts["turn, height not given: every interval holds 92 to 98 %"].is_met is None
    assert verdicts["turn, height given: at least 95 % of people measured"].is_met is True
    rejected = verdicts["front, height given: at least 95 % of people measured"]
    assert (rejected.reached, rejected.is_met) == ("1 of 2", False)
    assert verdicts["spans of one recording: waist within 15 mm"].reached == "10 mm over 2 spans"


@pytest.mark.parametrize(
    ("held", "judged", "is_met", "said"),
    [
        (57, 60, True, "met"),
        (40, 40, None, "too few people to tell"),
        (36, 40, None, "too few people to tell"),
        (30, 40, False, "**missed**"),
        (400, 400, False, "**missed**"),
    ],
)
def test_intervals_are_called_unsound_only_where_chance_does_not_explain_it(
    errors: pd.DataFrame,
    average: pd.DataFrame,
    truth: pd.DataFrame,
    held: int,
    judged: int,
    is_met: bool | None,
    said: str,
) -> None:
    found = evidence(errors, average, truth)
    scores = found.scores.assign(held=held, judged=judged, inside=held / judged)
    given = scores.assign(
        measurement="height", held=0, inside=0.0
    )  # a height given is no measurement
    verdicts = judge(replace(found, scores=pd.concat([scores, given])), CONFIG)
    own = next(v for v in verdicts if v.target.startswith("turn, height given: every"))
    assert (own.is_met, own.row()[""]) == (is_met, said)


def test_how_many_people_resolve_the_range_of_the_target() -> None:
    assert write_accuracy.people_to_tell(CONFIG) == 203


def test_how_many_intervals_rest_on_is_read_from_their_table() -> None:
    basis = BASIS.format(seed=12, people=38) + ", with a known height"
    assert re.match(CALIBRATED_PATTERN, basis)[1] == "38"  # type: ignore[index]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tables of a run on four people, measured 1 % too large; no recording, one rejection."""
    names = [f"adult_{number:02d}" for number in range(1, 5)]
    sizes = {name: np.linspace(1.5, 1.9, 4) for name in RECORDS}
    truth = pd.DataFrame({"adult": names, "sex": ["female", "male"] * 2, **sizes, "mass": 70.0})
    takes = ("turn", "front", "loose")
    films = pd.DataFrame(
        {"video": f"{name}-{take}", "adult": name, "take": take, "height_px": 960}
        | {"vertical_fov_degrees": 50.0, "height_m": 1.2, "distance_m": 3.0, "hair_m": 0.0}
        | {"turn_degrees": 360 if take == "turn" else 0, "clutter": take == "front"}
        | {"looseness_m": 0.01 if take == "loose" else 0.0}
        for name in names
        for take in takes
    )
    average = pd.DataFrame({"who": ["adult", "female", "male"], **dict.fromkeys(RECORDS, 1.7)})
    own = films[["video", "adult", "take"]].merge(truth.drop(columns="sex"))
    own = own.melt(["video", "adult", "take"], var_name="measurement", value_name="true")
    own = own.assign(method=TAPELESS, height=GIVEN, measured=1.01 * own["true"])
    own = own.assign(low=0.98 * own["true"], high=1.04 * own["true"])
    unknown = own[own["take"] == "turn"].assign(height=NOT_GIVEN)
    both = pd.concat([own, unknown]).drop(columns="video")
    errors = add_coverage(pd.concat([both, errors_of_averages(average, truth)]), 0.005)
    needs = pd.DataFrame(
        [["turn", "estimated", name, record.quantity, 40, 0.02] for name, record in RECORDS.items()]
    ).set_axis(QUANTILES_COLUMNS, axis=1)
    errors = add_narrower(errors, needs)
    summary = films[["video"]].assign(status="measured", code=None, flags=None)
    summary.loc[0, ["status", "code", "flags"]] = ["rejected", "no_fit", "no_turn;too_far"]
    summary.loc[2, "flags"] = "loose_clothing"
    measured = own.assign(subject=own["adult"])[["video", "subject", "measurement", "measured"]]
    ablation = own.assign(variant=AS_IN_A_RUN, frames=24)
    tables = {
        "errors": errors,
        "scores": scores_of(errors),
        "truth": truth,
        "films": films,
        "summary": summary,
        "summary_unknown": summary[summary["video"].str.endswith("turn")],
        "repeatability": repeatability_of(measured),
        "spans": pd.DataFrame(columns=["measurement", "video", "measured"]),
        "truth_of_calibration": truth,
        "ablation": pd.concat([ablation, ablation.assign(variant="8 frames")]),
    }
    folder = tmp_path_factory.mktemp("run")
    paths = {name: folder / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        table.to_csv(paths[name], index=False)
    return paths


def test_the_page_is_filled_with_what_a_run_measured(run: dict[str, Path], tmp_path: Path) -> None:
    inputs = {name: path for name, path in run.items() if name != "ablation"}
    template = Path(__file__).parents[2] / "benchmarks" / "pages" / "accuracy.md"
    readme = tmp_path / "README.md"
    shutil.copy(Path(__file__).parents[2] / "README.md", readme)
    ablations = [run["ablation"]]
    write_accuracy.main(inputs, ablations, template, tmp_path / "page.md", readme, CONFIG)
    assert "| waist | 1.0 % (17 mm) | 1.0 % (17 mm) |" in readme.read_text(encoding="utf-8")
    assert readme.read_text(encoding="utf-8").count("| waist |") == 1
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "{" not in page
    assert "nan" not in page
    assert "| waist | +17 mm | **17 mm** | 1.0 % |" in page
    assert "| turn, height given | 4 | 3 | no_fit 1 | no_turn 1, too_far 1 |" in page
    assert "| they, in clothes 10 mm off the skin | 4 of 4 |" in page
    assert "| 100 % | 1 of 4 |" in page  # of them, one found to be loose
    assert "spans of one recording: waist within 15 mm | 0 spans measured | not measured |" in page
    assert "recording was not there" in page


def test_variants_are_compared_on_videos_that_all_of_them_could_measure() -> None:
    rows = [
        {"video": video, "variant": variant, "measurement": "waist", "measured": value}
        for video, values in {"a": (0.8, 0.9, None), "b": (0.7, None, None)}.items()
        for variant, value in zip(("as in a run", "4 frames", "nobody"), values, strict=True)
    ]
    assert draw_accuracy.paired(pd.DataFrame(rows))["video"].unique().tolist() == ["a"]


def test_a_page_without_a_place_for_the_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("<!-- table -->\n", encoding="utf-8")
    with pytest.raises(ValueError, match="end of table"):
        replace_between(tmp_path / "page.md", "table", "new")


def test_the_plots_are_drawn(run: dict[str, Path], tmp_path: Path) -> None:
    plots = {name: tmp_path / f"{name}.png" for name in ("agreement", "build", "size", "views")}
    draw_accuracy.main(run, [run["ablation"]], plots, drawn=["waist", "mass"], take="turn")
    assert all(cv2.imread(str(plot)).std() > 5 for plot in plots.values())


def test_errors_have_the_unit_of_their_measurement() -> None:
    assert amount(RECORDS["waist"], signed=True)(-0.0151) == "-15 mm"
    assert amount(RECORDS["mass"])(1.26) == "1.3 kg"
    assert amount(RECORDS["waist_to_hip"])(0.0123) == "0.012"


def test_a_markdown_table() -> None:
    assert markdown(pd.DataFrame({"a": ["1"], "b": ["2"]})) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


@pytest.mark.parametrize(("cores", "said"), [(2, "met"), (8, "not measured")])
def test_times_are_judged_on_as_many_cores_as_the_target_says(cores: int, said: str) -> None:
    times = {"cores": cores, "frames": 24, "stages": {"estimate_shape": 15.6}}
    measuring = {"measurements": 31, "median_ms": 120.0, "slowest_ms": 130.0}
    rows = [v.row() for v in write_benchmarks.judge(times, measuring, CONFIG["cost"])]
    assert [row[""] for row in rows] == [said, "not measured", "**missed**"]
    assert rows[0]["reached"] == f"15.6 s of 24 frames on {cores} cores"


def test_costs_are_read_from_what_snakemake_writes(tmp_path: Path) -> None:
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    for video, seconds, memory in (("a", 2.0, 300.0), ("b", 4.0, 200.0)):
        path = tmp_path / "estimate_pose" / f"{video}.tsv"
        path.parent.mkdir(exist_ok=True)
        row = f"{seconds}\t0:00:02\t{memory}\t900\t200\t210\t0\t1\t90\t-\n"
        path.write_text(header + row)
    cost = cost_per_stage(read_costs(tmp_path)).iloc[0]
    assert cost["stage"] == "estimate_pose"
    assert cost["videos"] == 2
    assert (cost["seconds"], cost["largest_seconds"]) == (3.0, 4.0)
    assert cost["largest_memory_mb"] == 300.0


def test_runs_of_short_videos_stand_beside_what_is_essential_and_one_core() -> None:
    runs = [
        {"cores": cores, "wall_s": wall_s, "cpu_s": 31.4}
        for cores, wall_s in ((1, 30.0), (2, 15.0))
    ]
    table = tell_runs({"runs": runs, "alone_s": {"decoding": 2.0, "pose": 4.0, "fit": 6.0}})
    assert list(table["of decoding, pose and fit alone"]) == ["2.50", "1.25"]
    assert list(table["times as fast as one core"]) == ["1.00", "2.00"]


def test_kills_are_counted_by_what_was_killed_and_by_what_was_at_work() -> None:
    kills = [
        {"target": "Snakemake", "after_s": 3.1, "at_work": "sample_frames"},
        {"target": "the Docker daemon", "after_s": 9.0, "at_work": "draw_video, sample_frames"},
        {"target": "the Docker daemon", "after_s": 4.0, "at_work": "none"},
    ]
    said = describe_kills({"kills": kills, "runs": 3, "differing": ["a.csv"], "left_over": 2})
    assert "3 kills in 3 runs" in said
    assert "1 files other than those of an undisturbed run, 2 processes or containers" in said
    assert "| Snakemake | 1 | `sample_frames` 1 |" in said
    assert "| the Docker daemon | 2 | `draw_video` 1, `sample_frames` 1, nothing 1 |" in said
