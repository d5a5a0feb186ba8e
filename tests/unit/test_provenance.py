"""Provenance: what made the results can be read beside them."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import write_provenance
from tapeless.provenance import describe_code, describe_run

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "a repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "code.py").write_text("1\n", encoding="utf-8")
    git(folder, "add", "code.py")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def describe(repository: Path, **changes: object) -> dict:
    arguments = {
        "version": "1.2.3",
        "command": "snakemake --cores 2",
        "config": {"videos": "videos", "sampling": {"frames": 24}},
        "repository": repository,
        "packages": ["numpy", "no-such-package"],
        "now": NOON,
    }
    return describe_run(**(arguments | changes))


def test_a_run_is_described_by_what_it_was_given(repository: Path) -> None:
    run = describe(repository)

    assert run["tapeless"] == "1.2.3"
    assert run["date"] == "2026-11-21T12:00:00+00:00"
    assert run["command"] == "snakemake --cores 2"
    assert run["config"] == {"videos": "videos", "sampling": {"frames": 24}}
    assert run["packages"] == {"numpy": np.__version__, "no-such-package": None}
    assert run["machine"]["cores"] >= 1
    assert json.loads(json.dumps(run)) == run


def test_a_clean_repository_names_its_commit(repository: Path) -> None:
    expected = {"commit": git(repository, "rev-parse", "HEAD"), "changed": False}

    assert describe_code(repository) == expected


def test_edited_code_is_told_from_the_commit(repository: Path) -> None:
    (repository / "code.py").write_text("2\n", encoding="utf-8")

    assert describe_code(repository)["changed"] is True


def test_results_beside_the_code_do_not_count_as_edits(repository: Path) -> None:
    (repository / "summary.csv").write_text("video\n", encoding="utf-8")

    assert describe_code(repository)["changed"] is False


def test_a_folder_in_the_repository_of_something_else_has_no_commit(repository: Path) -> None:
    inner = repository / "inner"
    inner.mkdir()

    assert describe_code(inner) == {"commit": None, "changed": None}


def test_a_plain_folder_has_no_commit(tmp_path: Path) -> None:
    assert describe_code(tmp_path) == {"commit": None, "changed": None}


def test_a_machine_without_git_is_fine(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert describe_code(repository) == {"commit": None, "changed": None}


def test_the_file_beside_the_results_is_json(tmp_path: Path) -> None:
    path = tmp_path / "provenance.json"

    write_provenance.main(path, config={"keep_frames": False}, command=None)

    run = json.loads(path.read_text(encoding="utf-8"))
    assert run["config"] == {"keep_frames": False}
    assert run["command"] is None
    assert run["packages"]["numpy"] == np.__version__
