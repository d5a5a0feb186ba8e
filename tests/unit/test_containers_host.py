"""Jobs in containers, whatever the runtime: what is refused, said, recorded, and left behind.

The programs here are processes of this machine (runtime `host`), so that each run takes little.
What only Docker can show is in tests/containers.
"""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

import container_jobs
from tapeless.containers import (
    ContainerError,
    ContainerFailedError,
    Job,
    Mount,
    expect_usage,
    load_images,
    pinned_digest,
    read_digest,
    remove_leftovers,
    run_container,
    supervision,
)
from tapeless.containers import lines as container_lines
from tapeless.containers.piped import open_pipes
from tapeless.gpus import Gpu, GpuLoad
from tapeless.outcomes import Rejected

PYTHON = [sys.executable, "-Sc"]
PATIENCE_S = 120
SLEEP = "import time; print('at work', flush=True); time.sleep(100)"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """A configuration whose `openpose` is Python on this machine, which takes a line of code."""
    images = container_jobs.write_images(tmp_path, host={"program": PYTHON, "workdir": None})
    return container_jobs.SETTINGS | {"images": images}


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Job]:
    """A job that runs a line of code, and may write to the folder `output`."""
    output = tmp_path / "output"
    output.mkdir()

    def make(code: str, *mounts: Mount, **how: Any) -> Job:
        labels = {"rule": "estimate_pose", "video": "walk"}
        return Job("openpose", (code,), (Mount(output, writable=True), *mounts), labels, **how)

    return make


