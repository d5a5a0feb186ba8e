"""Which frames of a video are fit to measure the person in it, and why the others are not."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tapeless.identity import Sighting, clothing_colours, group_sightings
from tapeless.images import read_rgb
from tapeless.keypoints import Person, frame_names, read_poses, write_people
from tapeless.outcomes import Rejected

log = logging.getLogger(__name__)

COLUMNS = (
    "frame",
    "time_s",
    "verdict",
    "code",
    "reason",
    "people",
    "person_height_px",
    "sharpness",
)
"""The columns of keypoints.csv."""

_HEAD = ("Nose", "REye", "LEye", "REar", "LEar")
_TORSO = ("RShoulder", "LShoulder", "RHip", "LHip")
_LEGS = (("RHip", "RKnee", "RAnkle"), ("LHip", "LKnee", "LAnkle"))
_TORSO_SHARE = 0.30  # shoulder line to hip line, of a person's stature
# The crown is about 0.07 of a person's height beyond the eyes or ears, the sole 0.05 beyond the
# ankle. A little less, so that a person who just fits is not refused.
_CROWN_SHARE = 0.06
_SOLE_SHARE = 0.04
_MIN_CROP_PX = 8

_ADVICE = "Film one person, head to feet, with a little room around them"


@dataclass(frozen=True)
class Rules:
    """What a frame and a video must have to be measured.

    `min_frames` counts frames; `min_person_height_px` is from the topmost to the lowest body
    point; `min_sharpness` is relative to the median of the video's frames.
    """

    min_frames: int
    min_person_height_px: float
    min_sharpness: float


@dataclass(frozen=True)
class Verdict:
    """What became of one sampled frame; `code` and `reason` are None when it is kept."""

    frame: str
    time_s: float
    people: int
    person: Person | None = None
    sharpness: float | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class View:
    """One person in one frame, with what is needed to judge it; `sharpness` in any unit."""

    sighting: Sighting
    size: tuple[int, int]
    sharpness: float


def select_keypoints(
    frames: Path, frames_table: Path, pose: Path, keypoints: Path, table: Path, rules: Rules
) -> Mapping[str, int]:
    """Keeps the frames of a video that are fit to measure its main person.

    Writes `<frame>.json` into `keypoints` for each frame kept, and a row for every sampled frame
    into `table`, whatever the verdict on the video.

    Raises:
        Rejected: if fewer than `rules.min_frames` are kept.
        PoseFileError: if the pose files do not match the frames.
    """
    names = frame_names(frames)
    poses = read_poses(pose, names)
    rows = pd.read_csv(frames_table)
    times: dict[str, float] = dict(zip(rows["frame"], rows["time_s"], strict=True))
    views = _views(frames, names, poses, times)
    verdicts = judge(names, times, {n: len(p) for n, p in poses.items()}, views, rules)
    write_table(table, verdicts)
    kept = [verdict for verdict in verdicts if verdict.code is None]
    counts = {"frames_sampled": len(names), "frames_used": len(kept)}
    if len(kept) < rules.min_frames:
        raise _rejection(verdicts, rules, counts)
    for verdict in kept:
        assert verdict.person is not None
        write_people(keypoints / f"{verdict.frame}.json", [verdict.person])
    return counts


def judge(
    names: Sequence[str],
    times: Mapping[str, float],
    people: Mapping[str, int],
    views: Sequence[View],
    rules: Rules,
) -> list[Verdict]:
    """The verdict on every frame, given everybody seen in them.

    The person to measure is the one with the most frames that are fit by themselves, each counted
    by the person's height in it: large and often seen beats small, never the order of a list.
    """
    chosen = _main_person(views, rules)
    median = float(np.median([view.sharpness for view in chosen])) if chosen else 1.0
    by_frame = {view.sighting.frame: view for view in chosen}
    return [
        _verdict(name, times[name], people[name], by_frame.get(number), median, rules)
        for number, name in enumerate(names)
    ]


def _verdict(
    name: str, time_s: float, people: int, view: View | None, median: float, rules: Rules
) -> Verdict:
    if view is None:
        code = "another_person" if people else "no_person"
        return Verdict(name, time_s, people, code=code, reason=_ABSENT[code])
    person = view.sighting.person
    sharpness = view.sharpness / median if median else 0.0  # what cannot be told never passes
    fault = frame_fault(person, view.size, rules) or _blur(sharpness, rules)
    if fault is None:
        return Verdict(name, time_s, people, person, sharpness)
    return Verdict(name, time_s, people, person, sharpness, *fault)


_ABSENT = {
    "no_person": "Nobody was found in this frame.",
    "another_person": "This frame shows somebody else than most of the video.",
}


def frame_fault(person: Person, size: tuple[int, int], rules: Rules) -> tuple[str, str] | None:
    """Why a person in a picture of `size` (width, height) cannot be measured, None if they can."""
    missing = _missing(person)
    stature = _stature_px(person) if missing else person.height_px
    if stature and stature < rules.min_person_height_px:
        return "too_small", (
            f"The person is {stature:.0f} px tall in the frame; at least "
            f"{rules.min_person_height_px:.0f} px are needed. Film from closer by."
        )
    if missing:
        return "partial_body", f"Not in view: {', '.join(missing)}. {_ADVICE}."
    cut = _cut_sides(person, size)
    if cut:
        return "partial_body", f"The person is cut off at the {cut} of the picture. {_ADVICE}."
    return None


def person_sharpness(picture: NDArray[np.uint8], person: Person) -> float:
    """How fine the detail around a person is, in an RGB picture, whatever its contrast.

    The energy of the second derivatives over that of the first, along the rows or the columns,
    where it is less (a movement blurs one way only), after a slight smoothing against noise: about
    1/w^2 for edges w px wide. Zero when nothing shows.
    """
    left, top, right, bottom = (max(0, round(edge)) for edge in person.box)
    crop = picture[top : bottom + 1, left : right + 1]
    if min(crop.shape[:2]) < _MIN_CROP_PX:
        return 0.0
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    ratios = []
    for axis in (0, 1):
        first = np.diff(smooth, axis=axis)
        energy = float((first**2).mean())
        second = float((np.diff(first, axis=axis) ** 2).mean())
        ratios.append(second / energy if energy else 0.0)
    return min(ratios)


def write_table(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Writes keypoints.csv: a row for every sampled frame."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(_row(verdict) for verdict in verdicts)


def _row(verdict: Verdict) -> list[object]:
    return [
        verdict.frame,
        verdict.time_s,
        "kept" if verdict.code is None else "dropped",
        verdict.code or "",
        verdict.reason or "",
        verdict.people,
        "" if verdict.person is None else round(verdict.person.height_px, 1),
        "" if verdict.sharpness is None else round(verdict.sharpness, 3),
    ]


def _views(
    frames: Path,
    names: Sequence[str],
    poses: Mapping[str, list[Person]],
    times: Mapping[str, float],
) -> list[View]:
    views = []
    for number, name in enumerate(names):
        if not poses[name]:
            continue
        picture = read_rgb(frames / f"{name}.png")
        size = (picture.shape[1], picture.shape[0])
        # in an order of their own, so that a detector's order cannot even settle a tie
        for person in sorted(poses[name], key=lambda one: one.points.tolist()):
            colours = clothing_colours(picture, person)
            sighting = Sighting(number, times[name], person, colours)
            views.append(View(sighting, size, person_sharpness(picture, person)))
    return views


def _main_person(views: Sequence[View], rules: Rules) -> list[View]:
    """The views of the person to measure, empty when nobody is in view."""
    by_sighting = {id(view.sighting): view for view in views}
    groups = [
        [by_sighting[id(sighting)] for sighting in group]
        for group in group_sightings([view.sighting for view in views])
    ]

    def weight(group: list[View]) -> tuple[float, float]:
        heights = [v.sighting.person.height_px for v in group]
        fit = [frame_fault(v.sighting.person, v.size, rules) is None for v in group]
        return float(np.dot(fit, heights)), sum(heights)

    return max(groups, key=weight, default=[])


def _blur(sharpness: float, rules: Rules) -> tuple[str, str] | None:
    if sharpness >= rules.min_sharpness:
        return None
    if not sharpness:
        return "blurred", "No detail shows where the person is. Film in good light."
    return "blurred", (
        f"The person is blurred: {sharpness:.2f} of the video's usual sharpness, where at least "
        f"{rules.min_sharpness:.2f} is needed. Move slowly, in good light."
    )


def _missing(person: Person) -> list[str]:
    missing = []
    if not len(person.found(*_HEAD)):
        missing.append("head")
    if not person.has("RShoulder", "LShoulder"):
        missing.append("both shoulders")
    if not person.has("RHip", "LHip"):
        missing.append("both hips")
    if not any(person.has(*leg) for leg in _LEGS):
        missing.append("a whole leg")
    return missing


def _cut_sides(person: Person, size: tuple[int, int]) -> str | None:
    width, height = size
    crown = person.found(*_HEAD)[:, 1].min() - _CROWN_SHARE * person.height_px
    sole = person.found("RAnkle", "LAnkle")[:, 1].max() + _SOLE_SHARE * person.height_px
    left, right = person.at(*_TORSO)[:, 0].min(), person.at(*_TORSO)[:, 0].max()
    margin = _SOLE_SHARE * person.height_px
    sides = {
        "top": crown < 0,
        "bottom": sole > height,
        "left": left < margin,
        "right": right > width - margin,
    }
    return " and ".join(side for side, is_cut in sides.items() if is_cut) or None


def _stature_px(person: Person) -> float:
    """About how tall the person stands in the picture, also when the legs are out of view."""
    if not person.has("Neck", "MidHip"):
        return 0.0
    neck, hips = person.at("Neck", "MidHip")
    return max(person.height_px, float(np.linalg.norm(neck - hips)) / _TORSO_SHARE)


def _rejection(verdicts: Sequence[Verdict], rules: Rules, counts: Mapping[str, int]) -> Rejected:
    """The most telling reason why too few frames are left."""
    sampled, kept = counts["frames_sampled"], counts["frames_used"]
    codes = Counter(verdict.code for verdict in verdicts if verdict.code)
    seen = sampled - codes["no_person"]
    if not seen:
        reason = f"Nobody was found in any of the {sampled} sampled frames. {_ADVICE}."
        return Rejected("no_person", reason, **counts)
    which = f"Only {kept}" if kept else "None"
    have = (
        f"{which} of the {sampled} sampled frames can be measured, where at least "
        f"{rules.min_frames} are needed"
    )
    for code, advice in _TELLING.items():
        if 2 * codes[code] >= seen:
            return Rejected(code, f"{have}: {advice.format(rules=rules)}", **counts)
    why = ", ".join(f"{number} {code}" for code, number in codes.most_common())
    return Rejected("too_few_frames", f"{have} (dropped: {why}). {_ADVICE}.", **counts)


_TELLING = {
    "partial_body": f"part of the body is out of view in most. {_ADVICE}.",
    "too_small": (
        "the person is less than {rules.min_person_height_px:.0f} px tall in most. "
        "Film from closer by, so that the person fills most of the picture's height."
    ),
    "blurred": "the person is blurred in most. Move slowly, in good light, and hold the camera.",
}
