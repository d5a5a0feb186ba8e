"""What the tracks of a QuickTime or MP4 file say of themselves, which not every ffprobe shows.

Phones write what they know of their lens into the metadata of the picture's track, not of the file.
The layout is that of Apple's QuickTime File Format Specification, "Metadata": a box `meta` holds
`keys`, the names, and `ilst`, the values, each under the number of its name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

_MOST_BOXES = 1000
"""That are looked at within one: a file may be made to have millions."""
_MOST_BYTES = 1 << 20
_NUMBERS = {(23, 4): ">f", (24, 8): ">d"}
"""Formats of floating-point values, by well-known type and number of bytes."""


class _Box(NamedTuple):
    """A box of a file: what it is, and from where to where its content lies."""

    kind: bytes
    start: int
    end: int


def read_track_metadata(path: Path) -> dict[str, str]:
    """Names and values of the metadata of a file's tracks; where two say the same, the first.

    Empty for a file of another format, and for one that is damaged there.

    Raises:
        OSError: if the file cannot be read.
    """
    found: dict[str, str] = {}
    with path.open("rb") as file:
        whole = _Box(b"", 0, file.seek(0, 2))
        for movie in _find(file, whole, b"moov"):
            for track in _find(file, movie, b"trak"):
                for metadata in _find(file, track, b"meta"):
                    found = _read_items(file, metadata) | found
    return found


def _find(file: BinaryIO, parent: _Box, kind: bytes) -> Iterator[_Box]:
    return (box for box in islice(_boxes(file, parent), _MOST_BOXES) if box.kind == kind)


def _boxes(file: BinaryIO, parent: _Box) -> Iterator[_Box]:
    """The boxes that one holds, up to the first that cannot be."""
    start = parent.start
    while start + 8 <= parent.end:
        file.seek(start)
        head = file.read(16)
        size, kind, content = int.from_bytes(head[:4]), head[4:8], start + 8
        if size == 1:  # then the size follows, in 64 bits
            size, content = int.from_bytes(head[8:]), start + 16
        end = parent.end if size == 0 else start + size
        if not content <= end <= parent.end:
            return
        yield _Box(kind, content, end)
        start = end


def _read_items(file: BinaryIO, metadata: _Box) -> dict[str, str]:
    file.seek(metadata.start)
    if file.read(8)[4:] != b"hdlr":  # in MP4, unlike QuickTime, a version comes first
        metadata = metadata._replace(start=metadata.start + 4)
    names = [name for box in _find(file, metadata, b"keys") for name in _read_names(file, box)]
    items: dict[str, str] = {}
    for values in _find(file, metadata, b"ilst"):
        for item in islice(_boxes(file, values), _MOST_BOXES):
            number = int.from_bytes(item.kind)
            for data in _find(file, item, b"data"):
                if 1 <= number <= len(names) and (text := _read_value(file, data)) is not None:
                    items.setdefault(names[number - 1], text)
    return items


def _read_names(file: BinaryIO, keys: _Box) -> list[str]:
    """The names in order; the version and the count that come first are skipped."""
    within = keys._replace(start=keys.start + 8)
    return [
        _read(file, name).decode("utf-8", "replace")
        for name in islice(_boxes(file, within), _MOST_BOXES)
    ]


def _read_value(file: BinaryIO, data: _Box) -> str | None:
    """A value as text, None if it is neither text nor a number; type and locale come first."""
    content = _read(file, data)
    kind, value = int.from_bytes(content[:4]), content[8:]
    if kind == 1:
        return value.decode("utf-8", "replace")
    if kind in (21, 22):
        return str(int.from_bytes(value, signed=kind == 21))
    layout = _NUMBERS.get((kind, len(value)))
    return None if layout is None else str(struct.unpack(layout, value)[0])


def _read(file: BinaryIO, box: _Box) -> bytes:
    file.seek(box.start)
    return file.read(min(box.end - box.start, _MOST_BYTES))
