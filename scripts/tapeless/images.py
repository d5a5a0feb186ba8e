"""Reading and writing pictures as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Reads a picture as RGB, (H, W, 3) uint8.

    Raises:
        OSError: if the file is missing or no picture.
    """
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Reads a picture as grey values, (H, W) uint8.

    Raises:
        OSError: if the file is missing or no picture.
    """
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def write_image(path: Path, picture: NDArray[np.uint8]) -> None:
    """Writes grey (H, W) or RGB (H, W, 3) uint8; the ending of `path` chooses the format.

    PNGs are packed quickly rather than tightly, as most of them are gone after the run.
    """
    Image.fromarray(picture).save(path, compress_level=1)
