"""All checks of one video, in the order of the table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tapeless.bodies import Body
from tapeless.checks import camera, clothing, framing, lens, sharpness, size, stance
from tapeless.checks.findings import Finding, Reading, judge
from tapeless.checks.footage import GreyFrames, read_views, thinned
from tapeless.checks.table import load_checks
from tapeless.images import read_grey
from tapeless.keypoints import read_person
from tapeless.outcomes import Outcome
from tapeless.people import people_of, rows_of_person
from tapeless.shape.anny_space import ShapeSpace


@dataclass(frozen=True)
class Stages:
    """What the stages before wrote about a video, and the space of its bodies if it has one."""

    frames: Path
    keypoints: Path
    keypoints_table: Path
    silhouettes: Path
    bodies: Path
    measurements_table: Path
    space: Path | None = None


def check_video(stages: Stages, *, rejecting: Collection[str] = ()) -> list[Finding]:
    """Checks everybody who was measured in a video; nothing if nobody was.

    Args:
        stages: where everything is.
        rejecting: codes of the checks that reject whom they fail.
    """
    measured = [
        person for person, folder in people_of(stages.bodies).items() if Outcome.read(folder).is_ok
    ]
    if not measured:
        return []
    space = ShapeSpace.load(stages.space) if stages.space else None
    frames = GreyFrames(stages.frames)
    readings: dict[int | None, Mapping[str, Reading]] = {None: _of_video(stages, frames)}
    for person in measured:
        readings[person] = _of_person(stages, person, frames, space)
    scales = set(pd.read_csv(stages.measurements_table)["scale"])
    return [
        judge(check.where(scales), seen[code], person=person, rejecting=rejecting)
        for person, seen in readings.items()
        for code, check in load_checks().items()
        if code in seen
    ]


def _of_video(stages: Stages, frames: GreyFrames) -> dict[str, Reading]:
    folders = people_of(stages.silhouettes).values()
    views = read_views(frames, [f for f in folders if Outcome.read(f).is_ok])
    motion = camera.background_motion(views)
    is_still = motion.value is not None and load_checks()["camera_moves"].excess(motion.value) <= 0
    return {
        "camera_moves": motion,
        "lens_distortion": lens.distortion(views, is_still=is_still),
    }


def _of_person(
    stages: Stages, person: int, frames: GreyFrames, space: ShapeSpace | None
) -> dict[str, Reading]:
    keypoints, silhouettes, bodies = (
        people_of(stage)[person] for stage in (stages.keypoints, stages.silhouettes, stages.bodies)
    )
    rows = rows_of_person(pd.read_csv(stages.keypoints_table), person)
    estimates = rows_of_person(pd.read_csv(stages.measurements_table), person)
    masks = {path.stem: read_grey(path) for path in thinned(sorted(silhouettes.glob("*.png")))}
    poses = {name: read_person(keypoints / f"{name}.json") for name in masks}
    fitted = [Body.load(path) for path in sorted(bodies.glob("estimate_*.npz"))]
    return {
        "partial_body": framing.share_dropped(rows, "partial_body"),
        "blurred": framing.share_dropped(rows, "blurred"),
        "soft_outline": sharpness.outline_width(frames, masks),
        "too_small": framing.height_in_picture(rows),
        "loose_clothing": clothing.shape_oddness(fitted, space),
        "unexplained_outline": clothing.uncovered_share(fitted, masks),
        "waist_hidden": stance.hidden_waist_share(poses, masks),
        "not_upright": stance.lean(fitted),
        "no_turn": stance.seen_turn(fitted),
        "not_an_adult": size.stature(estimates),
        "impossible_stature": size.stature(estimates),
        "untested_stature": size.stature(estimates),
        "untested_build": size.body_mass_index(estimates),
        "estimates_disagree": size.disagreement(estimates),
    }
