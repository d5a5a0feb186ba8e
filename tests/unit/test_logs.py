"""The log of a job, and what its user sees of it when it ends badly."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tapeless.logs import job_log, read_failure
from tapeless.outcomes import MachineFault


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "estimate_pose").mkdir()
    return tmp_path / "estimate_pose" / "anna.log"


def fail(log: Path, error: BaseException) -> None:
    with job_log(log):
        raise error


def test_of_the_machines_fault_only_the_sentences_are_shown(log, capsys):
    fault = MachineFault("No Docker daemon answers. Start it: sudo systemctl start docker")
    fault.add_note("OpenPose had done 2 of 4 frames.")
    with pytest.raises(SystemExit) as end:
        fail(log, fault)
    assert end.value.code == 1
    assert capsys.readouterr().err == (
        "No Docker daemon answers. Start it: sudo systemctl start docker\n"
        "OpenPose had done 2 of 4 frames.\n"
    )
    assert "Traceback (most recent call last)" in log.read_text(encoding="utf-8")


def test_a_crash_keeps_its_traceback_and_goes_on(log):
    with pytest.raises(ZeroDivisionError, match="by nought"):
        fail(log, ZeroDivisionError("by nought"))
    assert "Traceback (most recent call last)" in log.read_text(encoding="utf-8")
    assert read_failure(log, since=0) == "ZeroDivisionError: by nought"


@pytest.mark.parametrize(("end", "status"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_a_job_that_was_told_to_stop_did_not_fail(log, capsys, end, status):
    with pytest.raises(SystemExit) as stopped:
        fail(log, end)
    assert (stopped.value.code, capsys.readouterr().err) == (status, "")
    assert "Traceback" not in log.read_text(encoding="utf-8")
    assert read_failure(log, since=0) is None


def test_a_failure_is_told_by_a_log_of_this_run_only(log):
    with pytest.raises(SystemExit):
        fail(log, MachineFault("The disk is full.\nMake room."))
    assert read_failure(log, since=0) == "The disk is full.\nMake room."
    os.utime(log, (1000, 1000))
    assert read_failure(log, since=2000) is None
    assert read_failure(log.with_name("none.log"), since=0) is None


def test_a_job_that_ends_well_is_no_failure(log):
    with job_log(log):
        logging.getLogger("tapeless").info("24 of 24 frames")
    assert "INFO tapeless: 24 of 24 frames" in log.read_text(encoding="utf-8")
    assert read_failure(log, since=0) is None


def test_a_log_on_a_full_disk_neither_fails_a_job_nor_hides_why_it_failed(capsys):
    full = Path("/dev/full")
    with job_log(full):
        logging.getLogger("test").warning("a line that is lost")
    with pytest.raises(ZeroDivisionError, match="by nought"):
        fail(full, ZeroDivisionError("by nought"))
    assert capsys.readouterr().err == ""
