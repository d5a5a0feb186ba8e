"""Work in two processes at once: both are done in the end, and what fails is said."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import pytest

from tapeless.beside import working_beside


def test_both_are_done_by_the_end_from_what_was_in_memory(tmp_path: Path):
    words = ["known", "before"]
    with working_beside(lambda: (tmp_path / "beside").write_text(" ".join(words))):
        words.append("not after")
        (tmp_path / "here").write_text("done")
    assert (tmp_path / "beside").read_text() == "known before"
    assert (tmp_path / "here").read_text() == "done"


def test_what_fails_beside_fails_the_job_with_its_own_error(tmp_path: Path):
    with (
        pytest.raises(FileNotFoundError, match="nowhere"),
        working_beside(lambda: (tmp_path / "nowhere/table").write_text("")),
    ):
        (tmp_path / "here").write_text("done")
    assert (tmp_path / "here").exists()


def test_a_process_that_is_killed_fails_the_job():
    with (
        pytest.raises(ChildProcessError, match="status -9"),
        working_beside(lambda: os.kill(os.getpid(), signal.SIGKILL)),
    ):
        pass


def test_ctrl_c_ends_both_without_a_traceback():
    code = (
        "import time\n"
        "from tapeless.beside import working_beside\n"
        "from tapeless.logs import job_log\n"
        "def work():\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(60)\n"
        "with job_log('/dev/null'), working_beside(work):\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code]
    with Popen(command, stdout=PIPE, stderr=STDOUT, text=True, start_new_session=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "begun\n"
        os.killpg(run.pid, signal.SIGINT)
        assert run.stdout.read() == ""
    assert run.returncode == 130


def test_what_fails_here_is_what_is_said(tmp_path: Path):
    with (
        pytest.raises(ValueError, match="here"),
        working_beside(lambda: (tmp_path / "nowhere/table").write_text("")),
    ):
        raise ValueError("here")
