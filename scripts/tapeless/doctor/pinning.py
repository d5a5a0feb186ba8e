"""The digest of an image, written into the file of images: that one value, and nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from tapeless.containers import ContainerError, read_digest


@dataclass(frozen=True)
class Pinned:
    """What was written: the digest `before` (None for none) and `now`, and in which file."""

    file: Path
    before: str | None
    now: str


def pin(program: str, settings: Mapping[str, Any]) -> Pinned:
    """Writes down the digest of a program's image as it is on this machine.

    `settings` is the section `containers` of the configuration. The file is replaced as a whole, so
    that nobody reads half of it, and only if the digest is another one.

    Raises:
        ContainerError: if the image or the file is not there, or the runtime has no images.
    """
    now = read_digest(program, settings)
    if now is None:
        raise ContainerError(
            "containers.runtime is host, where programs are installed and have no digest: choose "
            "docker or apptainer with --config 'containers={runtime: docker}'"
        )
    file = Path(settings["images"]).resolve()  # a link to a shared file stays one
    with file.open(encoding="utf-8", newline="") as stream:
        text = stream.read()
    before, changed = replace_digest(text, program, settings["runtime"], now)
    if before != now:
        _write(file, changed)
    return Pinned(Path(settings["images"]), before, now)


def replace_digest(text: str, program: str, runtime: str, digest: str) -> tuple[str | None, str]:
    """The digest that stands in a file of images, and its text with another one in its place.

    Raises:
        ContainerError: if the file has no place for it.
    """
    node: Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in (program, runtime, "digest"):
        node = _find(node, key)
    if not isinstance(node, ScalarNode):
        raise ContainerError(
            f"the entry {program} of the file of images has no key digest in {runtime}: write "
            "`digest: null` there, and try again"
        )
    before = yaml.safe_load(node.value) if node.style is None else node.value
    start, end = node.start_mark.index, node.end_mark.index
    space = " " if start == end else ""  # nothing stands there yet, not even that
    return before, f'{text[:start]}{space}"{digest}"{text[end:]}'


def _find(node: Node | None, name: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _write(file: Path, text: str) -> None:
    descriptor, unfinished = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        shutil.copymode(file, unfinished)
        Path(unfinished).replace(file)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
