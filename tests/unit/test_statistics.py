"""Statistics of a video: what pandas says, and an interval wide enough for few estimates."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tapeless.bodies import SCALES
from tapeless.intervals import (
    interval,
    load_uncertainty,
    median_penalty,
    relative_sd_of,
)
from tapeless.measurements import Measurement, load_table
from tapeless.shape import anny, shapy_bodies
from tapeless.statistics import STATISTICS_COLUMNS, summarize

SCHEMA = Path(__file__).parents[2] / "schemas/config.schema.yaml"


def estimates(scale: str = "known_height", count: int = 3, frames: int = 8) -> pd.DataFrame:
    steps = np.arange(count) - (count - 1) / 2
    values = {"height_m": 1.70, "chest_m": 0.95, "waist_m": 0.80, "hips_m": 1.02, "mass_kg": 65.0}
    columns = {name: middle * (1 + 0.01 * steps) for name, middle in values.items()}
    return pd.DataFrame(
        {"estimate": [f"estimate_{i + 1}" for i in range(count)], **columns}
    ).assign(scale=scale, frames=frames, flags="")


def summary(rows: pd.DataFrame, shape_backend: str = "anny") -> pd.DataFrame:
    frame = summarize(rows, load_table(), load_uncertainty(), shape_backend=shape_backend)
    return frame.set_index("measurement", drop=False)


# the table of a video


def test_each_measurement_has_a_row_in_the_order_of_the_definitions() -> None:
    frame = summary(estimates())

    assert tuple(frame.columns) == STATISTICS_COLUMNS[3:]
    assert frame["measurement"].tolist() == ["height", "chest", "waist", "hips", "mass"]
    assert frame["unit"].tolist() == ["cm", "cm", "cm", "cm", "kg"]
    assert "navel" in frame.loc["waist", "definition"]


def test_numbers_are_those_of_describe_in_report_units() -> None:
    rows = estimates()
    expected = (rows["waist_m"] * 100).describe()

    waist = summary(rows).loc["waist"]

    for name in expected.index:
        assert waist[name] == pytest.approx(expected[name]), name
    assert waist["low"] < waist["50%"] < waist["high"]


def test_one_estimate_has_an_interval_but_no_spread() -> None:
    waist = summary(estimates(count=1)).loc["waist"]

    assert math.isnan(waist["std"])
    assert waist["count"] == 1
    assert waist["low"] < waist["50%"] < waist["high"]


def test_a_rejected_video_has_the_header_only() -> None:
    frame = summary(estimates().iloc[:0])

    assert tuple(frame.columns) == STATISTICS_COLUMNS[3:]
    assert frame.empty


def test_without_a_known_height_everything_is_less_sure() -> None:
    known, guessed = summary(estimates("known_height")), summary(estimates("estimated"))

    widths = (guessed["high"] - guessed["low"]) / (known["high"] - known["low"])

    assert (widths > 1.2).all()


def test_estimates_of_unlike_scale_are_not_mixed() -> None:
    rows = estimates()
    rows.loc[1, "scale"] = "estimated"

    with pytest.raises(ValueError, match="allowed is one"):
        summary(rows)


def test_shapys_own_measurements_have_rows_where_there_are_any() -> None:
    rows = estimates(frames=1).assign(shapy_waist_m=[0.80, 0.81, 0.82], shapy_mass_kg=[64, 65, 66])

    frame = summary(rows, "shapy")

    assert frame["measurement"].tolist()[5:] == ["shapy_waist", "shapy_mass"]
    assert frame.loc["shapy_waist", "50%"] == pytest.approx(81)
    assert frame.loc["shapy_mass", "unit"] == "kg"
    assert "SHAPY's landmark" in frame.loc["shapy_waist", "definition"]


def test_a_backend_whose_errors_are_not_known_is_refused_with_what_to_do() -> None:
    with pytest.raises(KeyError, match=r"add a row for tailor, height, known_height to .*\.csv"):
        summary(estimates(), "tailor")


def test_what_checks_found_widens_the_measurements_that_it_concerns() -> None:
    def doubled_at_the_waist(measurement: Measurement, usual_sd: float) -> float:
        return math.sqrt(3) * usual_sd if measurement.name == "waist" else 0.0

    rows = estimates(count=1)
    usual = summary(rows)
    widened = summarize(
        rows,
        load_table(),
        load_uncertainty(),
        shape_backend="anny",
        added_sd=doubled_at_the_waist,
    ).set_index("measurement")

    for name, factor in {"waist": 2, "hips": 1}.items():
        sds = [frame.loc[name, "common_relative_sd"] for frame in (usual, widened)]
        logs = [math.log(frame.loc[name, "high"] / 80) for frame in (usual, widened)]
        middle = math.log(usual.loc[name, "50%"] / 80)
        assert sds[1] == pytest.approx(factor * sds[0])
        assert logs[1] - middle == pytest.approx(factor * (logs[0] - middle))


def test_what_checks_found_does_not_multiply_what_is_not_known_of_the_scale() -> None:
    """Clothes that make a mass wrong by half do not make somebody weigh tons."""
    rows = estimates(count=1, scale="estimated")
    known = load_uncertainty()
    widened = summarize(
        rows, load_table(), known, shape_backend="anny", added_sd=lambda *_about: 0.38
    ).set_index("measurement")

    scaled = relative_sd_of(known, "anny", "mass", "mass", "estimated")
    found = widened.loc["mass", "common_relative_sd"]
    assert found == pytest.approx(math.hypot(scaled, 0.38))


def test_factors_of_checks_are_of_what_is_usual_at_a_known_height() -> None:
    rows = estimates(count=1, scale="estimated")
    known, asked = load_uncertainty(), {}
    summarize(
        rows,
        load_table(),
        known,
        shape_backend="anny",
        added_sd=lambda record, usual_sd: asked.setdefault(record.name, usual_sd) and 0.0,
    )
    assert asked["mass"] == relative_sd_of(known, "anny", "mass", "mass", "known_height")


def test_a_flag_counts_from_half_of_the_estimates_on() -> None:
    rows = estimates(count=4)
    rows["flags"] = ["waist=belly;hips=wide;waist=apart", "waist=belly", "waist=apart", None]

    flags = summary(rows)["flags"]

    assert flags["waist"] == "apart;belly"
    assert (flags["hips"], flags["chest"]) == ("", "")


def test_what_could_not_be_taken_on_an_estimate_is_not_counted() -> None:
    rows = estimates()
    rows.loc[0, "waist_m"] = math.nan
    rows["hips_m"] = math.nan

    frame = summary(rows)

    assert frame["count"].to_dict() == {"height": 3, "chest": 3, "waist": 2, "hips": 0, "mass": 3}
    assert frame.loc["waist", "low"] < frame.loc["waist", "50%"]
    assert math.isnan(frame.loc["hips", "50%"])
    assert math.isnan(frame.loc["hips", "low"])


# the interval


def test_estimates_that_depend_on_each_other_are_no_surer_for_being_many() -> None:
    logs = np.array([-0.05, 0.0, 0.05])

    for count in (3, 24):
        many = np.tile(logs, count // 3)
        low, high = interval(np.exp(many).tolist(), relative_sd=0.0, are_independent=False)
        freedom = count - 1
        student = {2: 4.30265, 23: 2.06866}[freedom]
        half_width = student * many.std(ddof=1)
        assert (math.log(low), math.log(high)) == pytest.approx((-half_width, half_width), rel=1e-4)


def test_an_estimate_a_frame_is_no_independent_one() -> None:
    each_a_frame, each_many = estimates(count=9, frames=1), estimates(count=9, frames=8)

    widths = [summary(rows)["high"] - summary(rows)["low"] for rows in (each_a_frame, each_many)]

    assert (widths[0] > 1.3 * widths[1]).all()


def test_estimates_that_agree_leave_the_common_errors() -> None:
    low, high = interval([80.0, 80.0, 80.0], relative_sd=0.04)

    assert low == pytest.approx(80 * math.exp(-1.95996 * 0.04), rel=1e-5)
    assert high == pytest.approx(80 * math.exp(1.95996 * 0.04), rel=1e-5)


def test_three_estimates_that_disagree_get_students_t_of_two_degrees() -> None:
    logs = np.array([-0.05, 0.0, 0.05])
    low, high = interval(np.exp(logs).tolist(), relative_sd=0.0)

    half_width = 4.30265 * 1.1602 * 0.05 / math.sqrt(3)
    assert (math.log(low), math.log(high)) == pytest.approx((-half_width, half_width), rel=1e-4)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Both kinds of error drawn as the formula assumes; coverage counted."""
    generator = np.random.default_rng(1)
    for count, spread, common in [(3, 0.01, 0.04), (3, 0.03, 0.03), (5, 0.05, 0.01), (9, 0.04, 0)]:
        shared = generator.normal(0, common, (4000, 1))
        logs = shared + generator.normal(0, spread, (4000, count))
        bounds = np.array([interval(row, common) for row in np.exp(logs).tolist()])
        covered = ((bounds[:, 0] < 1) & (bounds[:, 1] > 1)).mean()
        assert 0.93 < covered < 0.985, (count, spread, common)


