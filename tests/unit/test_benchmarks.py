"""What the benchmark makes of measured and true numbers, and of Snakemake's own timings."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "scripts"))

from score_accuracy import (
    AVERAGE,
    AVERAGE_OF_SEX,
    GIVEN,
    NOT_GIVEN,
    TAPELESS,
    errors_of_averages,
    errors_of_tapeless,
    scores_of,
)
from score_cost import cost_per_stage, read_costs
from write_pages import accuracy_table, markdown


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
def measurements() -> pd.DataFrame:
    """Waists as the workflow reports them: +2 cm and -1 cm given the height, one rejected else."""
    return pd.DataFrame(
        {
            "video": ["adult_01", "adult_02", "adult_01-height_unknown", "adult_02-height_unknown"],
            "measurement": "waist",
            "unit": "cm",
            "50%": [82.0, 99.0, 84.0, None],
            "low": [81.0, 95.0, 79.0, None],
            "high": [83.0, 103.0, 89.0, None],
        }
    )


def score(errors: pd.DataFrame, **wanted: str) -> pd.Series:
    scores = scores_of(errors)
    for column, value in wanted.items():
        scores = scores[scores[column] == value]
    assert len(scores) == 1
    return scores.iloc[0]


def test_scores_are_those_of_the_errors(truth: pd.DataFrame, measurements: pd.DataFrame) -> None:
    waist = score(errors_of_tapeless(measurements, truth), setting=GIVEN)
    assert waist["people"] == 2
    assert waist["bias"] == pytest.approx((0.02 - 0.01) / 2)
    assert waist["mae"] == pytest.approx((0.02 + 0.01) / 2)
    assert waist["mae_percent"] == pytest.approx((2.5 + 1) / 2)
    assert waist["largest_percent"] == pytest.approx(2.5)


def test_the_share_of_true_values_in_the_interval(
    truth: pd.DataFrame, measurements: pd.DataFrame
) -> None:
    assert score(errors_of_tapeless(measurements, truth), setting=GIVEN)["within"] == 0.5


def test_who_was_not_measured_is_not_scored(
    truth: pd.DataFrame, measurements: pd.DataFrame
) -> None:
    waist = score(errors_of_tapeless(measurements, truth), setting=NOT_GIVEN)
    assert waist["people"] == 1
    assert waist["bias"] == pytest.approx(0.04)


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
    ("method", "setting", "measurement", "woman", "man"),
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
    setting: str,
    measurement: str,
    woman: float,
    man: float,
) -> None:
    levels = ["method", "setting", "measurement"]
    table = errors_of_averages(average, truth).set_index(levels).sort_index()
    said = table.loc[(method, setting, measurement)].set_index("adult")["measured"]
    assert said["adult_01"] == pytest.approx(woman)
    assert said["adult_02"] == pytest.approx(man)


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


def test_the_page_says_lengths_in_mm_and_mass_in_kg(
    truth: pd.DataFrame, average: pd.DataFrame
) -> None:
    full = average.assign(chest=0.9, hips=1.0)
    measured = truth.drop(columns="sex").melt("adult", var_name="measurement", value_name="true")
    own = measured.assign(
        setting=GIVEN, method=TAPELESS, measured=1.01 * measured["true"], low=0.0, high=999.0
    )
    table = accuracy_table(scores_of(pd.concat([own, errors_of_averages(full, truth)])), GIVEN)
    waist = next(line for line in table.splitlines() if line.startswith("| waist"))
    assert waist.startswith("| waist | +9 mm | +1.0 % | 9 mm | **1.0 %** | 1.0 % | 100 % |")
    assert "| mass | +0.7 kg | +1.0 % | 0.7 kg |" in table


def test_a_markdown_table() -> None:
    assert markdown(pd.DataFrame({"a": ["1"], "b": ["2"]})) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
