"""Kills runs of the reference route at random moments: containers and the Docker daemon, too.

`PYTHONPATH=scripts:tests python benchmarks/scripts/kill_container_runs.py work killed.json`, as
root, runs in the folder `work`, and writes what became of it into the file.

OpenPose, SHAPY, the graphics card and the daemon are those of the tests: programs that take
`LOAD_S` to start, in real containers, a stand-in for the driver (which takes gcc), and a dockerd
of their own. The image that these programs are put into is made with debootstrap, once.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests
from docker.errors import DockerException
from kill_runs import ALL, JOB, SNAKEMAKE, Target, kill_and_finish
from workplace import CLONE, Workplace

from containers.docker_daemon import (
    Daemon,
    build_image,
    find_obstacle,
    import_base,
    run_mortal_daemon,
)
from reference import (
    PROGRAMS,
    ReferenceProject,
    Workstation,
    film_videos,
    make_reference_project,
    make_workstation,
    tag_of,
)
from tapeless.containers.jobs import LABEL_PREFIX

KILLS = 50
SEED = 16
LONGEST_WAIT_S = 12.0

FILMS = {"one": "walk", "two": "tall", "three": "walk", "empty": "room"}
"""What is to be seen in each video."""

LOAD_S = 8
CONTAINERS = {
    "videos_per_container": 2,
    "environment": {
        f"STANDIN_{program.upper()}_LOAD_S": str(LOAD_S) for program in ("openpose", "shapy")
    },
}
"""Some videos share a container, and most of a run's time is spent in one."""

BY_ITSELF = 0.5
"""The share of kills after which the daemon is started again during the run."""

_LONGEST_PAUSE_S = 10.0


class Service:
    """A Docker daemon that is started again after it was killed: after a pause, as by systemd, or
    not before somebody asks for it."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self._daemon = daemon
        self._random = np.random.default_rng(seed)

    def strike(self) -> bool:
        """Kills it, if it is at work; containers may work on."""
        if self._daemon.process.poll() is not None:
            return False
        self._daemon.kill()
        if self._random.random() < BY_ITSELF:
            time.sleep(self._random.uniform(0, _LONGEST_PAUSE_S))
            self._daemon.start()
        return True

    def start(self) -> None:
        """Starts it, unless it is at work."""
        self._daemon.start()


@dataclass(frozen=True, kw_only=True)
class ContainerPlace(Workplace):
    """The folder of a project whose jobs run in containers; for each run, the daemon is started."""

    project: ReferenceProject
    service: Service

    def command(self, *arguments: str) -> list[str]:
        """How Snakemake is started."""
        command: list[str] = self.project.command(*arguments)
        return command

    @property
    def environment(self) -> dict[str, str]:
        """The variables that Snakemake is started with."""
        environment: dict[str, str] = self.project.environment
        return environment

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A run in a process group of its own."""
        self.service.start()
        return super().start(*arguments)

    def left_over(self) -> int:
        """How many processes and containers of jobs there are."""
        with self._containers(all_states=True) as containers:
            return super().left_over() + len(containers)

    def strike_container(self) -> bool:
        """Kills the first process of a container that is at work."""
        with (
            suppress(DockerException, requests.RequestException, psutil.NoSuchProcess),
            self._containers() as containers,
        ):
            for container in containers:
                psutil.Process(container.attrs["State"]["Pid"]).kill()
                return True
        return False

    @contextmanager
    def _containers(self, *, all_states: bool = False) -> Iterator[list[Any]]:
        of_here = {"label": f"{LABEL_PREFIX}run={self.folder}"}
        with closing(self.project.workstation.docker) as client:
            yield client.containers.list(all_states, filters=of_here, ignore_removed=True)


def docker_targets(place: ContainerPlace) -> Sequence[Target]:
    """What may be killed that is not of a run's own processes."""
    return (
        Target("a container", lambda *_: place.strike_container()),
        Target("the Docker daemon", lambda *_: place.service.strike()),
    )


def make_place(
    folder: Path, workstation: Workstation, service: Service, films: Mapping[str, Path]
) -> ContainerPlace:
    """A project with these videos, nothing done."""
    project = make_reference_project(folder, workstation)
    for video, film in films.items():
        shutil.copy2(film, folder / f"videos/{video}.mp4")
    project.refer(containers=CONTAINERS)
    return ContainerPlace(folder, project=project, service=service)


def main(folder: Path, table: Path) -> None:
    """Kills runs below `folder`, `KILLS` times; writes what became of it, as JSON."""
    if (obstacle := find_obstacle()) is not None:
        sys.exit(obstacle)
    runs = folder.absolute() / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    film_videos(runs / "films")
    films = {video: runs / f"films/{film}.mp4" for video, film in FILMS.items()}
    with run_mortal_daemon(nvidia=True) as daemon:
        base = import_base(daemon.address, folder)
        standins = CLONE / "tests/containers/standins"
        digests = {
            program: build_image(daemon.address, base, standins / program, tag_of(program))
            for program in PROGRAMS
        }
        workstation = make_workstation(runs / "workstation", daemon.address, digests)
        service = Service(daemon, SEED)
        undisturbed, place = (
            make_place(runs / name, workstation, service, films)
            for name in ("undisturbed", "killed")
        )
        assert undisturbed.run() == 0, undisturbed.said()[-4000:]
        targets = (SNAKEMAKE, ALL, JOB, *docker_targets(place))
        verdict = kill_and_finish(place, undisturbed, targets, KILLS, SEED, LONGEST_WAIT_S)
    table.write_text(json.dumps(asdict(verdict), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(*map(Path, sys.argv[1:]))
