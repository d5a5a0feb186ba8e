"""Damages video files on purpose: cut off, bits flipped, headers that lie, pieces gone or doubled.

Every function takes whole files, by name, and gives damaged ones, by name; random choices follow
from a seed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from video_pieces import Piece, boxes, chunks, elements

Layout = Callable[[bytes], Iterator[Piece]]

LAYOUTS: Mapping[str, Layout] = {
    "mp4": boxes,
    "mov": boxes,
    "3gp": boxes,
    "mkv": elements,
    "webm": elements,
    "avi": chunks,
}
"""How the pieces of a file are found, by the ending of its name."""

FLIPS = {"few": 3, "some": 40, "many": 1000}
"""How many bits are flipped in a file."""

_CUT_EVERY = {"ts": 188 * 7 + 50, "mpg": 5000, "wmv": 3200}
_LARGEST = 0xFFFFFFFF


class Damaged(NamedTuple):
    """A damaged file: its name, what was done to it, and its content."""

    name: str
    what: str
    data: bytes


def cut_off(name: str, whole: bytes) -> Iterator[Damaged]:
    """The file up to each boundary between its pieces, and up to its last byte but one."""
    ending = name.rpartition(".")[2]
    if ending in LAYOUTS:
        ends = _boundaries(LAYOUTS[ending](whole), len(whole))
    else:
        step = max(_CUT_EVERY[ending], len(whole) // 6)
        ends = dict.fromkeys(range(step, len(whole), step), "in the middle")
    for place, where in ends.items():
        yield _named(name, f"cut_{place}", f"cut off {where}", whole[:place])


def _boundaries(pieces: Iterable[Piece], size: int) -> dict[int, str]:
    """Places to cut at, and what each lies before; of pieces without end, the first three."""
    places: dict[int, str] = {}
    seen: dict[str, int] = {}
    for piece in pieces:
        seen[piece.name] = seen.get(piece.name, 0) + 1
        if 0 < piece.start < size and seen[piece.name] <= 3:
            places[piece.start] = f"before {piece.name}"
    places[size - 1] = "a byte before its end"
    return places


def flip_bits(name: str, whole: bytes, seed: int) -> Iterator[Damaged]:
    """The file with bits flipped anywhere, and in its first and its last kilobytes."""
    size = len(whole)
    parts = {
        "anywhere": (0, size),
        "head": (0, 2048),
        "tail": (size - 2048, size),
    }
    for number, (part, (start, end)) in enumerate(parts.items()):
        for amount, count in FLIPS.items():
            if part != "anywhere" and amount == "many":
                continue
            random = np.random.default_rng([seed, number, count, size])
            bits = random.integers(8 * max(start, 0), 8 * min(end, size), count)
            damaged = np.frombuffer(whole, np.uint8).copy()
            np.bitwise_xor.at(damaged, bits // 8, (1 << bits % 8).astype(np.uint8))
            what = f"{count} bits flipped, {part}"
            yield _named(name, f"flip_{part}_{amount}", what, damaged.tobytes())


def overwrite(name: str, whole: bytes, seed: int) -> Iterator[Damaged]:
    """A stretch of zeros, of noise, a hole, and a stretch twice: what disks and downloads do."""
    random = np.random.default_rng([seed, len(whole)])
    at, length = len(whole) // 3, max(len(whole) // 10, 64)
    noise = random.integers(0, 256, length, np.uint8).tobytes()
    before, within, after = whole[:at], whole[at : at + length], whole[at + length :]
    yield _named(name, "zeros", "a tenth is zeros", before + bytes(length) + after)
    yield _named(name, "noise", "a tenth is noise", before + noise + after)
    yield _named(name, "hole", "a tenth is missing", before + after)
    yield _named(name, "twice", "a tenth is there twice", before + within + within + after)
    yield _named(name, "head_gone", "its first 16 bytes are zeros", bytes(16) + whole[16:])


def lie_in_mp4(name: str, whole: bytes) -> Iterator[Damaged]:
    """An MP4 file, one number of whose headers is not true."""
    # Box, where the number lies in its content, how it is written, what it is called, values.
    numbers: list[tuple[str, int, str, str, tuple[int, ...]]] = [
        ("moov.mvhd", 12, ">I", "ticks a second", (0, 1, _LARGEST)),
        ("moov.mvhd", 16, ">I", "duration", (0, _LARGEST)),
        ("moov.trak.tkhd", 20, ">I", "duration of the track", (0, _LARGEST)),
        ("moov.trak.tkhd", 76, ">I", "width shown", (0, _LARGEST)),
        ("moov.trak.tkhd", 40, ">i", "corner of the matrix", (0, 1, -1)),
        ("moov.trak.mdia.mdhd", 12, ">I", "ticks a second of the track", (0, 1, _LARGEST)),
        ("moov.trak.mdia.mdhd", 16, ">I", "duration of the pictures", (0, 1, _LARGEST)),
        ("moov.trak.edts.elst", 4, ">I", "number of edits", (0, _LARGEST)),
        ("moov.trak.edts.elst", 8, ">I", "duration of the edit", (1, _LARGEST)),
        ("moov.trak.edts.elst", 12, ">i", "begin of the edit", (-1, -100_000, 1 << 30)),
        ("moov.trak.mdia.minf.stbl.stsd", 4, ">I", "number of codings", (0, _LARGEST)),
        ("moov.trak.mdia.minf.stbl.stsd", 40, ">H", "width", (0, 1, 16_000, 65_535)),
        ("moov.trak.mdia.minf.stbl.stsd", 42, ">H", "height", (0, 1, 65_535)),
        ("moov.trak.mdia.minf.stbl.stsd", 12, ">4s", "coding", ()),
        ("moov.trak.mdia.minf.stbl.stts", 4, ">I", "number of durations", (0, _LARGEST)),
        (
            "moov.trak.mdia.minf.stbl.stts",
            8,
            ">I",
            "pictures of a duration",
            (0, 1 << 20, _LARGEST),
        ),
        (
            "moov.trak.mdia.minf.stbl.stts",
            12,
            ">I",
            "duration of a picture",
            (0, 1 << 30, _LARGEST),
        ),
        ("moov.trak.mdia.minf.stbl.stsc", 12, ">I", "pictures a chunk", (0, 1 << 28, _LARGEST)),
        ("moov.trak.mdia.minf.stbl.stsz", 4, ">I", "size of all pictures", (1, _LARGEST)),
        ("moov.trak.mdia.minf.stbl.stsz", 8, ">I", "number of pictures", (0, 1 << 22, _LARGEST)),
        ("moov.trak.mdia.minf.stbl.stsz", 12, ">I", "size of the first picture", (0, 1 << 30)),
        ("moov.trak.mdia.minf.stbl.stco", 4, ">I", "number of chunks", (0, _LARGEST)),
        ("moov.trak.mdia.minf.stbl.stco", 8, ">I", "place of the first chunk", (0, _LARGEST)),
    ]
    found = {piece.name: piece for piece in reversed(list(boxes(whole)))}
    for box, offset, layout, called, values in numbers:
        if box not in found:
            continue
        at = found[box].content + offset
        shown = called.replace(" ", "_")
        for value in values:
            changed = _replace(whole, at, struct.pack(layout, value))
            yield _named(name, f"{shown}_{value}", f"{called} is {value}", changed)
    coding = found["moov.trak.mdia.minf.stbl.stsd"].content + 12
    for other in (b"hvc1", b"mp4v", b"jpeg", b"av01", b"tmcd", b"\0\0\0\0"):
        text = other.decode().strip("\0") or "none"
        changed = _replace(whole, coding, other)
        yield _named(name, f"coding_{text}", f"says that it is coded as {text}", changed)


def lie_in_boxes(name: str, whole: bytes) -> Iterator[Damaged]:
    """An MP4 file, the size or name of one of whose boxes is not true."""
    for piece in boxes(whole):
        if piece.name.count(".") > 1 and not piece.name.endswith((".stsd", ".stsz", ".hdlr")):
            continue
        for value in (0, 7, _LARGEST):
            changed = _replace(whole, piece.start, struct.pack(">I", value))
            what = f"{piece.name} says that it has {value} bytes"
            yield _named(name, f"{piece.name}_{value}_bytes", what, changed)
        changed = _replace(whole, piece.start + 4, b"free")
        yield _named(name, f"no_{piece.name}", f"no {piece.name}", changed)


def multiply_boxes(name: str, whole: bytes) -> Iterator[Damaged]:
    """An MP4 file, of which there is something a thousand times; its index must lie at the end."""
    found = {piece.name: piece for piece in reversed(list(boxes(whole)))}
    movie, track = found["moov"], found["moov.trak"]
    pictures, index = whole[: movie.start], whole[movie.start : movie.end]
    nested = index
    for _ in range(1000):
        nested = _box(b"moov", nested)
    yield _named(name, "nested", "its index lies in 1000 boxes", pictures + nested)
    yield _named(name, "1000_indices", "it has 1000 indices", pictures + index * 1000)
    head, tail = whole[movie.content : track.end], whole[track.end : movie.end]
    for count in (999, 1200, 20_000):
        tracks = _box(b"moov", head + whole[track.start : track.end] * count + tail)
        yield _named(name, f"{count}_tracks", f"it has {count + 1} tracks", pictures + tracks)


def _named(name: str, damage: str, what: str, data: bytes) -> Damaged:
    stem, _, ending = name.rpartition(".")
    return Damaged(f"{stem}-{damage.replace(' ', '_')}.{ending}", f"{name}: {what}", data)


def _replace(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content
