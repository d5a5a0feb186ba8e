"""The digest of an image as it is on this machine, written down for the jobs to run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tapeless.containers import ContainerError, pinned_digest, read_digest
from tapeless.containers.images import Pins, find_pins_file, find_source, read_pins

_HEADER = """\
# Written by `tapeless pin`: the images on this machine that jobs run. They go before the digests of
# {images}. What is taken out here is not pinned any more.
"""


@dataclass(frozen=True)
class Pinned:
    """The digest `before` (None for none) and `now`, and the file that it stands in."""

    file: Path
    before: str | None
    now: str


def pin(program: str, settings: Mapping[str, Any]) -> Pinned:
    """Writes down the digest of a program's image as it is on this machine.

    `settings` is the section `containers` of the configuration. What is written is the file of pins
    beside that of images, and only if another digest holds so far. It is replaced as a whole, so
    that nobody reads half of it.

    Raises:
        ContainerError: if the image or the file of images is not there, or the runtime has no
            images.
        OSError: if the file cannot be written.
    """
    now = read_digest(program, settings)
    if now is None:
        raise ContainerError(
            "containers.runtime is host, where programs are installed and have no digest: choose "
            "docker or apptainer with --config 'containers={runtime: docker}'"
        )
    before, images = pinned_digest(program, settings), Path(settings["images"])
    if before != now:
        pins = read_pins(images)
        pins.setdefault(program, {})[settings["runtime"]] = now
        _write(images, pins)
    return Pinned(find_source(program, settings), before, now)


def _write(images: Path, pins: Pins) -> None:
    file = find_pins_file(images)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        text = _HEADER.format(images=images.name) + yaml.safe_dump(pins)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
