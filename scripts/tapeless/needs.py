"""What the chosen backends need of this machine: each says so itself, in a module of its own.

A backend's module is `pose/<backend>_needs.py` or `shape/<backend>_needs.py`, whose function
`find_needs` takes the configuration and gives a `Needs`; a backend without one needs nothing. These
modules are loaded before every run, and by the doctor where packages are missing, so they import
nothing large. Whoever looks after the machine asks here, and knows no backend by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from tapeless.containers import ContainerError, pinned_digest
from tapeless.containers.images import find_entry
from tapeless.downloads import MissingFile

Config = Mapping[str, Any]

STAGES = {"pose": "estimate_pose", "shape": "estimate_shape"}
"""The groups of the configuration that choose a backend, each with the rule that it serves."""


@dataclass(frozen=True)
class Card:
    """A graphics card, and how much of its memory a job takes; 0 where nobody has said.

    Attributes:
        needed_mb: with less than this free, a job cannot run.
        seen_mb: with less, it may fail: so much was reported of what is called `seen_with`.
    """

    needed_mb: int = 0
    seen_mb: int = 0
    seen_with: str = ""


@dataclass(frozen=True)
class Downloads:
    """Files that only the user can bring.

    Attributes:
        name: what the doctor calls them.
        key: the key of the configuration that names their folder.
        folder: that folder; None if it is not given.
        page: says where they come from.
        find_missing: what of them is not in a folder.
        read_checksums: checksums of those that decide the numbers, by path in a folder; "missing"
            where one cannot be read.
    """

    name: str
    key: str
    folder: Path | None
    page: str
    find_missing: Callable[[Path], list[MissingFile]]
    read_checksums: Callable[[Path], dict[str, str]]


@dataclass(frozen=True)
class Needs:
    """What a stage needs, by what the configuration says; by default nothing.

    Attributes:
        name: what its backend is called in sentences.
        environment: the file of `envs/`, without its ending, that lists its packages.
        program: its program in the file of images, if it runs in a container.
        card: the graphics card that each of its jobs takes; None if it takes none.
        is_torch_on_card: whether it is the environment's PyTorch that computes there.
        downloads: what its user has to bring.
        is_prepared: whether the folder of resources has what its first run makes there for all
            others; None if that is nothing.
        kept_pictures: pictures as large as a frame that it leaves on the disk for each frame.
        kept_bytes: what else it leaves there for each frame, roughly.
        faults: what is wrong with its part of the configuration, and no schema can say.
    """

    name: str = ""
    environment: str | None = None
    program: str | None = None
    card: Card | None = None
    is_torch_on_card: bool = False
    downloads: Downloads | None = None
    is_prepared: Callable[[Path], bool] | None = None
    kept_pictures: int = 0
    kept_bytes: float = 0.0
    faults: tuple[str, ...] = ()


def find_needs(config: Config) -> dict[str, Needs]:
    """What sampling and the chosen backends need, by the rule that needs it."""
    backends = {rule: find_backend_needs(stage, config) for stage, rule in STAGES.items()}
    return {"sample_frames": _find_sampling_needs(config["sampling"]), **backends}


def find_backend_needs(stage: str, config: Config) -> Needs:
    """What the backend that `config[stage]` chooses needs.

    Its module reads the groups `stage` and `selection` of the configuration, and no others.
    """
    name = f"tapeless.{stage}.{config[stage]['backend']}_needs"
    if find_spec(name) is None:
        return Needs()
    return cast(Needs, importlib.import_module(name).find_needs(config))


def find_sharing_rules(config: Config) -> list[str]:
    """The rules whose jobs start a container on a card, and may share its start.

    Where each job has a card of its own, as on a cluster, nothing is shared: none should sit on a
    card while another one works for it.
    """
    needs = find_needs(config)
    return [rule for rule in STAGES.values() if needs[rule].program and needs[rule].card]


def count_gathered(config: Config, cards: int) -> int:
    """So many videos are brought to where they share containers, on cards, before others begin; 1
    where none do. Not for clusters.
    """
    together = config["containers"]["videos_per_container"] if find_sharing_rules(config) else 1
    return int(together * max(1, cards)) if together > 1 else 1


def chosen_programs(config: Config) -> list[str]:
    """The programs of `containers.images` that are run."""
    return [needs.program for needs in find_needs(config).values() if needs.program]


def find_image_faults(config: Config) -> list[str]:
    """What is wrong with the file of images, each as one sentence, if anything is run from it."""
    faults: dict[str, None] = {}
    for program in chosen_programs(config):
        try:
            find_entry(program, config["containers"])
        except ContainerError as error:
            faults[" ".join(str(error).split())] = None
    return list(faults)


def describe_needs(config: Config) -> dict[str, Any]:
    """For the provenance: runtime, digests and checksums of what is used; nothing if none is.

    Raises:
        ContainerError: if the file of images cannot be read.
    """
    described: dict[str, Any] = {}
    settings = config["containers"]
    images = {program: pinned_digest(program, settings) for program in chosen_programs(config)}
    if images:
        described["containers"] = {"runtime": settings["runtime"], "images": images}
    weights = {}
    for stage in STAGES:
        downloads = find_backend_needs(stage, config).downloads
        if downloads and downloads.folder:
            weights[config[stage]["backend"]] = downloads.read_checksums(downloads.folder)
    if weights:
        described["weights"] = weights
    return described


def _find_sampling_needs(sampling: Mapping[str, Any]) -> Needs:
    return Needs(
        name="ffmpeg",
        environment="video",
        program="ffmpeg" if sampling["ffmpeg"] == "container" else None,
        card=Card() if sampling["hwaccel"] == "cuda" else None,
    )
