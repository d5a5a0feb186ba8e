"""Rendered people of known outline, for tests of what a detector sees."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.images import read_grey
from tapeless.population import draw_adults
from tapeless.synthetic import Shot, film_person

Pictures = NDArray[np.uint8]


@cache
def turn(seed: int) -> tuple[Pictures, Pictures]:
    """Six RGB pictures (6, 600, 420, 3) of a turn that starts facing, and exact masks (6, H, W)."""
    shot = Shot(width_px=420, height_px=600, seconds=1.0, frames_per_second=6)
    with tempfile.TemporaryDirectory() as folder:
        video, masks = Path(folder) / "turn.mp4", Path(folder) / "masks"
        film_person(draw_adults(1, seed)[0], video, seed=seed, shot=shot, masks=masks)
        capture, pictures = cv2.VideoCapture(str(video)), []
        while (step := capture.read())[0]:
            pictures.append(cv2.cvtColor(step[1], cv2.COLOR_BGR2RGB))
        return np.array(pictures), np.array([read_grey(p) for p in sorted(masks.iterdir())])
