"""Clips for tests, made with ffmpeg: each frame carries its own number, and shows which way is up.

The upper half of a frame has 16 stripes, black or white: the bits of its number, the lowest at
the left. The lower half is red at the left and blue at the right.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BITS = 16


def numbered_picture(number: int, width: int = 160, height: int = 96) -> NDArray[np.uint8]:
    """An RGB picture (height, width, 3) that says `number`; the width is a multiple of 16."""
    picture = np.zeros((height, width, 3), np.uint8)
    bits = (number >> np.arange(_BITS)) & 1
    picture[: height // 2] = 255 * np.repeat(bits, width // _BITS)[None, :, None]
    picture[height // 2 :, : width // 2, 0] = 220
    picture[height // 2 :, width // 2 :, 2] = 220
    return picture


def numbered(count: int, width: int = 160, height: int = 96) -> Iterator[NDArray[np.uint8]]:
    """Pictures that say 0, 1, 2, ..."""
    return (numbered_picture(number, width, height) for number in range(count))


def number_in(picture: Path) -> int:
    """The number that an upright picture says, whatever its size."""
    rgb = read(picture)
    height, width = rgb.shape[:2]
    columns = ((np.arange(_BITS) + 0.5) * width / _BITS).astype(int)
    return int(np.sum((rgb[height // 4, columns].mean(axis=1) > 127) << np.arange(_BITS)))


def turn_of(picture: Path) -> int:
    """By how many degrees clockwise the scene is turned in a picture: 0, 90, 180 or 270."""
    rgb = read(picture).astype(int)
    red, blue = (
        np.argwhere(rgb[..., one] - rgb[..., other] > 80).mean(axis=0)
        for one, other in ((0, 2), (2, 0))
    )
    down, right = blue - red  # from the red to the blue side: to the right when upright
    return round(np.degrees(np.arctan2(down, right))) % 360


def read(path: Path) -> NDArray[np.uint8]:
    """The pixels (H, W, 3) of a picture file, which must be 8-bit RGB."""
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def write_clip(
    path: Path, pictures: Iterable[NDArray[np.uint8]], *options: str, rate: float = 10
) -> Path:
    """Encodes RGB pictures at `rate` frames a second, with ffmpeg's output `options`."""
    pictures = iter(pictures)
    first = next(pictures)
    size = f"{first.shape[1]}x{first.shape[0]}"
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(rate), "-i", "pipe:0"]
    command = ["ffmpeg", "-v", "error", "-y", *source, *options, f"file:{path}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(first.tobytes())
        for picture in pictures:
            process.stdin.write(picture.tobytes())
        process.stdin.close()
    assert process.returncode == 0, command
    return path


def ffmpeg(*arguments: str | Path) -> None:
    """Runs ffmpeg, for what `write_clip` cannot make."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True)


def set_display_matrix(mp4: Path, turn_deg: int) -> None:
    """Has an MP4 file ask to be shown turned clockwise, as a phone does that is held upright.

    Writes the 3 x 3 matrix of the track header (ISO/IEC 14496-12, 8.3.2) of the first track.
    """
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[turn_deg]
    one = 1 << 16
    rows = (cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    data = bytearray(mp4.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    data[start : start + 36] = struct.pack(">9i", *rows)
    mp4.write_bytes(data)


def set_track_metadata(
    mp4: Path, items: Mapping[str, str | int], *, is_quicktime: bool = True
) -> None:
    """Gives the first track of an MP4 or MOV file metadata, as a phone's camera does.

    Layout: QuickTime File Format Specification, "Metadata". The index must lie behind the pictures,
    where ffmpeg puts it, for nothing else moves then.
    """
    data = mp4.read_bytes()
    movie, track = data.index(b"moov") - 4, data.index(b"trak") - 4
    end = track + int.from_bytes(data[track : track + 4])
    added = _metadata(items, b"" if is_quicktime else bytes(4))
    changed = bytearray(data[:end] + added + data[end:])
    for start in (movie, track):
        size = int.from_bytes(changed[start : start + 4]) + len(added)
        changed[start : start + 4] = size.to_bytes(4)
    mp4.write_bytes(changed)


def _metadata(items: Mapping[str, str | int], version: bytes) -> bytes:
    values = []
    for number, item in enumerate(items.values(), start=1):
        kind, value = (1, item.encode()) if isinstance(item, str) else (22, item.to_bytes(2))
        data = _box(b"data", struct.pack(">II", kind, 0), value)
        values.append(_box(number.to_bytes(4), data))
    names = [_box(b"mdta", name.encode()) for name in items]
    handler = _box(b"hdlr", bytes(8), b"mdta", bytes(13))
    keys = _box(b"keys", bytes(4), len(names).to_bytes(4), *names)
    return _box(b"meta", version, handler, keys, _box(b"ilst", *values))


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, kind) + content
