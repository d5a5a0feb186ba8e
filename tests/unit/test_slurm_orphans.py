"""Jobs that a killed run left in Slurm's queue, told by stand-ins for its commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tapeless import slurm
from tapeless.runs import AnotherRunError, take_folder

Queue = Callable[..., Path]


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Puts jobs into a queue, of which scancel takes those that `ends`; gives the queue's file."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")

    def fill(*jobs: tuple[int, str, Path], ends: bool = True) -> Path:
        (tmp_path / "bin").mkdir()
        rows = tmp_path / "queue.tsv"
        lines = [f"{number}\t{comment}\t{folder}\n" for number, comment, folder in jobs]
        rows.write_text("".join(lines), encoding="utf-8")
        cancel = f'for job; do sed -i "/^$job\t/d" {rows}; done' if ends else "true"
        for name, script in {"squeue": f"cat {rows}", "scancel": cancel}.items():
            path = tmp_path / "bin" / name
            path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            path.chmod(0o755)
        return rows

    return fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def test_the_next_run_cancels_what_was_submitted_from_its_folder(queue: Queue, folder: Path):
    rows = queue((1, "rule_video", folder), (2, "rule_video", folder.parent))
    take_folder(folder)
    assert rows.read_text(encoding="utf-8").startswith("2\t")


def test_jobs_that_are_not_snakemakes_are_left_alone(queue: Queue, folder: Path):
    rows = queue((1, "(null)", folder), (2, "my own", folder))
    take_folder(folder)
    assert len(rows.read_text(encoding="utf-8").splitlines()) == 2


def test_while_they_do_not_end_no_run_starts(
    queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(slurm, "_PATIENCE_S", 0.0)
    queue((17, "rule_video", folder), ends=False)
    with pytest.raises(AnotherRunError, match=r"do not end: wait until .* \(17\)"):
        take_folder(folder)


def test_a_queue_that_cannot_be_looked_at_is_no_obstacle(
    queue: Queue, folder: Path, caplog: pytest.LogCaptureFixture
):
    queue((1, "rule_video", folder)).unlink()
    take_folder(folder)
    assert "Slurm's queue cannot be looked at" in caplog.text


def test_a_machine_that_has_the_commands_and_no_cluster_is_not_warned(
    queue: Queue, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    queue((1, "rule_video", folder))
    fatal = "squeue: fatal: Could not establish a configuration source"
    (tmp_path / "bin/squeue").write_text(
        f"#!/bin/sh\necho '{fatal}' >&2; exit 1\n", encoding="utf-8"
    )
    take_folder(folder)
    assert caplog.text == ""