def width(estimates: list[float], relative_sd: float) -> float:
    """The interval's, on logarithms."""
    low, high = interval(estimates, relative_sd)
    return math.log(high / low)


def test_what_is_known_to_be_wrong_never_narrows_it() -> None:
    assert width([0.99, 1, 1.012], 0.006) > width([0.99, 1, 1.012], 0.0)

    generator = np.random.default_rng(3)
    for count in (1, 2, 3, 4, 8) * 20:
        estimates = np.exp(generator.normal(0, 10 ** generator.uniform(-4, -0.5), count)).tolist()
        widths = [width(estimates, sd) for sd in np.linspace(0, 0.2, 41)]
        assert widths == sorted(widths)


def test_more_spread_never_narrows_it() -> None:
    for count in (2, 3, 4, 8):
        steps = np.arange(count) - (count - 1) / 2
        for sd in (0.0, 0.001, 0.02, 0.1):
            widths = [width(np.exp(s * steps).tolist(), sd) for s in np.linspace(0, 0.1, 41)]
            assert widths == sorted(widths)


def test_low_stays_above_nothing_however_wide() -> None:
    low, _ = interval([40.0, 80.0, 160.0], relative_sd=0.3)

    assert low > 0


@pytest.mark.parametrize("values", [[], [80.0, 0.0], [float("nan")]])
def test_there_is_no_interval_without_sound_estimates(values: list[float]) -> None:
    with pytest.raises(ValueError, match="one or more above 0"):
        interval(values, 0.04)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 11])