def wait_for(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def processes_with(mark: str) -> list[psutil.Process]:
    """Processes that have this word in their command line, and are no zombies."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE
        and any(mark in word for word in process.info["cmdline"] or ())
        and not any("container_jobs" in word for word in process.info["cmdline"])
    ]


# --- what a program says ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"no line feed at the end", ["no line feed at the end"]),
        (b"one\r\ntwo\r\n\r\n\n", ["one", "two"]),
        (b" 10%\r 20%\r100%\ndone\n", [" 10%", " 20%", "100%", "done"]),
        (b"\x1b[32mgreen\x1b[0m \x1b[2Kagain\n", ["green again"]),
        (b"tab\tand bell\x07 and nothing\x00\n", ["tab     and bell\\x07 and nothing\\x00"]),
        (b"caf\xe9, caf\xc3\xa9 \xff\xfe\n", ["caf\\xe9, café \\xff\\xfe"]),
        (b"markup <b>&amp;</b> %s {} \\n\n", ["markup <b>&amp;</b> %s {} \\n"]),
        (b"", []),
        (b"a\xe2\x80\xaeb\n", ["a\\u202eb"]),
    ],
)
def test_whatever_bytes_a_program_writes_become_lines(
    said: bytes,
    lines: list[str],
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
):
    heard: list[str] = []
    code = f"import os; os.write(1, {said!r})"
    with caplog.at_level(logging.INFO, "tapeless.containers.openpose"):
        run_container(make_job(code), settings, listener=heard.append)
    assert heard == lines
    assert [record.getMessage() for record in caplog.records] == lines


def test_lines_come_while_the_program_is_at_work(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    times_s: list[float] = []
    code = "import time; print('one'); time.sleep(1); print('two')"
    run_container(make_job(code), settings, listener=lambda _: times_s.append(time.monotonic()))
    assert times_s[1] - times_s[0] > 0.8


def test_standard_output_and_error_do_not_mix_within_a_line(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    heard: list[str] = []
    code = "import os,time\nfor c in b'abcdef': os.write(1 + c % 2, bytes([c])); time.sleep(0.02)"
    run_container(make_job(code), settings, listener=heard.append)
    assert sorted(heard) == ["ace", "bdf"]


def test_endless_lines_and_endless_output_take_no_memory(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(container_lines, "LOG_LIMIT", 10_000)
    code = "import os\nfor _ in range(300): os.write(1, b'x' * (1 << 20))\nprint()\n"
    code += "for _ in range(100000): print('again and again')"
    heard: list[str] = []
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with caplog.at_level(logging.INFO, "tapeless.containers.openpose"):
        run_container(make_job(code), settings, listener=heard.append)
    grown_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mb
    assert grown_mb < 50
    assert heard[0].endswith(f" … ({300 * (1 << 20) - 4096} more bytes)")
    assert len(heard) == 100_001
    logged = [record.getMessage() for record in caplog.records]
    assert sum(map(len, logged)) < 11_000
    assert logged[-1] == "the program says too much: the rest is not logged"


# --- how it ends ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "status"),
    [("sys.exit(7)", 7), ("os.abort()", 128 + 6), ("os.kill(os.getpid(), 11)", 128 + 11)],
)
def test_a_program_that_fails_is_an_error_with_its_status_and_its_last_lines(
    end: str, status: int, make_job: Callable[..., Job], settings: dict[str, Any]
):
    code = f"import os, sys\nfor i in range(50): print('line', i)\nsys.stdout.flush(); {end}"
    with pytest.raises(ContainerFailedError) as caught:
        run_container(make_job(code), settings)
    assert caught.value.status == status
    said = "\n  ".join(f"line {i}" for i in range(30, 50))
    assert str(caught.value).endswith(f"status was {status}, and it said last:\n  {said}")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "make room where"),
        ("write failed: Disk quota exceeded", "make room where"),
        ("unable to write to file </torch_12_3>: No space left on device", "containers.shm_mb"),
        ("DataLoader worker is killed: out of shared memory", "containers.shm_mb"),
        ("RuntimeError: CUDA out of memory. Tried to allocate 2 GiB", "a card with more memory.\n"),
        ("Cuda check failed (2 vs. 0): out of memory", "a card with more memory.\n"),
        ("something else", "what it said tells why"),
    ],
)
def test_what_a_program_says_last_decides_on_the_advice(
    said: str, advice: str, make_job: Callable[..., Job], settings: dict[str, Any]
):
    with pytest.raises(ContainerFailedError, match=re.escape(advice)):
        run_container(make_job(f"import sys; sys.exit({said!r})"), settings)


def test_no_fault_of_a_container_counts_against_the_video():
    assert not issubclass(ContainerError, Rejected)


def test_a_program_and_its_children_are_stopped_when_their_time_is_up(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    """It does not want to be stopped, either."""
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-Sc', 'import time; time.sleep(100) # hangs'])\n"
        "time.sleep(100) # hangs"
    )
    start_s = time.monotonic()
    with pytest.raises(
        ContainerError, match=r"time limit of 0.02 minutes .* containers.time_limit_minutes"
    ):
        run_container(make_job(code), settings | {"time_limit_minutes": 0.02})
    assert 1 <= time.monotonic() - start_s < 10
    wait_for(lambda: processes_with("# hangs") == [])


class TestSeveralVideos:
    """A program says four times that most of a minute has gone by; a minute is its limit."""

    @pytest.fixture
    def run(
        self,
        make_job: Callable[..., Job],
        settings: dict[str, Any],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[..., None]:
        clock = {"s": 0.0}
        slow = SimpleNamespace(monotonic=lambda: clock["s"], sleep=time.sleep)
        monkeypatch.setattr(supervision, "time", slow)
        code = "import time\nfor n in range(4): print(n, flush=True); time.sleep(0.2)"

        def go(videos: int, writes: str) -> None:
            def hear(line: str) -> None:
                clock["s"] += 50
                if line in writes:
                    (tmp_path / "output" / line).touch()

            limited = settings | {"time_limit_minutes": 1}
            run_container(make_job(code), limited, videos=videos, listener=hear)

        return go

    def test_it_has_its_limit_for_each(self, run):
        run(4, writes="0123")

    @pytest.mark.parametrize("videos", [1, 2])
    def test_it_has_no_more_than_that(self, run, videos):
        with pytest.raises(ContainerError, match="time limit of 1 minutes"):
            run(videos, writes="0123")

    @pytest.mark.parametrize("writes", ["", "0"])
    def test_it_is_stopped_before_that_if_it_writes_nothing_in_one_limit(self, run, writes):
        with pytest.raises(ContainerError, match="time limit of 1 minutes"):
            run(100, writes)


def test_a_child_that_outlives_its_program_is_ended_with_it(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    """It even holds the output open."""
    code = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-Sc', 'import time; time.sleep(100) # lingers'])"
    )
    start_s = time.monotonic()
    run_container(make_job(code), settings)
    assert time.monotonic() - start_s < 10
    wait_for(lambda: processes_with("# lingers") == [])


def test_a_listener_that_raises_stops_the_program(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    heard: list[str] = []

    def refuse(line: str) -> None:
        heard.append(line)
        raise LookupError(line)

    with pytest.raises(LookupError, match="at work"):
        code = "import time; print('at work\\nand on', end=''); time.sleep(100) # refused"
        run_container(make_job(code), settings, listener=refuse)
    assert heard == ["at work"]
    wait_for(lambda: processes_with("# refused") == [])


def test_a_job_that_failed_leaves_no_file_open(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    before = container_jobs.open_files()
    with pytest.raises(ContainerFailedError) as caught:
        run_container(make_job("raise SystemExit(1)"), settings)
    assert caught.tb is not None, "so nothing is closed just by being forgotten"
    assert container_jobs.open_files() == before


def test_a_job_can_be_run_in_a_thread(make_job: Callable[..., Job], settings: dict[str, Any]):
    heard: list[str] = []
    job = make_job("print('here')")
    thread = Thread(target=run_container, args=(job, settings), kwargs={"listener": heard.append})
    thread.start()
    thread.join(PATIENCE_S)
    assert heard == ["here"]


# --- signals ----------------------------------------------------------------------------------


def start(
    job: Job, settings: dict[str, Any], folder: Path, usage_file: Path | None = None
) -> subprocess.Popen[str]:
    """A process that runs a job, which is at work."""
    process = container_jobs.start(container_jobs.describe(job, settings, usage_file), folder)
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    return process


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 128 + 15), (signal.SIGHUP, 128 + 1), (signal.SIGINT, -2)],
)
def test_a_signal_ends_the_program_and_then_the_job(
    number: int,
    status: int,
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    tmp_path: Path,
):
    usage_file = tmp_path / "usage.json"
    process = start(make_job(SLEEP + f" # {number}"), settings, tmp_path, usage_file)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status
    wait_for(lambda: processes_with(f"# {number}") == [])
    assert json.loads(usage_file.read_text())["status"] == "stopped"


def test_a_second_signal_does_not_keep_the_first_from_ending_everything(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    """Snakemake sends its own after Ctrl-C has reached the job; this program needs a while."""
    code = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: time.sleep(2)); "
    process = start(make_job(code + SLEEP + " # twice"), settings, tmp_path)
    process.send_signal(signal.SIGINT)
    for _ in range(5):
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -2
    wait_for(lambda: processes_with("# twice") == [])


def test_handlers_of_signals_are_afterwards_what_they_were(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    run_container(make_job("pass"), settings)
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_signal_that_is_ignored_stays_ignored(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    """As in a job that nohup protects."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run_container(make_job("import os; os.kill(os.getppid(), 1)"), settings)
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_the_callers_own_handler_gets_the_signal_when_all_is_over(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    class StoppedError(Exception):
        pass

    def stop(*_: object) -> None:
        assert processes_with("# handled") == []
        raise StoppedError

    code = "import os, time; os.kill(os.getppid(), 15); time.sleep(100) # handled"
    previous = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(StoppedError):
            run_container(make_job(code), settings)
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_the_program_dies_with_a_job_that_is_killed(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    process = start(make_job(SLEEP + " # dies"), settings, tmp_path)
    process.kill()
    process.wait()
    wait_for(lambda: processes_with("# dies") == [])


def test_what_still_lives_after_a_job_was_killed_is_removed_at_the_next_start(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    """The kernel ends the program itself, but not its children; those of a live job stay."""
    code = (
        "import subprocess, sys, time\n"
        "child = [sys.executable, '-Sc', 'import time; time.sleep(100) # {}']\n"
        "subprocess.Popen(child); print('at work'); time.sleep(100)"
    )
    killed = start(make_job(code.format("orphan")), settings, tmp_path)
    living = start(make_job(code.format("in use")), settings, tmp_path)
    wait_for(lambda: bool(processes_with("time.sleep(100) # in use")))
    killed.kill()
    killed.wait()
    orphans = [p for p in processes_with("# orphan") if p.ppid() != killed.pid]
    assert orphans

    assert remove_leftovers() >= 1

    wait_for(lambda: processes_with("# orphan") == [])
    assert len(processes_with("# in use")) == 2
    living.terminate()
    living.wait(PATIENCE_S)
    wait_for(lambda: processes_with("# in use") == [])


def test_where_the_libraries_are_missing_no_leftovers_are_found():
    """As in the environment of a job that runs no container, but takes a card."""
    code = """
import sys
sys.modules["docker"] = sys.modules["psutil"] = None
from tapeless.containers import remove_leftovers
print(remove_leftovers())
"""
    environment = os.environ | {"PYTHONPATH": str(container_jobs.ROOT / "scripts")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stdout == b"0\n", done.stderr


# --- what is recorded -------------------------------------------------------------------------


def test_what_a_program_used_is_written_beside_the_benchmark(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    usage_file = tmp_path / "not there yet" / "usage.json"
    code = "import subprocess, sys, time; x = bytearray(b'1') * (50 << 20)\n"
    code += "subprocess.run([sys.executable, '-Sc', 'import time;"
    code += ' x = bytearray(b"1") * (100 << 20); time.sleep(1.2)\'])'
    run_container(make_job(code), settings, usage_file=usage_file)
    usage = json.loads(usage_file.read_text())
    assert 1.2 < usage.pop("wall_time_s") < 10
    assert 150 < usage.pop("memory_peak_mb") < 200  # with that of its child
    assert usage.pop("started").endswith("+00:00")
    assert usage == {
        "program": "openpose",
        "runtime": "host",
        "image": None,
        "digest": None,
        "gpus": [],
        "runs": 1,
        "gpu_memory_peak_mb": None,
        "gpu_utilisation_percent": None,
        "memory_is": "proportional set size of its processes",
        "status": "ok",
        "exit_status": 0,
        "message": None,
    }


@pytest.mark.parametrize(
    ("code", "status", "exit_status"),
    [("raise SystemExit(7)", "failed", 7), (SLEEP, "time_limit", None)],
)
def test_a_failure_is_recorded_too(
    code: str,
    status: str,
    exit_status: int | None,
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    tmp_path: Path,
):
    with pytest.raises(ContainerError) as caught:
        run_container(
            make_job(code),
            settings | {"time_limit_minutes": 0.02},
            usage_file=tmp_path / "usage.json",
        )
    usage = json.loads((tmp_path / "usage.json").read_text())
    assert (usage["status"], usage["exit_status"]) == (status, exit_status)
    assert usage["message"] == str(caught.value)
    assert usage["wall_time_s"] > 0


def test_a_job_that_cannot_be_started_is_recorded_too(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    settings["images"] = str(tmp_path / "nothing.yaml")
    with pytest.raises(ContainerError):
        run_container(make_job("pass"), settings, usage_file=tmp_path / "usage.json")
    usage = json.loads((tmp_path / "usage.json").read_text())
    assert (usage["status"], usage["wall_time_s"]) == ("not_started", None)


def test_what_several_programs_of_one_job_used_is_added_up(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    """Times are; of memory, the most is told; the end is that of the last one."""
    usage_file = tmp_path / "usage.json"
    hungry = make_job("import time; x = bytearray(b'1') * (100 << 20); time.sleep(0.7)")
    run_container(hungry, settings, usage_file=usage_file)
    first = json.loads(usage_file.read_text())
    with pytest.raises(ContainerFailedError):
        run_container(
            make_job("import time; time.sleep(0.7); raise SystemExit(2)", gpus=("GPU-a",)),
            settings,
            usage_file=usage_file,
        )
    usage = json.loads(usage_file.read_text())
    assert usage["runs"] == 2
    assert usage["started"] == first["started"]
    assert usage["wall_time_s"] > first["wall_time_s"] + 0.7
    assert usage["memory_peak_mb"] == first["memory_peak_mb"] > 100
    assert usage["gpus"] == ["GPU-a"]
    assert (usage["status"], usage["exit_status"]) == ("failed", 2)


def test_a_job_that_came_to_run_nothing_says_so(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    with expect_usage(tmp_path / "benchmarks/none.json"), expect_usage(None):
        pass
    assert json.loads((tmp_path / "benchmarks/none.json").read_text()) == {"status": "not_run"}
    with expect_usage(tmp_path / "one.json"):
        run_container(make_job("pass"), settings, usage_file=tmp_path / "one.json")
    assert json.loads((tmp_path / "one.json").read_text())["status"] == "ok"


def test_memory_and_work_of_the_graphics_cards_are_recorded_where_the_driver_answers(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    card = Gpu(0, "GPU-a", "Stand-in", 24576, 24576)
    readings = iter([(1000, 10), (3000, 50), (2000, 60)])
    seen: list[tuple[str, ...]] = []

    def read_loads(ids: tuple[str, ...]) -> list[GpuLoad]:
        seen.append(ids)
        return [GpuLoad(card, *next(readings, (500, 40)))]

    monkeypatch.setattr("tapeless.gpu_usage.read_loads", read_loads)
    job = make_job("import time; time.sleep(1.5)", gpus=("GPU-a", "GPU-b"))
    run_container(job, settings, usage_file=tmp_path / "usage.json")
    usage = json.loads((tmp_path / "usage.json").read_text())
    assert usage["gpu_memory_peak_mb"] == 3000
    assert usage["gpu_utilisation_percent"] == 40
    assert usage["gpus"] == ["GPU-a", "GPU-b"]
    assert set(seen) == {("GPU-a", "GPU-b")}


# --- what a program gets ----------------------------------------------------------------------


def run_and_listen(job: Job, settings: dict[str, Any]) -> list[str]:
    heard: list[str] = []
    run_container(job, settings, listener=heard.append)
    return heard


def test_variables_are_those_of_the_configuration(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    job = make_job("import os; print(*(os.environ[n] for n in ('A', 'PYTHONUNBUFFERED')))")
    assert run_and_listen(job, settings | {"environment": {"A": "config"}}) == ["config 1"]


def test_a_program_sees_the_cards_of_its_job_and_no_others(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    code = "import os; print([os.environ['CUDA_VISIBLE_DEVICES']])"
    assert run_and_listen(make_job(code), settings) == ["['']"]
    assert run_and_listen(make_job(code, gpus=("GPU-a", "GPU-b")), settings) == ["['GPU-a,GPU-b']"]


def test_limits_of_processes_reach_the_program(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    settings["ulimits"] = {"nofile": 100}
    assert run_and_listen(make_job(code), settings) == ["(100, 100)"]
    settings["ulimits"] = {"files": 100}
    with pytest.raises(ContainerError, match="no limit 'files': correct"):
        run_container(make_job(code), settings)
    settings["ulimits"] = {"nofile": 1 << 40}
    with pytest.raises(ContainerError, match="this user may not set the limits"):
        run_container(make_job(code), settings)


def test_the_program_on_the_host_runs_in_its_own_folder(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    container_jobs.write_images(tmp_path, host={"program": PYTHON, "workdir": str(tmp_path)})
    assert run_and_listen(make_job("import os; print(os.getcwd())"), settings) == [str(tmp_path)]


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ({"program": None, "workdir": None}, "does not say what to run"),
        ({"program": ["openpose.bin"], "workdir": None}, "openpose.bin is not installed"),
        ({"program": "/opt/none/openpose.bin", "workdir": None}, "not installed"),
        ({"program": PYTHON, "workdir": "/none"}, "/none is no folder: correct host.workdir"),
    ],
)
def test_a_host_that_lacks_the_program_says_so(
    host: dict[str, Any],
    message: str,
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    tmp_path: Path,
):
    container_jobs.write_images(tmp_path, host=host)
    with pytest.raises(ContainerError, match=re.escape(message)):
        run_container(make_job("pass"), settings)


def test_on_the_host_nothing_can_be_mounted_elsewhere_but_where_it_already_is(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    (tmp_path / "data").mkdir()
    target = tmp_path / "inside"
    job = make_job("pass", Mount(tmp_path / "data", str(target)))
    with pytest.raises(ContainerError, match=f"make {target} a link to it"):
        run_container(job, settings)
    target.symlink_to("data")
    run_container(job, settings)


def test_a_job_has_one_writable_mount_and_if_it_is_piped_none(
    settings: dict[str, Any], tmp_path: Path
):
    jobs = [
        Job(
            "openpose",
            (),
            tuple(Mount(tmp_path / str(i), writable=i < count) for i in range(2)),
            {},
        )
        for count in range(2)
    ]
    with pytest.raises(ValueError, match="has a writable mount, and this one has none"):
        run_container(jobs[0], settings)
    with (
        pytest.raises(ValueError, match="a piped job has no writable mount"),
        open_pipes(jobs[1], settings),
    ):
        pass
    with pytest.raises(ValueError, match="at most one writable mount, this one has 2"):
        Job("openpose", (), tuple(Mount(tmp_path / str(i), writable=True) for i in range(2)), {})


def test_what_is_to_be_mounted_must_exist(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    missing = tmp_path / "missing"
    for job, more in [
        (make_job("pass", Mount(missing)), {}),
        (make_job("pass"), {"volumes": [{"source": str(missing)}]}),
    ]:
        with pytest.raises(ContainerError, match=f"{missing} does not exist"):
            run_container(job, settings | more)


def test_two_things_cannot_be_mounted_in_one_place(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    (tmp_path / "a").mkdir()
    settings["volumes"] = [{"source": str(tmp_path / "a"), "target": str(tmp_path / "output")}]
    with pytest.raises(ContainerError, match="both to be mounted"):
        run_container(make_job("pass"), settings)


@pytest.mark.parametrize(
    "name", ["inputs", "inputs/one", ".", "link", "link/one", "link/../inputs"]
)
def test_no_volume_makes_an_input_of_a_job_writable(
    name: str, make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    """Neither one that lies in it nor one that holds it, by whatever name."""
    inputs = tmp_path / "inputs"
    (inputs / "one").mkdir(parents=True)
    (tmp_path / "link").symlink_to("inputs")
    (tmp_path / "one").mkdir()
    job = make_job("pass", Mount(inputs))
    volume = {"source": f"{tmp_path}/{name}"}
    with pytest.raises(ContainerError, match=f"could change {inputs}, .* leave writable out"):
        run_container(job, settings | {"volumes": [volume | {"writable": True}]})
    run_container(job, settings | {"volumes": [volume]})


def test_a_volume_beside_the_inputs_of_a_job_may_be_writable(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    for folder in ("inputs", "inputs of others"):
        (tmp_path / folder).mkdir()
    volumes = [
        {"source": f"{tmp_path}/{folder}", "writable": True}
        for folder in ("inputs of others", "output")
    ]
    job = make_job("pass", Mount(tmp_path / "inputs"))
    run_container(job, settings | {"volumes": volumes})


def test_a_users_own_mounts_are_used_when_the_file_exists(
    make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    mounts = tmp_path / "mounts.yaml"
    settings["mounts_file"] = str(mounts)
    run_container(make_job("pass"), settings)
    mounts.write_text("- {source: /nowhere/share}\n")
    with pytest.raises(ContainerError, match="/nowhere/share does not exist"):
        run_container(make_job("pass"), settings)
    mounts.write_text("")
    run_container(make_job("pass"), settings)


@pytest.mark.parametrize(
    "content",
    [
        "a: b",
        "- /mnt",
        "- [",
        "\xff",
        "- {source: 1}",
        "- {target: /mnt}",
        "- {source: /mnt, target: mnt}",
        "- {source: /mnt, writable: 1}",
        "- {source: /mnt, writeable: true}",
    ],
)
def test_a_mounts_file_that_is_wrong_is_named(
    content: str, make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    mounts = tmp_path / "mounts.yaml"
    mounts.write_text(content, encoding="latin-1")
    with pytest.raises(ContainerError, match=re.escape(str(mounts))):
        run_container(make_job("pass"), settings | {"mounts_file": str(mounts)})


# --- the file of images -----------------------------------------------------------------------


def test_the_file_of_images_that_is_shipped_can_be_read_and_pins_nothing_that_nobody_has():
    images = load_images(container_jobs.IMAGES)
    assert set(images) == {"openpose", "shapy", "ffmpeg"}
    for name, entry in images.items():
        assert entry.name == name
        assert entry.licence and entry.workdir.startswith("/")
        assert (entry.docker.digest, entry.apptainer.digest) == (None, None)


def test_a_runtime_has_its_own_digest(settings: dict[str, Any], tmp_path: Path):
    container_jobs.write_images(
        tmp_path,
        docker={"image": "openpose:1", "digest": "sha256:1"},
        apptainer={"image": "openpose.sif", "digest": "sha256:2"},
    )
    found = [pinned_digest("openpose", settings | {"runtime": r}) for r in ("docker", "apptainer")]
    assert found == ["sha256:1", "sha256:2"]
    assert pinned_digest("openpose", settings) is None
    assert read_digest("openpose", settings) is None


def test_a_program_that_there_is_not_is_named_with_the_one_that_may_be_meant(
    settings: dict[str, Any],
):
    with pytest.raises(ContainerError, match=r"no entry 'opnpose' \(did you mean openpose\?\)"):
        pinned_digest("opnpose", settings)


@pytest.mark.parametrize("content", [None, "openpose: [", "", "openpose: {}", "- openpose"])
def test_a_file_of_images_that_is_missing_or_wrong_is_named(content: str | None, tmp_path: Path):
    path = tmp_path / "images.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ContainerError, match=re.escape(str(path))):
        load_images(path)


def test_importing_the_door_does_not_load_dockers_library():
    code = "import sys, tapeless.containers; sys.exit('docker' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(container_jobs.ROOT / "scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
