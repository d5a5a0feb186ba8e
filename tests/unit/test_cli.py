"""The command line: results as a table, and what it says when there are none."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from tapeless.cli import main


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The reports of a run: one person measured, one video rejected."""
    pd.DataFrame(
        {
            "video": ["ann", "ann", "hall", "hall"],
            "measurement": ["waist", "mass"] * 2,
            "unit": ["cm", "kg"] * 2,
            "50%": [81.26, 63.14, None, None],
            "low": [78.0, 60.0, None, None],
            "high": [85.0, 67.0, None, None],
        }
    ).to_csv(tmp_path / "measurements.csv")
    pd.DataFrame(
        {
            "video": ["ann", "hall"],
            "status": ["measured", "rejected"],
            "code": [None, "no_person"],
            "reason": [None, "Nobody was found."],
        }
    ).to_csv(tmp_path / "summary.csv")
    return tmp_path


def test_show_prints_each_measurement_with_its_interval(results: Path) -> None:
    said = call("show", results)
    assert said.exit_code == 0
    assert "ann\n" in said.output
    lines = [line.split() for line in said.output.splitlines()]
    assert ["waist", "cm", "81.3", "78.0", "-", "85.0"] in lines
    assert ["mass", "kg", "63.1", "60.0", "-", "67.0"] in lines


def test_show_lists_a_rejected_video_with_its_reason_only(results: Path) -> None:
    lines = [line for line in call("show", results).output.splitlines() if "hall" in line]
    assert lines == ["hall: rejected (no_person). Nobody was found."]


def test_show_says_when_a_folder_holds_no_results(tmp_path: Path) -> None:
    said = call("show", tmp_path)
    assert said.exit_code != 0
    assert "summary.csv" in said.output


def test_run_of_a_folder_without_videos_fails(tmp_path: Path) -> None:
    said = call("run", tmp_path, tmp_path / "results", "--cores", "1")
    assert said.exit_code != 0
    assert not (tmp_path / "results" / "summary.csv").exists()


def test_help_names_every_command() -> None:
    said = call("--help")
    assert {"demo", "run", "show"} <= set(said.output.split())
