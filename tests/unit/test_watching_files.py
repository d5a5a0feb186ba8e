"""What programs read of a run: progress.json, and the file for Prometheus."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cards import make_cards
from tapeless.watching import watcher as watching
from tapeless.watching.progress import Plan, PlannedJob
from tapeless.watching.watcher import Watcher


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Two videos, a job each."""
    jobs = {1: PlannedJob("fit", ("anna",)), 2: PlannedJob("fit", ("ben",))}
    textfile = tmp_path / "tapeless.prom"
    return Plan(jobs, ("anna", "ben"), tmp_path / "results", textfile=textfile)


def read_status(plan: Plan) -> dict[str, Any]:
    status: dict[str, Any] = json.loads((plan.results / "progress.json").read_text("utf-8"))
    return status


def finish(watcher: Watcher, plan: Plan, job: int, **outcome: object) -> None:
    """A job is done, and left a verdict."""
    folder = plan.results / "videos" / plan.jobs[job].videos[0]
    folder.mkdir(parents=True)
    (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    watcher.start(job)
    watcher.finish(job)


def test_a_run_is_told_from_its_start_to_its_end(plan: Plan):
    watcher = Watcher(plan)
    watcher.write_when_due()
    assert read_status(plan)["videos"]["waiting"] == 2
    finish(watcher, plan, 1, outcome="ok")
    finish(watcher, plan, 2, outcome="rejected", code="no_person", reason="Nobody.")
    assert watcher.end() == "finished"
    status = read_status(plan)
    assert status["state"] == "finished"
    assert (status["videos"]["measured"], status["videos"]["rejected"]) == (1, 1)
    assert status["jobs"] == {"total": 2, "done": 2, "running": 0, "failed": 0, "waiting": 0}
    assert (status["expected_end"], status["longest_running"]) == (None, [])
    started, updated = map(datetime.fromisoformat, (status["started"], status["updated"]))
    assert timedelta(0) <= updated - started < timedelta(minutes=1)


def test_a_run_that_fails_names_the_job_the_reason_and_the_log(plan: Plan, tmp_path: Path):
    log = tmp_path / "anna.log"
    log.write_text("THE JOB FAILED: The disk is full.", encoding="utf-8")
    watcher = Watcher(plan)
    watcher.start(1)
    watcher.fail({1: [str(log)]})
    assert watcher.end() == "failed"
    assert read_status(plan)["failures"] == [
        {"stage": "fit", "videos": ["anna"], "said": "The disk is full.", "logs": [str(log)]}
    ]


def test_a_run_that_was_ended_has_nothing_at_work(plan: Plan):
    watcher = Watcher(plan)
    watcher.start(1)
    assert watcher.end() == "interrupted"
    status = read_status(plan)
    assert (status["jobs"]["running"], status["videos"]["waiting"]) == (0, 2)


def test_a_job_that_is_tried_again_is_no_failure(plan: Plan):
    watcher = Watcher(plan)
    watcher.start(1)
    watcher.fail({1: []})
    failed = watcher.start(1)
    assert failed is not None
    assert failed.videos == ("anna",)
    assert watcher.end() == "interrupted"
    assert read_status(plan)["failures"] == []


def test_it_is_written_once_a_second_at_most_and_now_and_then_without_news(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    now_s = [1000.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: now_s[0])
    watcher = Watcher(plan)
    written = []
    monkeypatch.setattr(watching, "write_json", lambda *_: written.append(now_s[0]))
    for tenth in range(300):
        now_s[0] = 1000 + tenth / 10
        if tenth == 25:
            watcher.start(1)
        watcher.write_when_due()
    assert written == pytest.approx([1000.0, 1002.5, 1012.5, 1022.5])


def test_a_folder_that_cannot_be_written_to_is_said_once_and_ends_no_run(
    plan: Plan, caplog: pytest.LogCaptureFixture
):
    plan.results.write_text("in the way", encoding="utf-8")
    watcher = Watcher(plan)
    watcher.write_when_due()
    watcher.end()
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [
        "progress.json cannot be written"
    ]


def read_metrics(path: Path) -> dict[tuple[str, ...], float]:
    """The numbers, by name and labels but for the project."""
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
    samples = [sample for family in families for sample in family.samples]
    assert len({sample.labels["project"] for sample in samples}) == 1
    return {(s.name, *[v for k, v in s.labels.items() if k != "project"]): s.value for s in samples}


def test_prometheus_reads_the_same_numbers(plan: Plan):
    watcher = Watcher(plan)
    finish(watcher, plan, 1, outcome="ok")
    watcher.write_when_due()
    assert plan.textfile is not None
    metrics = read_metrics(plan.textfile)
    assert metrics["tapeless_videos", "measured"] == 1
    assert metrics["tapeless_videos", "waiting"] == 1
    assert metrics["tapeless_jobs", "fit", "done"] == 1
    assert metrics["tapeless_run_active",] == 1
    assert metrics["tapeless_run_expected_end_time_seconds",] > 1e9
    watcher.end()
    assert read_metrics(plan.textfile)["tapeless_run_active",] == 0
    assert [path.name for path in plan.textfile.parent.glob("*prom*")] == ["tapeless.prom"]


WRITE = """
import sys
from pathlib import Path
from tapeless.watching.progress import Plan
from tapeless.watching.watcher import Watcher
Watcher(Plan({}, (), Path("results"), textfile=Path(sys.argv[1]))).end()
"""


def test_graphics_cards_are_named_as_by_dcgm(tmp_path: Path):
    cards = make_cards(tmp_path / "cards", 1)
    cards.use(a=6144)
    path = tmp_path / "tapeless.prom"
    command = [sys.executable, "-c", WRITE, str(path)]
    subprocess.run(command, env=cards.environment, cwd=tmp_path, check=True)
    metrics = read_metrics(path)
    labels = (cards.uuids[0], "0", "Stand-in RTX a")
    found = {name[0]: value for name, value in metrics.items() if set(name[1:]) == set(labels)}
    assert found == {
        "DCGM_FI_DEV_FB_USED": 6144,
        "DCGM_FI_DEV_FB_FREE": 18432,
        "DCGM_FI_DEV_GPU_UTIL": 25,
    }
