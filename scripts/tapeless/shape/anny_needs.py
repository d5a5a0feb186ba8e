"""What Anny needs: its packages, a card if it is to compute on one, and frames enough to fit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tapeless.needs import Card, Needs

FRAMES_PER_ESTIMATE = 2
"""Frames that one body is fitted to, at least. `shape.anny` has the same number; it needs torch,
which is too much to load before every run."""

_BODY_BYTES = 200e3


def find_needs(config: Mapping[str, Any]) -> Needs:
    """By `shape.device` and `shape.estimates`."""
    is_on_card = config["shape"]["device"] == "cuda"
    return Needs(
        name="Anny",
        environment="anny",
        card=Card() if is_on_card else None,
        is_torch_on_card=is_on_card,
        is_prepared=_is_prepared,
        kept_bytes=_BODY_BYTES,
        faults=tuple(_find_faults(config["selection"]["min_frames"], config["shape"]["estimates"])),
    )


def _is_prepared(resources: Path) -> bool:
    """Whether the body model and the space of its bodies were made; the first run does that."""
    folder = Path(os.environ.get("ANNY_CACHE_DIR", resources / "anny"))
    space = resources / "anny_shape_space.npz"
    return any(folder.glob("tapeless_body_*.safetensors")) and space.exists()


def _find_faults(min_frames: int, estimates: int) -> Iterator[str]:
    if min_frames < (needed := FRAMES_PER_ESTIMATE * estimates):
        yield (
            f"selection.min_frames ({min_frames}) must be at least {needed}: each of the "
            f"{estimates} bodies of shape.estimates needs {FRAMES_PER_ESTIMATE} frames of its own"
        )
