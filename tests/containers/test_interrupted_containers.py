"""Runs that are interrupted or killed with a container at work, or whose daemon is; and runs that
meet on a card."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker_daemon import Daemon

from projects import PATIENCE_S, wait_for
from reference import PROGRAMS, ReferenceProject, Workstation
from tapeless.containers.jobs import LABEL_PREFIX, make_labels

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def project(finished: ReferenceProject) -> ReferenceProject:
    """A project in which one person is still to be measured."""
    finished.forget("tall")
    return finished


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts runs of projects, which are gone when the test is over, however that ends."""
    runs: list[subprocess.Popen[bytes]] = []

    def start_run(project: ReferenceProject, *arguments: str) -> subprocess.Popen[bytes]:
        runs.append(project.start(*arguments))
        return runs[-1]

    yield start_run
    for run in runs:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


@pytest.fixture
def bystanders(workstation: Workstation) -> Iterator[set[str]]:
    """Containers that no run may touch: of a job that lives, of another program, and all that
    were there before the test."""
    before = ids(workstation)
    run = workstation.docker.containers.run
    image, command = workstation.digests["openpose"], ["sleep", "1000"]
    own = make_labels({"rule": "estimate_pose", "video": "walk"})
    started = [run(image, command, detach=True, labels=labels) for labels in (own, {})]
    yield before | {container.id for container in started}
    for container in started:
        container.remove(force=True)


def find_container(project: ReferenceProject, program: str) -> Any | None:
    """The container of a program that a job of this project runs."""
    wanted = {"run": str(project.folder), "rule": PROGRAMS[program], "video": "tall"}
    for container in project.workstation.containers():
        labels = {name.removeprefix(LABEL_PREFIX): text for name, text in container.labels.items()}
        if wanted.items() <= labels.items() and container.status == "running":
            return container
    return None


def ids(workstation: Workstation) -> set[str]:
    return {container.id for container in workstation.containers()}


def test_a_run_stopped_or_killed_in_the_middle_of_a_container_is_gone_on_with(
    project: ReferenceProject, reference: ReferenceProject, start: Start, bystanders: set[str]
):
    workstation = project.workstation

    def start_until_hangs(program: str) -> tuple[subprocess.Popen[bytes], set[str]]:
        """A run in which a program hangs, at that moment, and the containers of all runs."""
        before = ids(workstation)
        project.misbehave(**{program: "hang@/tall/"})
        run = start(project)

        def is_at_work() -> bool:
            found = find_container(project, program)
            return found is not None and found.id not in before

        wait_for(is_at_work, run)
        return run, ids(workstation) - bystanders

    for program, rule in PROGRAMS.items():  # Ctrl-C
        run, _ = start_until_hangs(program)
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(PATIENCE_S) != 0
        assert project.scripts_at_work() == []
        assert ids(workstation) == bystanders
        assert project.read_usage(rule, "tall")["status"] == "stopped"
        with workstation.cards.job() as another:  # the card is free again
            assert another.wait_for_gpus() == list(workstation.cards.uuids)

    run, first = start_until_hangs("shapy")  # Snakemake is killed, and its job works on
    run.kill()
    run.wait()
    assert project.scripts_at_work() != []
    assert ids(workstation) == bystanders | first

    run, second = start_until_hangs("shapy")  # all of a run is killed at once
    assert len(second) == 1
    left = find_container(project, "shapy")
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert ids(workstation) == bystanders | second

    run, third = start_until_hangs("shapy")  # the job alone is killed, as for want of memory
    assert len(third) == 1
    said = (project.folder / "run.log").read_text(encoding="utf-8")
    assert f"removing container {left.name}, left behind by a killed job" in said
    for process in project.scripts_at_work():
        process.kill()
    assert run.wait(PATIENCE_S) != 0
    assert ids(workstation) == bystanders

    project.misbehave()
    project.run()
    assert ids(workstation) == bystanders
    assert project.scripts_at_work() == []
    assert project.reports() == reference.reports()
    assert project.plan() == {}


def test_a_run_whose_daemon_is_killed_in_the_middle_of_a_container_is_gone_on_with(
    project: ReferenceProject, reference: ReferenceProject, start: Start, mortal_daemon: Daemon
):
    """By SIGKILL. The container works on, for nobody, until the daemon is back."""
    project.forget("walk")
    before = ids(project.workstation)
    for program, rule in PROGRAMS.items():
        project.misbehave(**{program: "hang@/tall/"})
        run = start(project)
        wait_for(lambda program=program: find_container(project, program) is not None, run)
        mortal_daemon.kill()
        assert run.wait(PATIENCE_S) != 0
        log = (project.results / f"logs/{rule}/tall.log").read_text(encoding="utf-8")
        assert f"the Docker daemon stopped answering while it was to run {program}" in log
        assert project.scripts_at_work() == []
        mortal_daemon.start()
        assert len(ids(project.workstation) - before) == 1, "something was left behind"

    project.misbehave()
    project.run()

    assert ids(project.workstation) == before
    assert project.reports() == reference.reports()
    assert project.plan() == {}


@pytest.mark.parametrize("cards", [1, 2])
def test_runs_at_once_share_the_cards(
    project: ReferenceProject, start: Start, tmp_path: Path, cards: int
):
    """One card they have in turn; of two, each has its own. The first is held up meanwhile."""
    workstation = project.workstation.with_cards(tmp_path / "cards", cards)
    before = ids(workstation)
    first = replace(project, workstation=workstation)
    second = first.copy(tmp_path / "second")
    rule = PROGRAMS["openpose"]
    log = second.results / "logs" / rule / "tall.log"
    log.unlink()

    run = start(first, "keypoints")
    wait_for(lambda: find_container(first, "openpose") is not None, run)
    held = find_container(first, "openpose")
    held.pause()
    other_run = start(second, "keypoints")
    if cards == 1:
        wait_for(lambda: log.exists() and "waiting for" in log.read_text(), other_run)
        assert ids(workstation) - before == {held.id}
    else:
        wait_for(lambda: find_container(second, "openpose") is not None, other_run)
    held.unpause()

    assert (run.wait(PATIENCE_S), other_run.wait(PATIENCE_S)) == (0, 0)
    used = [project.read_usage(rule, "tall")["gpus"] for project in (first, second)]
    assert used == [[workstation.cards.uuids[0]], [workstation.cards.uuids[-1]]]
