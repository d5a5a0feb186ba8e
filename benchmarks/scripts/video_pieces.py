"""Where the pieces of a video file begin: the boxes of MP4, Matroska's elements, AVI's chunks.

As far as damaging them on purpose needs it: of a whole file, written by ffmpeg, whose layout is
known to be sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Piece(NamedTuple):
    """A piece of a file: its name with those around it, and where head and content begin."""

    name: str
    start: int
    content: int
    end: int


_BOXES_OF_BOXES = {
    "moov",
    "trak",
    "edts",
    "mdia",
    "minf",
    "dinf",
    "stbl",
    "udta",
    "mvex",
    "moof",
    "traf",
}
_SEGMENT = "18538067"
_ELEMENTS_OF_ELEMENTS = {_SEGMENT, "1654ae6b", "ae", "1549a966"}  # Tracks, TrackEntry, Info
_MICROSOFT_LISTS = {"RIFF", "LIST"}


def boxes(data: bytes, start: int = 0, end: int | None = None, around: str = "") -> Iterator[Piece]:
    """The boxes of an MP4 or MOV file, each before those that it holds."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8]
        name, content = kind.decode("latin-1"), start + 8
        if size == 1:
            size, content = int.from_bytes(data[start + 8 : start + 16]), start + 16
        piece = Piece(f"{around}{name}", start, content, start + size if size else end)
        yield piece
        if name in _BOXES_OF_BOXES:
            yield from boxes(data, content, piece.end, f"{piece.name}.")
        start = piece.end


def elements(
    data: bytes, start: int = 0, end: int | None = None, around: str = ""
) -> Iterator[Piece]:
    """The elements of a Matroska or WebM file, each before those that it holds."""
    end = len(data) if end is None else end
    while start < end:
        identifier = data[start : start + _width(data[start])]
        at = start + len(identifier)
        width = _width(data[at])
        size = int.from_bytes(data[at : at + width]) & ((1 << 7 * width) - 1)
        content = at + width
        is_unknown = size == (1 << 7 * width) - 1
        piece = Piece(
            f"{around}{identifier.hex()}", start, content, end if is_unknown else content + size
        )
        yield piece
        if identifier.hex() in _ELEMENTS_OF_ELEMENTS:
            yield from elements(data, content, piece.end, f"{piece.name}.")
        start = piece.end


def chunks(
    data: bytes, start: int = 0, end: int | None = None, around: str = ""
) -> Iterator[Piece]:
    """The chunks of an AVI file, each before those that it holds."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        kind = data[start : start + 4].decode("latin-1")
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        is_list = kind in _MICROSOFT_LISTS
        name = data[start + 8 : start + 12].decode("latin-1") if is_list else kind
        content = start + 12 if is_list else start + 8
        piece = Piece(f"{around}{name.strip()}", start, content, min(start + 8 + size, end))
        yield piece
        if is_list and name != "movi":
            yield from chunks(data, content, piece.end, f"{piece.name}.")
        start = piece.end + size % 2


def _width(first: int) -> int:
    """How many bytes a number of variable width takes, by its first byte."""
    return 9 - first.bit_length() if first else 8
