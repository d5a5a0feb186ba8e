"""One run at a time in a folder; what a killed one leaves behind is no obstacle."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tapeless.runs import (
    LOCK_FILE,
    WRITTEN_LOCK,
    AnotherRunError,
    end_orphans,
    find_orphans,
    take_folder,
)

HOLD = """
import sys, time
from pathlib import Path
from tapeless.runs import take_folder
take_folder(Path(sys.argv[1]), map(Path, sys.argv[2:]))
print("taken", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other_run(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has taken the folder, and one for its results elsewhere."""
    command = [sys.executable, "-c", HOLD, str(tmp_path), str(tmp_path / "disk/results")]
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


class TestFoldersThatARunWritesTo:
    def test_a_run_of_another_project_with_the_same_results_is_refused(
        self, tmp_path: Path, other_run: subprocess.Popen[str]
    ):
        """Though it calls them by another name; it is told who has them."""
        project, results = tmp_path / "project", tmp_path / "link"
        results.symlink_to("disk/results")
        with pytest.raises(AnotherRunError) as refusal:
            take_folder(project, [results])
        who = f"process {other_run.pid} on {socket.gethostname()}"
        assert str(refusal.value) == (
            f"another run is at work in {results} ({who}): wait for it to end"
        )

    def test_who_was_refused_keeps_nothing_from_others(
        self, tmp_path: Path, other_run: subprocess.Popen[str]
    ):
        project, logs = tmp_path / "project", tmp_path / "logs"
        with pytest.raises(AnotherRunError):
            take_folder(project, [logs, tmp_path / "disk/results"])
        take_folder(project, [logs])

    def test_results_beside_those_of_another_run_are_free(
        self, tmp_path: Path, other_run: subprocess.Popen[str]
    ):
        take_folder(tmp_path / "project", [tmp_path / "disk/other results"])

    def test_one_lock_does_for_a_folder_and_what_lies_in_it(self, tmp_path: Path):
        results = tmp_path / "results"
        take_folder(tmp_path, [results, results / "logs", results / "../results", tmp_path / "b"])
        made = {path.parent for path in tmp_path.rglob(WRITTEN_LOCK)}
        assert made == {results, tmp_path / "b"}

    def test_one_that_nobody_can_write_to_is_left_to_the_look_at_the_machine(self, tmp_path: Path):
        (tmp_path / "results").write_text("in the way", encoding="utf-8")
        take_folder(tmp_path, [tmp_path / "results", Path("/proc/results")])

    @pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
    def test_a_disk_without_locks_is_said_once(
        self,
        tmp_path: Path,
        number: int,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ):
        def refuse(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", refuse)
        with caplog.at_level(logging.WARNING):
            take_folder(tmp_path, [tmp_path / "results"])
        assert caplog.messages == [
            f"no locks are kept in {tmp_path}, {tmp_path / 'results'}: "
            "do not start two runs there at once"
        ]

    def test_a_lock_of_somebody_else_that_can_only_be_read_does(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """As in results that a group shares; root may write to all, so it is made believe."""
        lock, opened = tmp_path / "results" / WRITTEN_LOCK, os.open
        lock.parent.mkdir()
        lock.touch()

        def open_to_read(path: Path, how: int, *mode: int) -> int:
            if path == lock and how & os.O_RDWR:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return opened(path, how, *mode)

        monkeypatch.setattr(os, "open", open_to_read)
        take_folder(tmp_path / "one", [lock.parent])
        with pytest.raises(AnotherRunError, match="another run is at work in"):
            take_folder(tmp_path / "other", [lock.parent])


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