def test_the_penalty_of_the_median_is_what_normal_samples_show(count: int) -> None:
    samples = np.random.default_rng(2).normal(size=(200_000, count))
    seen = np.median(samples, axis=1).std() * math.sqrt(count)

    assert median_penalty(count) == pytest.approx(seen, rel=0.01 if count <= 5 else 0.04)


# known sources of error


QUANTITIES = ("length", "girth", "breadth", "area", "volume", "mass", "ratio", "index")
SHAPY_SCALES = ("known_height", "estimated")  # no camera tells it the size


def test_whatever_is_measured_has_its_uncertainty_with_every_backend() -> None:
    known = load_uncertainty()
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))

    for backend in schema["properties"]["shape"]["properties"]["backend"]["enum"]:
        for scale in SHAPY_SCALES if backend == "shapy" else SCALES:
            for quantity in QUANTITIES:
                assert 0 < relative_sd_of(known, backend, "of a user", quantity, scale) < 0.5


def test_a_measurement_with_figures_of_its_own_does_not_have_those_of_others() -> None:
    known = {("anny", "waist", "estimated"): 0.05, ("anny", "other girth", "estimated"): 0.2}

    assert relative_sd_of(known, "anny", "waist", "girth", "estimated") == 0.05
    assert relative_sd_of(known, "anny", "calf", "girth", "estimated") == 0.2


def test_body_files_name_their_backend_as_the_configuration_does() -> None:
    assert {anny.BACKEND, shapy_bodies.BACKEND} == {backend for backend, *_ in load_uncertainty()}


@pytest.mark.parametrize(
    ("name", "mean_absolute_error_mm", "usual_mm"),
    [("height", 51, 1690), ("chest", 65, 985), ("waist", 69, 920), ("hips", 57, 1070)],
)
def test_errors_of_shapy_are_the_published_ones(
    name: str, mean_absolute_error_mm: float, usual_mm: float
) -> None:
    published = mean_absolute_error_mm * math.sqrt(math.pi / 2) / usual_mm

    for own in (name, f"shapy_{name}"):
        assert load_uncertainty()["shapy", own, "estimated"] == pytest.approx(published, abs=5e-4)


def test_a_known_height_takes_its_share_out_of_the_girths_of_shapy() -> None:
    known = load_uncertainty()
    height = known["shapy", "height", "estimated"]

    for name in ("chest", "waist", "hips"):
        rest = math.sqrt(known["shapy", name, "estimated"] ** 2 - height**2)
        assert known["shapy", name, "known_height"] == pytest.approx(
            math.hypot(rest, 0.005), abs=1e-3
        )


def test_what_is_measured_as_shapy_does_is_as_uncertain_as_ours_on_the_same_body() -> None:
    known = load_uncertainty()

    for record in load_table().shapy_measurements:
        for scale in SHAPY_SCALES:
            own = known["shapy", record.name.removeprefix("shapy_"), scale]
            assert known["shapy", record.name, scale] == own


def test_sources_of_error_add_in_squares(tmp_path: Path) -> None:
    path = tmp_path / "uncertainty.csv"
    path.write_text(
        "# where from\nshape_backend,measurement,scale,source,relative_sd,basis\n"
        "anny,waist,estimated,fit,0.03,a\nanny,waist,estimated,scale,0.04,b\n"
        "shapy,waist,estimated,fit,0.09,c\n",
        encoding="utf-8",
    )

    assert load_uncertainty(path) == {
        ("anny", "waist", "estimated"): pytest.approx(0.05),
        ("shapy", "waist", "estimated"): pytest.approx(0.09),
    }


@pytest.mark.parametrize("row", ["waist,guessed,fit,0.03,a", "waist,estimated,fit,3,percent!"])
def test_a_faulty_source_of_error_is_refused_by_name(tmp_path: Path, row: str) -> None:
    path = tmp_path / "uncertainty.csv"
    header = "shape_backend,measurement,scale,source,relative_sd,basis"
    path.write_text(f"{header}\nanny,{row}\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"uncertainty\.csv: .*waist.*allowed: scale"):
        load_uncertainty(path)
