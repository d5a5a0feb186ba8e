"""The frames of a video that SHAPY can do something with, and those that are left out, with why."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import numpy as np

from tapeless.keypoints import BODY_25, Person, read_person
from tapeless.outcomes import Rejected

log = logging.getLogger(__name__)

POINTS_NEEDED = 6
BELIEVED = np.array(
    [{"Neck": 0.4, "RWrist": 0.2, "LWrist": 0.2}.get(name, 0.05) for name in BODY_25]
)
"""SHAPY believes in a point of at least this confidence, and leaves out, without a word, who has
fewer than `POINTS_NEEDED` of them or all on one line. Those of face and hands, which count too, are
not counted on here. Source: its regressor/human_shape/data."""

ADVICE = "Film one person alone, from head to feet, in good light."
"""What helps where too few frames give a body."""


class LeftOut:
    """Usable frames without an estimate.

    Attributes:
        reasons: why, by the name of the frame, in the order in which it was found out.
        is_quiet: whether nothing is said of them in the log.
    """

    def __init__(self, is_quiet: bool = False) -> None:
        self.reasons: dict[str, str] = {}
        self.is_quiet = is_quiet

    def add(self, frame: str, reason: str) -> None:
        """Remembers a frame, and says so in the log."""
        if not self.is_quiet:
            log.warning("%s is left out: %s", frame, reason)
        self.reasons[frame] = reason

    def write(self, path: Path) -> None:
        """Writes a table (CSV) of `frame` and `reason`, in time order."""
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["frame", "reason"])
            writer.writerows(sorted(self.reasons.items()))


def choose_frames(keypoints: Path, left_out: LeftOut, min_frames: int = 1) -> list[str]:
    """The frames in which SHAPY sees enough of the person, in time order.

    The others are put into `left_out`.

    Raises:
        Rejected: if they are fewer than `min_frames`, or none.
        PoseFileError: if a file does not hold exactly one person.
    """
    kept = []
    people = {path.stem: read_person(path) for path in sorted(keypoints.glob("frame_*.json"))}
    for name, person in people.items():
        if fault := _find_fault(person):
            left_out.add(name, fault)
        else:
            kept.append(name)
    if len(kept) < max(min_frames, 1):
        raise Rejected(
            "too_few_frames",
            f"Only {len(kept)} of the {len(people)} usable frames show enough of the person for "
            f"SHAPY, where at least {max(min_frames, 1)} are needed. {ADVICE}",
            frames_used=len(kept),
            frames_left_out=len(left_out.reasons),
        )
    return kept


def _find_fault(person: Person) -> str | None:
    """Why SHAPY would leave the person out."""
    points = person.points[person.points[:, 2] >= BELIEVED, :2]
    if len(points) < POINTS_NEEDED:
        return f"SHAPY believes in {len(points)} points, where it needs {POINTS_NEEDED}"
    if np.ptp(points, axis=0).min() <= 0:
        return "all points that SHAPY believes in lie on one line"
    return None
