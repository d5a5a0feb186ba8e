"""Runs whose Docker daemon and containers are killed at random moments: a small part of
`make bench-faults`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from docker_daemon import Daemon

from projects import ROOT
from reference import ReferenceProject

sys.path.insert(0, str(ROOT / "benchmarks" / "scripts"))

from kill_container_runs import ContainerPlace, Service, docker_targets
from kill_runs import kill_and_finish

SEED = 120
"""With it, kills meet containers at work, unless the machine is very busy."""

LOADING = ("STANDIN_OPENPOSE_LOAD_S", "STANDIN_SHAPY_LOAD_S")


@pytest.fixture
def undisturbed(reference: ReferenceProject, mortal_daemon: Daemon) -> ContainerPlace:
    """The finished reference route, and the daemon, which is to be killed."""
    service = Service(mortal_daemon, SEED)
    return ContainerPlace(reference.folder, project=reference, service=service)


def test_a_run_ends_as_if_neither_daemon_nor_containers_had_ever_been_killed(
    undisturbed: ContainerPlace, tmp_path: Path
):
    project = undisturbed.project.copy(tmp_path / "copy")
    shutil.rmtree(project.results / "videos/tall")
    project.refer(containers={"environment": dict.fromkeys(LOADING, "5")})
    place = ContainerPlace(project.folder, project=project, service=undisturbed.service)

    verdict = kill_and_finish(
        place, undisturbed, docker_targets(place), kills=3, seed=SEED, longest_wait_s=8.0
    )

    # A container that does not come in time is not waited for.
    assert "the Docker daemon" in {kill.target for kill in verdict.kills}
    assert verdict.differing == []
    assert verdict.left_over == 0
