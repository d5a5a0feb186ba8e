"""The reference route for tests: OpenPose and SHAPY, played by stand-ins in real containers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import yaml

from cards import Cards, make_cards
from containers.standins.openpose.download import make_models, recognise
from containers.standins.shapy.download import make_download
from projects import Project, make_project

PROGRAMS = {"openpose": "estimate_pose", "shapy": "estimate_shape"}
"""The programs that run in containers, each with the rule that runs it."""

STAGES = ("frames", "pose", "keypoints")

TALL_CM = 188.0
REFERENCE_SHEET = (
    {"video": "walk", "path": "videos/walk.mp4", "height_cm": ""},
    {"video": "tall", "path": "videos/tall.mp4", "height_cm": TALL_CM},
    {"video": "room", "path": "videos/room.mp4", "height_cm": ""},
)

_PLAIN_ROOM = 44
"""The seed of a room without furniture, which the stand-in for OpenPose would take for people."""
_NOBODY = 65534


@dataclass(frozen=True)
class Workstation:
    """A machine with Docker, the two images, graphics cards, and the user's downloads."""

    docker_host: str
    digests: Mapping[str, str]
    cards: Cards
    models: Path
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        return self.cards.environment | {"DOCKER_HOST": self.docker_host}

    @property
    def docker(self) -> docker.DockerClient:
        return docker.DockerClient(self.docker_host)

    def containers(self) -> list[Any]:
        """All containers there are, at work or not."""
        found: list[Any] = self.docker.containers.list(all=True, ignore_removed=True)
        return found

    def with_cards(self, folder: Path, count: int) -> Workstation:
        """The same machine with so many other cards, which no job has yet."""
        return replace(self, cards=make_cards(folder, count))


@dataclass(frozen=True)
class ReferenceProject(Project):
    """A project that is run as config/reference.yaml says, on a workstation."""

    workstation: Workstation

    def command(self, *arguments: str) -> list[str]:
        own = ("--configfile", "config/reference.yaml")
        profile = ("--workflow-profile", "profiles/workstation")
        return super().command(*own, *profile, *arguments)

    @property
    def environment(self) -> dict[str, str]:
        inherited = super().environment | self.workstation.environment
        inherited.pop("CUDA_VISIBLE_DEVICES", None)
        return inherited | {"PYTHONPATH": str(self.folder / "scripts")}

    def copy(self, folder: Path) -> ReferenceProject:
        """A copy, with all results."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return replace(self, folder=folder)

    def refer(self, **groups: Any) -> None:
        """Sets keys of reference.yaml, inside groups of groups too."""
        path = self.folder / "config/reference.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump(_merge(config, groups)), encoding="utf-8")

    def pin(self, **digests: str | None) -> None:
        """Writes digests of the stand-ins into the file of images."""
        path = self.folder / "containers/images.yaml"
        images = yaml.safe_load(path.read_text(encoding="utf-8"))
        for program, digest in digests.items():
            images[program]["docker"] = {"image": tag_of(program), "digest": digest}
        path.write_text(yaml.safe_dump(images), encoding="utf-8")

    def misbehave(self, **modes: str) -> None:
        """How the stand-ins fail from now on, by program; those that are not named do not."""
        environment = {f"STANDIN_{program.upper()}": modes.get(program, "") for program in PROGRAMS}
        self.refer(containers={"environment": environment})

    def forget(self, video: str, after: str = "frames") -> None:
        """Removes what was made of a video after a stage."""
        kept = STAGES[: STAGES.index(after) + 1]
        for path in (self.results / "videos" / video).iterdir():
            if path.stem not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def usage_file(self, rule: str, video: str) -> Path:
        return self.results / "benchmarks" / rule / f"{video}.container.json"

    def read_usage(self, rule: str, video: str) -> dict[str, Any]:
        """What a container used, and how it ended."""
        usage: dict[str, Any] = json.loads(self.usage_file(rule, video).read_text(encoding="utf-8"))
        return usage

    def read_provenance(self) -> dict[str, Any]:
        text = (self.results / "provenance.json").read_text(encoding="utf-8")
        provenance: dict[str, Any] = json.loads(text)
        return provenance


def make_workstation(folder: Path, docker_host: str, digests: Mapping[str, str]) -> Workstation:
    """A machine with one card, whose user has downloaded everything."""
    cards = make_cards(folder / "cards", 1)
    cards.slots.mkdir()
    cards.slots.chmod(0o1777)  # for all users, as the first job would make it
    return Workstation(
        docker_host, digests, cards, make_models(folder / "models"), make_download(folder / "data")
    )


def make_reference_project(folder: Path, workstation: Workstation) -> ReferenceProject:
    """The workflow, configured for a workstation, without videos or results."""
    project = ReferenceProject(make_project(folder).folder, workstation)
    project.refer(
        pose={"openpose": {"models": str(workstation.models)}},
        shape={"shapy": {"data": str(workstation.data), "meshes": True}},
        # a container for each video, for tests to look at; test_shared_runs.py has several in one
        containers={"mounts_file": None, "memory_mb": 1000, "videos_per_container": 1},
    )
    project.pin(**workstation.digests)
    networks = project.folder / "scripts/tapeless/data/openpose_models.yaml"
    recognise(workstation.models, networks, networks)
    return project


def film_videos(folder: Path) -> None:
    """Films the three videos of the sheet: two people before a plain wall, and the wall alone."""
    from tapeless.population import draw_adults
    from tapeless.synthetic import Shot, film_empty_room, film_person

    shot = Shot(width_px=360, height_px=640, seconds=1, frames_per_second=8, turn_degrees=10)
    for name, seed in (("walk", 5), ("tall", 3)):
        (adult,) = draw_adults(1, seed, varied_beyond_prior=True)
        film_person(adult, folder / f"{name}.mp4", seed=_PLAIN_ROOM, shot=shot)
    film_empty_room(folder / "room.mp4", seed=_PLAIN_ROOM, shot=shot)


def as_plain_user(command: list[str], home: Path, *groups: int) -> list[str]:
    """A command as it runs for a user who is not root, with these further groups.

    It may read whatever there is, as Python itself may lie in a folder of root's; nothing else.
    """
    sees_all = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    ids = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}"]
    member = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    return ["setpriv", *ids, member, *sees_all, "env", f"HOME={home}", *command]


def give_to_plain_user(folder: Path) -> None:
    """Makes the user of `as_plain_user` the owner of a folder and all in it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)


def owners(folder: Path) -> set[tuple[int, int]]:
    """The users and groups that files of a folder belong to."""
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in folder.rglob("*")}


def tag_of(program: str) -> str:
    return f"tapeless-test/{program}:1"


def _merge(old: Any, new: Any) -> Any:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return new
    return {**old, **{key: _merge(old.get(key), value) for key, value in new.items()}}
