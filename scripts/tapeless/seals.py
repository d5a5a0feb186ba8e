"""What a stage has written is what the next one reads: a checksum of each file, kept beside it.

A stage's directory has one seal for all that is in it, and for the table that lies beside it under
the same name. A file that belongs to no directory has a seal of its own.

Disks, cables and people change files; a digit that has changed in a table of keypoints is a wrong
number in a report, and nothing else would tell. A stage is sealed when it is done, and its seal is
checked by each stage that reads it: a hundredth of a second for the frames of a video, which are
most of what there is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tapeless.writing import write_text

SEAL_FILE = ".seal.json"

_MADE_AGAIN = ".png"
"""Frames are forgotten when a video is done, and brought back if a stage asks for them."""


def seal(stage: Path) -> None:
    """Writes down the checksum of each file in a stage's directory, whole or not at all."""
    _write_seal(stage, _checksums(stage))


def seal_with(stage: Path, folder: Path) -> None:
    """Seals a stage with the pictures in another folder, before they are moved to it.

    The seal is written in that folder, too, as another job may be doing the same.
    """
    coming = {path.name: _checksum(path) for path in folder.glob(f"*{_MADE_AGAIN}")}
    _write_seal(folder, _checksums(stage) | coming)
    (folder / SEAL_FILE).replace(stage / SEAL_FILE)


def seal_file(path: Path) -> None:
    """Writes down the checksum of a file that belongs to no directory, as `sha256sum` does."""
    write_text(seal_of(path), f"{_checksum(path)}  {path.name}\n")


def seal_of(path: Path) -> Path:
    """Where the seal of such a file is."""
    return path.with_name(f".{path.name}.sha256")


def is_as_sealed(path: Path, content: bytes) -> bool:
    """Whether such a file was sealed with this content, or never was."""
    try:
        sealed = seal_of(path).read_bytes()
    except FileNotFoundError:
        return True
    return sealed.startswith(hashlib.sha256(content).hexdigest().encode() + b" ")


def find_damage(stage: Path) -> list[str]:
    """The files of a sealed stage that are not as they were sealed; of one without a seal, none.

    Pictures may be missing, not other than they were.

    Raises:
        OSError: if a file cannot be read.
    """
    try:
        sums = json.loads((stage / SEAL_FILE).read_bytes())
    except FileNotFoundError:
        return []
    except ValueError:
        return [SEAL_FILE]
    if not isinstance(sums, dict):
        return [SEAL_FILE]
    return [name for name, checksum in sums.items() if not _is_whole(stage / name, checksum)]


def _checksums(stage: Path) -> dict[str, str]:
    return {os.path.relpath(path, stage): _checksum(path) for path in _files(stage)}


def _write_seal(folder: Path, checksums: Mapping[str, str]) -> None:
    write_text(folder / SEAL_FILE, json.dumps(checksums, indent=0, sort_keys=True))


def _is_whole(path: Path, checksum: str) -> bool:
    try:
        return _checksum(path) == checksum
    except FileNotFoundError:
        return path.suffix == _MADE_AGAIN


def _files(stage: Path) -> Iterator[Path]:
    """What is to be sealed; what is hidden is not: others may be at work in a hidden folder."""
    found = []
    for folder, folders, names in os.walk(stage):
        folders[:] = (name for name in folders if not name.startswith("."))
        found += [Path(folder, name) for name in names if not name.startswith(".")]
    table = stage.with_name(f"{stage.name}.csv")
    yield from filter(Path.is_file, (*found, table))


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
