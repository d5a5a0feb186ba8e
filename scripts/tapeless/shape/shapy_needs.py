"""What SHAPY needs: its image, a card, and the download that only its user can bring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapeless.needs import Card, Downloads, Needs
from tapeless.shape.shapy_files import find_missing_files, read_checksums

_BODY_BYTES = 1.2e6  # with what SHAPY itself writes
_MESH_BYTES = 0.8e6
_OVERLAYS = 3


def find_needs(config: Mapping[str, Any]) -> Needs:
    """By `shape.shapy`; how much it takes of a card, nobody has said."""
    own = config["shape"]["shapy"]
    return Needs(
        name="SHAPY",
        environment="containers",
        program="shapy",
        card=Card(),
        downloads=Downloads(
            name="SHAPY data",
            key="shape.shapy.data",
            folder=None if own["data"] is None else Path(own["data"]).expanduser(),
            page="docs/reference-route.md",
            find_missing=find_missing_files,
            read_checksums=read_checksums,
        ),
        kept_pictures=_OVERLAYS if own["pictures"] else 0,
        kept_bytes=_BODY_BYTES + (_MESH_BYTES if own["meshes"] else 0.0),
    )
