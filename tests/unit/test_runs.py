"""One run at a time in a folder; what a killed one leaves behind is no obstacle."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tapeless.runs import LOCK_FILE, AnotherRunError, end_orphans, find_orphans, take_folder

HOLD = """
import sys, time
from pathlib import Path
from tapeless.runs import take_folder
take_folder(Path(sys.argv[1]))
print("taken", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other_run(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has taken the folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
        process.kill()


def test_a_second_run_in_the_same_folder_is_refused(
    tmp_path: Path, other_run: subprocess.Popen[str]
):
    with pytest.raises(AnotherRunError, match="another run is at work"):
        take_folder(tmp_path)


def test_a_run_in_another_folder_is_free_to_start(
    tmp_path_factory: pytest.TempPathFactory, other_run: subprocess.Popen[str]
):
    take_folder(tmp_path_factory.mktemp("other"))


def test_a_run_that_was_killed_bars_nobodys_way(tmp_path: Path, other_run: subprocess.Popen[str]):
    other_run.send_signal(signal.SIGKILL)
    other_run.wait()
    assert (tmp_path / LOCK_FILE).exists()
    take_folder(tmp_path)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A job of a run in the folder: as a process of its own, not one of this test."""
    script = tmp_path / ".snakemake/scripts/tmp123.sample_frames.py"
    script.parent.mkdir(parents=True)
    script.write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)]) as process:
        while not find_all(script):
            time.sleep(0.01)
        yield process
        process.kill()


def find_all(script: Path) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if str(script) in (p.info["cmdline"] or ())]


def test_jobs_of_this_run_are_no_orphans(tmp_path: Path, job: subprocess.Popen[bytes]):
    assert find_orphans(tmp_path) == []


def test_jobs_of_a_run_that_is_no_more_are_ended(
    tmp_path: Path, job: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [])
    assert end_orphans(tmp_path) == 1
    job.wait(timeout=5)


def test_a_job_that_ends_by_itself_meanwhile_stops_nobody(
    tmp_path: Path, job: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
):
    kill = psutil.Process.kill

    def kill_what_has_ended(process: psutil.Process) -> None:
        job.kill()
        job.wait()
        kill(process)

    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [])
    monkeypatch.setattr(psutil.Process, "kill", kill_what_has_ended)
    assert end_orphans(tmp_path) == 1


def test_jobs_in_other_folders_are_left_alone(
    tmp_path_factory: pytest.TempPathFactory,
    job: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [])
    assert end_orphans(tmp_path_factory.mktemp("other")) == 0
    assert job.poll() is None
