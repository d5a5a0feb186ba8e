"""What OpenPose needs: its image, a card, and the models that only its user can bring."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tapeless.needs import Card, Downloads, Needs
from tapeless.pose.openpose_models import find_missing_models, read_checksums

_CARD = Card(needed_mb=1600, seen_mb=5000, seen_with="OpenPose without cuDNN")
"""What it needs by its doc/installation/0_index.md; and what was reported of builds without cuDNN,
as that of containers/openpose is (openpose issue 1859)."""


def find_needs(config: Mapping[str, Any]) -> Needs:
    """By `pose.openpose`; without a card it is an OpenPose built for CPUs."""
    own = config["pose"]["openpose"]
    return Needs(
        name="OpenPose",
        environment="containers",
        program="openpose",
        card=_CARD if own["gpu"] else None,
        downloads=Downloads(
            name="OpenPose models",
            key="pose.openpose.models",
            folder=None if own["models"] is None else Path(own["models"]).expanduser(),
            page="docs/reference-route.md",
            find_missing=partial(find_missing_models, settings=own),
            read_checksums=partial(read_checksums, settings=own),
        ),
        kept_pictures=int(own["pictures"]),
        faults=tuple(_find_faults(own["net_resolution"])),
    )


def _find_faults(net_resolution: str) -> Iterator[str]:
    """Its network halves its picture four times."""
    sizes = [int(side) for side in re.findall(r"\d+", net_resolution.replace("-1", ""))]
    if not sizes or any(size % 16 for size in sizes):
        yield (
            "pose.openpose.net_resolution must be of multiples of 16, one of which may be -1, "
            f"is {net_resolution!r}"
        )
