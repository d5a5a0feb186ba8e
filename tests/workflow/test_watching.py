"""The logger `tapeless` in real runs of Snakemake, with jobs that measure nothing.

What it says of tapeless' own jobs is seen in test_interruption.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
PATIENCE_S = 300
SNAKEFILE = """
from pathlib import Path
from tapeless.watching.progress import Plan, PlannedJob

VIDEOS = ["anna", "ben", "carl"]
VERDICTS = {
    "anna": '{"outcome": "ok"}',
    "ben": '{"outcome": "rejected", "code": "no_person", "reason": "Nobody."}',
    "carl": '{"outcome": "ok"}',
}

rule all:
    input:
        expand("results/videos/{video}/outcome.json", video=VIDEOS)

rule judge:
    output:
        "results/videos/{video}/outcome.json"
    log:
        "logs/{video}.log"
    params:
        verdict=lambda wildcards: VERDICTS[wildcards.video],
        after=lambda wildcards: Path("after").read_text() if wildcards.video == "carl" else "true"
    message:
        "Judging {wildcards.video}"
    shell:
        "echo 'THE JOB FAILED: No disk.' > {log}; "
        "{params.after} && echo {params.verdict:q} > {output}"

onstart:
    jobs = {
        workflow.dag.jobid(job): PlannedJob(job.rule.name, tuple(job.wildcards_dict.values()))
        for job in workflow.dag.needrun_jobs()
    }
    plan = Plan(jobs, tuple(VIDEOS), Path("results"), log=Path(log[0]))
    logger.info("what will be done", extra={"tapeless_plan": plan})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    return tmp_path


def start(folder: Path, after: str, *arguments: str) -> subprocess.Popen[str]:
    """A run in which the last of three jobs does something first."""
    (folder / "after").write_text(after, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "3", "--keep-going"]
    return subprocess.Popen(
        [*command, "--logger", "tapeless", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, after: str, *arguments: str) -> str:
    """What such a run says, to its end."""
    return start(folder, after, *arguments).communicate(timeout=PATIENCE_S)[0]


def read_status(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / "results/progress.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {"state": "none"}
    status: dict[str, Any] = json.loads(text)
    return status


def test_a_run_tells_of_videos_and_what_failed_and_goes_on(folder: Path):
    said = run(folder, "false")
    assert "3 videos: 4 jobs to do. All that Snakemake says is in " in said
    assert " rejected ben: Nobody. (no_person)\n" in said
    assert " FAILED judge/carl: No disk.\n    its log: logs/carl.log\n" in said
    assert said.rstrip().endswith("; 2 of 3 videos done (1 measured, 1 rejected), 1 failed")
    for of_snakemake in ("Finished jobid", "Judging anna", "steps (", "Error in rule"):
        assert of_snakemake not in said
    status = read_status(folder)
    assert (status["state"], status["jobs"]["failed"]) == ("failed", 1)
    assert status["failures"][0]["said"] == "No disk."
    log = (folder / status["log"]).read_text(encoding="utf-8")
    assert "Judging anna" in log  # all is kept

    said = run(folder, "true")
    assert "3 videos, 2 of them done before: 2 jobs to do." in said
    assert read_status(folder)["state"] == "finished"
    assert read_status(folder)["videos"]["measured"] == 2


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_says_that_it_was(folder: Path, end: signal.Signals):
    process = start(folder, "sleep 5")
    deadline_s = time.monotonic() + PATIENCE_S
    while (status := read_status(folder)).get("jobs", {}).get("done", 0) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    assert status["state"] == "running"
    process.send_signal(end)
    process.communicate(timeout=PATIENCE_S)
    status = read_status(folder)
    assert status["state"] == "interrupted"
    assert status["jobs"]["running"] == 0


def test_with_verbose_and_without_a_run_snakemake_speaks_for_itself(folder: Path):
    assert "Judging anna" in run(folder, "true", "--dry-run")
    assert read_status(folder) == {"state": "none"}
    assert "Judging anna" in run(folder, "true", "--verbose")
