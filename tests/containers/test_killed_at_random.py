"""Runs whose Docker daemon and containers are killed at random moments: a small part of
`make bench-faults`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from docker_daemon import Daemon

from projects import ROOT
from reference import ReferenceProject

sys.path.insert(0, str(ROOT / "benchmarks" / "scripts"))

from kill_container_runs import ContainerPlace, Service, docker_targets
from kill_runs import kill_and_finish

SEED = 1


@pytest.fixture
def undisturbed(reference: ReferenceProject, mortal_daemon: Daemon) -> ContainerPlace:
    """The finished reference route, and the daemon, which is to be killed."""
    service = Service(mortal_daemon, SEED)
    return ContainerPlace(reference.folder, project=reference, service=service)


def test_a_run_ends_as_if_neither_daemon_nor_containers_had_ever_been_killed(
    undisturbed: ContainerPlace, tmp_path: Path
):
    project = undisturbed.project.copy(tmp_path / "copy")
    project.forget("tall")
    place = ContainerPlace(project.folder, project=project, service=undisturbed.service)

    verdict = kill_and_finish(
        place, undisturbed, docker_targets(place), kills=4, seed=SEED, longest_wait_s=4.0
    )

    assert {kill.target for kill in verdict.kills} == {"a container", "the Docker daemon"}
    assert verdict.differing == []
    assert verdict.left_over == 0
