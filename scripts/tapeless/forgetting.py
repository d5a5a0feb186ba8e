"""Whether the sampled frames of a video were deleted when it was done.

Apart from what brings them back (`tapeless.video.recall`), as the workflow asks it before a run,
where the packages of the jobs may be missing.
"""

from __future__ import annotations

from pathlib import Path

from tapeless.outcomes import OUTCOME_FILE, Outcome


def are_forgotten(frames: Path) -> bool:
    """Whether a directory of sampled frames lacks some; one that was never filled lacks none.

    Of one that is damaged, nobody knows: the stage that reads it removes it.
    """
    if not (frames / OUTCOME_FILE).exists():
        return False
    try:
        outcome = Outcome.read(frames)
    except ValueError:
        return True
    return outcome.is_ok and len(list_frames(frames)) != outcome.counts.get("frames_sampled")


def list_frames(folder: Path) -> list[Path]:
    """The frames that a directory holds, in no order."""
    return list(folder.glob("frame_*.png"))
