"""Graphics cards in a run of Snakemake: as many jobs at once as there are, each on its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cards import Cards, make_cards
from projects import ROOT, Project

SNAKEFILE = """
rule all:
    input: expand("{job}.json", job=["a", "b"])

rule work:
    output: "{job}.json"
    log: "{job}.log"
    resources: gpu=1
    script: "work.py"
"""
WORK = """
import json, os, time
from pathlib import Path
from tapeless.gpus import use_gpus
from tapeless.logs import job_log
with job_log(snakemake.log[0]), use_gpus(snakemake.resources.gpu):
    here = Path(snakemake.wildcards.job + ".here")
    here.touch()
    deadline_s = time.monotonic() + float(os.environ["PATIENCE_S"])
    while not (met := len(list(Path().glob("*.here"))) == 2) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    card = os.environ["CUDA_VISIBLE_DEVICES"]
    time.sleep(0.5)
    here.unlink()
    Path(snakemake.output[0]).write_text(json.dumps([met, card]))
"""
"""A job that waits for the other one; whether they met, and its card."""


@pytest.fixture
def jobs(project: Project) -> Project:
    """Two jobs that want a card each, in place of the workflow."""
    (project.folder / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    (project.folder / "work.py").write_text(WORK, encoding="utf-8")
    return project


def run_jobs(
    project: Project, cards: Cards, *limits: str, patience_s: int
) -> tuple[bool, set[str]]:
    """Whether the two jobs worked at the same time, and the cards that they had."""
    environment = cards.environment | {"PATIENCE_S": str(patience_s)}
    profile = ("--workflow-profile", "profiles/workstation")
    run = project.snakemake(*profile, *limits, environment=environment)
    assert run.returncode == 0, run.stdout
    (met, card), (other_met, other_card) = (
        json.loads((project.folder / f"{job}.json").read_text(encoding="utf-8")) for job in "ab"
    )
    return met or other_met, {card, other_card}


def planned_gpus(project: Project, rule: str) -> int:
    """How many cards a job of a rule asks for, by a dry run."""
    for file in (project.folder / "rules").glob("*.smk"):  # a message hides the resources
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r'    message:\n +".*"\n', "", text), encoding="utf-8")
    said = project.run("-n", "--workflow-profile", "profiles/workstation")
    job = re.search(rf"^rule {rule}:\n(    .*\n)*?    resources: (.*)", said, re.MULTILINE)
    assert job is not None, said
    asked = dict(part.split("=") for part in job[2].split(", "))
    assert "mem_mb" in asked
    return int(asked.get("gpu", 0))


def read_profile(name: str) -> dict[str, Any]:
    path = ROOT / "profiles" / name / "profile.yaml"
    profile: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return profile


def test_with_two_cards_two_jobs_work_at_once_each_on_its_own(jobs: Project, tmp_path: Path):
    cards = make_cards(tmp_path / "cards", 2)
    assert run_jobs(jobs, cards, "--resources", "gpu=2", patience_s=60) == (True, set(cards.uuids))


def test_with_one_card_jobs_take_turns(jobs: Project, tmp_path: Path):
    cards = make_cards(tmp_path / "cards", 1)
    assert run_jobs(jobs, cards, patience_s=2) == (False, set(cards.uuids))


def test_jobs_take_turns_even_when_the_profile_promises_more_cards(jobs: Project, tmp_path: Path):
    cards = make_cards(tmp_path / "cards", 1)
    assert run_jobs(jobs, cards, "--resources", "gpu=2", patience_s=2) == (False, set(cards.uuids))
    logs = [(jobs.folder / f"{job}.log").read_text(encoding="utf-8") for job in "ab"]
    assert sum(f"waiting for 1 of the graphics cards {cards.uuids[0]}" in log for log in logs) == 1


class TestProfile:
    def test_the_whole_workflow_can_be_planned_with_it(self, project: Project):
        (project.folder / "videos/walk.mp4").write_text("a video")
        said = project.run("-n", "--workflow-profile", "profiles/workstation")
        assert "Using workflow specific profile profiles/workstation" in said
        assert "estimate_shape" in said

    def test_it_has_all_that_the_default_profile_has(self):
        default, workstation = read_profile("default"), read_profile("workstation")
        for key, value in default.items():
            if key in ("resources", "__definitions__"):
                assert set(workstation[key]) >= set(value)
            else:
                assert workstation[key] == value

    def test_nothing_of_the_embedded_route_asks_for_a_card(self, project: Project):
        (project.folder / "videos/walk.mp4").write_text("a video")
        assert planned_gpus(project, "sample_frames") == 0
        assert planned_gpus(project, "estimate_shape") == 0

    def test_what_computes_on_cuda_asks_for_one(self, project: Project):
        (project.folder / "videos/walk.mp4").write_text("a video")
        project.configure(sampling={"hwaccel": "cuda"}, shape={"device": "cuda"})
        assert planned_gpus(project, "sample_frames") == 1
        assert planned_gpus(project, "estimate_shape") == 1
