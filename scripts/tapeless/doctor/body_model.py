"""The prepared body model of Anny: there, or made by the first run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tapeless.doctor.findings import Finding, ok
from tapeless.doctor.situation import Situation


def check_body_model(situation: Situation) -> Iterator[Finding]:
    """Nothing to mend if it is missing: it is only slower once."""
    if situation.config["shape"]["backend"] != "anny" or not situation.runs("estimate_shape"):
        return
    folder = Path(os.environ.get("ANNY_CACHE_DIR", situation.resources / "anny"))
    space = situation.resources / "anny_shape_space.npz"
    is_prepared = any(folder.glob("tapeless_body_*.safetensors")) and space.exists()
    found = "prepared" if is_prepared else "not yet prepared: the first run does that (a minute)"
    yield ok("body model", found)
