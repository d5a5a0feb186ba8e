"""Whether the person is in view, sharp and near enough, by the table of the sampled frames."""

from __future__ import annotations

import pandas as pd

from tapeless.checks.findings import Reading


def share_dropped(frames: pd.DataFrame, code: str) -> Reading:
    """How many of the frames that show the person were dropped for one reason, in per cent.

    Args:
        frames: the rows of `keypoints.csv` about the person.
        code: the reason, such as "partial_body".
    """
    shows_person = frames["person_height_px"].notna()
    if not shows_person.any():
        return Reading(None, why_not="The person is in no sampled frame.")
    return Reading(100 * float((frames["code"][shows_person] == code).mean()))


def height_in_picture(frames: pd.DataFrame) -> Reading:
    """How tall the person stands in the frames that are measured, in pixels: their median.

    From the topmost to the lowest body point, as `keypoints.csv` has it.
    """
    heights = frames.loc[frames["verdict"] == "kept", "person_height_px"]
    if heights.empty:
        return Reading(None, why_not="No frame is measured.")
    return Reading(float(heights.median()))
