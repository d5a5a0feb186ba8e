"""The file that names each program's image, its digest, and the program in it.

Beside it lies the file of pins: the digests of the images that were built on this machine, which
`tapeless pin` writes. A pin goes before the digest of the file of images, which many machines may
share.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tapeless.containers.errors import ContainerError
from tapeless.hints import tapeless


@dataclass(frozen=True)
class Pinned:
    """An image of one runtime: its name (a path, for Apptainer), and the digest that a job runs."""

    image: str | None
    digest: str | None


@dataclass(frozen=True)
class ImageEntry:
    """What `images.yaml` says about a program; the file itself explains each key."""

    name: str
    licence: str
    page: str
    program: tuple[str, ...]
    workdir: str
    docker: Pinned
    apptainer: Pinned
    host_program: tuple[str, ...] | None
    host_workdir: str | None


Pins = dict[str, dict[str, str]]
"""Digests by program and runtime."""


def load_images(path: Path) -> dict[str, ImageEntry]:
    """Reads `images.yaml`, and the pins beside it: an entry for each program.

    Raises:
        ContainerError: if a file is not as it should be, or that of images is missing.
    """
    pins = read_pins(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {
            str(name): _read_entry(str(name), entry, pins.get(str(name), {}))
            for name, entry in content.items()
        }
    except OSError as error:
        raise ContainerError(
            f"{path} cannot be read ({error.strerror}): containers.images must name the file of "
            "images, as containers/images.yaml is one"
        ) from error
    except yaml.YAMLError as error:
        raise ContainerError(f"{path} is not YAML; correct it: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ContainerError(
            f"{path} is not as it should be ({error!r}); compare it with the one that tapeless "
            "comes with: git diff containers/images.yaml"
        ) from error


def locate_images(settings: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """The section `containers` with its file of images found.

    What is named from the working folder, and is not there, is that of the folder `project` of the
    workflow, if it has such a file.
    """
    below = project / settings["images"]
    is_there = Path(settings["images"]).exists() or not below.exists()
    return {**settings, "images": settings["images"] if is_there else str(below)}


def find_pins_file(images: Path) -> Path:
    """The file of pins that belongs to a file of images: `images.pins.yaml` to `images.yaml`."""
    return images.with_suffix(".pins.yaml")


def read_pins(images: Path) -> Pins:
    """What is pinned on this machine, for a file of images; nothing if nothing was.

    Raises:
        ContainerError: if the file of pins is not as it should be.
    """
    path = find_pins_file(images)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {
            str(program): {str(runtime): str(digest) for runtime, digest in pinned.items()}
            for program, pinned in content.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise ContainerError(
            f"{path} cannot be read; remove it and write it anew with: {tapeless('pin')} and the "
            f"names of the programs ({' '.join(str(error).split())})"
        ) from error


def find_entry(program: str, settings: Mapping[str, Any]) -> ImageEntry:
    """The entry of a program in the file that the configuration names.

    Raises:
        ContainerError: if there is none, or the file cannot be read.
    """
    images = load_images(Path(settings["images"]))
    if program not in images:
        close = difflib.get_close_matches(program, images, n=1)
        raise ContainerError(
            f"{settings['images']} has no entry {program!r}"
            + (f" (did you mean {close[0]}?)" if close else f"; it has {', '.join(images)}")
        )
    return images[program]


def pinned_digest(program: str, settings: Mapping[str, Any]) -> str | None:
    """The digest that a job of `program` runs; None on the host, or before anything is pinned.

    Raises:
        ContainerError: as `load_images`, or if it has no such program.
    """
    entry = find_entry(program, settings)
    match settings["runtime"]:
        case "docker":
            return entry.docker.digest
        case "apptainer":
            return entry.apptainer.digest
    return None


def require_pinned(entry: ImageEntry, pinned: Pinned, settings: Mapping[str, Any]) -> str:
    """The digest of an image.

    Raises:
        ContainerError: if there is none yet.
    """
    if pinned.digest is None:
        raise ContainerError(
            f"{settings['images']} has no digest for {entry.name}, so no job may run it: get the "
            f"image as {entry.page} says, then write its digest down with: {pin(entry)}"
        )
    return pinned.digest


def pin(entry: ImageEntry) -> str:
    """The command that writes the digest of the image on this machine down."""
    return tapeless("pin", entry.name)


def mismatch(entry: ImageEntry, where: str, found: str, settings: Mapping[str, Any]) -> str:
    """The sentence about an image that is not the one pinned."""
    return (
        f"{where} is {found}, but {find_source(entry.name, settings)} names "
        f"{_digest(entry, settings)}. If it is the image that you want, write its digest down "
        f"with: {pin(entry)}. Else get the other one as {entry.page} says."
    )


def find_source(program: str, settings: Mapping[str, Any]) -> Path:
    """The file that says which digest a job of a program runs: that of pins, or of images.

    Raises:
        ContainerError: if the file of pins is not as it should be.
    """
    images = Path(settings["images"])
    is_pinned = settings["runtime"] in read_pins(images).get(program, {})
    return find_pins_file(images) if is_pinned else images


def _digest(entry: ImageEntry, settings: Mapping[str, Any]) -> str | None:
    return (entry.apptainer if settings["runtime"] == "apptainer" else entry.docker).digest


def _read_entry(name: str, entry: Mapping[str, Any], pins: Mapping[str, str]) -> ImageEntry:
    host = entry["host"]
    docker, apptainer = (
        Pinned(entry[runtime]["image"], pins.get(runtime, entry[runtime]["digest"]))
        for runtime in ("docker", "apptainer")
    )
    return ImageEntry(
        name,
        entry["licence"],
        entry["page"],
        tuple(map(str, entry["program"])),
        entry["workdir"],
        docker,
        apptainer,
        None if host["program"] is None else _words(host["program"]),
        host["workdir"],
    )


def _words(program: str | list[str]) -> tuple[str, ...]:
    return (program,) if isinstance(program, str) else tuple(map(str, program))
