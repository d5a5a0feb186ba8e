"""The command line: results as a table, and what it says when there are none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from snakemake.cli import parse_config

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


@pytest.mark.parametrize("video", ["001", "NA", "1e3", "true", "null"])
def test_an_id_is_shown_as_it_is(results: Path, video: str) -> None:
    for name in ("measurements.csv", "summary.csv"):
        table = (results / name).read_text()
        (results / name).write_text(table.replace("ann", video).replace("hall", f"0{video}"))
    lines = call("show", results).output.splitlines()
    assert video in lines
    assert f"0{video}: rejected (no_person). Nobody was found." in lines


def test_show_says_when_a_folder_holds_no_results(tmp_path: Path) -> None:
    said = call("show", tmp_path)
    assert said.exit_code != 0
    assert "summary.csv" in said.output


def test_run_of_a_folder_without_videos_fails(tmp_path: Path) -> None:
    said = call("run", tmp_path, tmp_path / "results", "--cores", "1")
    assert said.exit_code != 0
    assert not (tmp_path / "results" / "summary.csv").exists()


@pytest.mark.parametrize(
    "name",
    [
        "clips #2",
        "a: b",
        "[x]",
        "{y: 1}",
        "170",
        "null",
        "- q'u\"o",
        "ümläut 😀",
        "new\nline ",
        "a=b",
    ],
)
def test_run_hands_folders_on_whatever_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    commands: list[list[str]] = []

    def note(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, returncode=3)

    monkeypatch.setattr(subprocess, "run", note)
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    call("run", "--", name, f"{name}/results")
    (command,) = commands
    understood = parse_config(command[command.index("--config") + 1 :])
    assert understood == {
        "videos": str(tmp_path / name),
        "sheet": "null",
        "pathvars": {"results": str(tmp_path / name / "results")},
    }


def test_help_names_every_command() -> None:
    said = call("--help")
    assert {"demo", "run", "show"} <= set(said.output.split())
