"""Which frames of a video are fit to measure a person in it, and why the others are not."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tapeless.following import find_crowded, find_doubtful
from tapeless.identity import Sighting, clothing_colours, group_sightings
from tapeless.images import read_rgb
from tapeless.keypoints import Person, frame_names, read_poses, write_people
from tapeless.outcomes import Rejected
from tapeless.people import MAIN_PERSON, run_each_person
from tapeless.writing import cell, write_rows

log = logging.getLogger(__name__)

COLUMNS = (
    "frame",
    "person",
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

Fault = tuple[str, str]
"""A code and a reason."""

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


@dataclass(frozen=True, eq=False)
class Footage:
    """Everybody seen in the sampled frames of a video.

    `names` are the frames in time order, `times` their seconds, `people` how many were found in
    each; a view's `sighting.frame` is the number of its frame in `names`.
    """

    names: Sequence[str]
    times: Mapping[str, float]
    people: Mapping[str, int]
    views: Sequence[View]


def read_footage(frames: Path, frames_table: Path, pose: Path) -> Footage:
    """Reads the sampled frames, their table and the people found in them.

    Raises:
        PoseFileError: if the pose files do not match the frames.
    """
    names = frame_names(frames)
    poses = read_poses(pose, names)
    with frames_table.open(newline="", encoding="utf-8") as stream:
        times = {row["frame"]: float(row["time_s"]) for row in csv.DictReader(stream)}
    views = _views(frames, names, poses, times)
    return Footage(names, times, {name: len(people) for name, people in poses.items()}, views)


def select_main_person(
    footage: Footage, keypoints: Path, table: Path, rules: Rules
) -> Mapping[str, int]:
    """Keeps the frames of a video that are fit to measure its main person.

    Writes `<frame>.json` into `keypoints` for each frame kept, and a row for every sampled frame
    into `table`, whatever the verdict on the video.

    Raises:
        Rejected: if fewer than `rules.min_frames` are kept.
    """
    chosen = next(iter(_sort_people(footage.views, rules)), [])
    verdicts = judge(footage, chosen, rules)
    write_table(table, {MAIN_PERSON if chosen else None: verdicts})
    return _keep(verdicts, rules, sum(v.code != "no_person" for v in verdicts), keypoints)


def select_everybody(
    footage: Footage, keypoints: Path, table: Path, rules: Rules
) -> Mapping[str, int]:
    """Keeps, for each person who can be followed, the frames fit to measure them.

    Whoever is seen in half of `rules.min_frames` at least has a directory of their own in
    `keypoints`, and a row for every sampled frame in `table`.

    Raises:
        Rejected: if nobody is seen, or the main person is not fit to be measured; the others are
            selected all the same.
    """
    people = _sort_people(footage.views, rules)
    if not people:
        return select_main_person(footage, keypoints, table, rules)
    is_followed = [
        number == MAIN_PERSON or 2 * len(person) >= rules.min_frames
        for number, person in enumerate(people, start=MAIN_PERSON)
    ]
    followed = list(compress(people, is_followed))
    passing = [person for person, stays in zip(people, is_followed, strict=True) if not stays]
    faults = _faults_among(followed, passing)
    verdicts: dict[int | None, list[Verdict]] = {
        number: judge(footage, person, rules, faults)
        for number, person in enumerate(followed, start=MAIN_PERSON)
    }
    write_table(table, verdicts)
    work = {
        number: partial(_keep, own, rules, sum(v.person is not None for v in own))
        for number, own in verdicts.items()
        if number is not None
    }
    return run_each_person(keypoints, work)


def _faults_among(
    followed: Sequence[Sequence[View]], passing: Sequence[Sequence[View]]
) -> dict[Sighting, Fault]:
    """What is wrong with sightings of the followed people because there are several in view."""
    people, others = (
        [[view.sighting for view in person] for person in group] for group in (followed, passing)
    )
    crowded = find_crowded(people, others)
    clear = [[sighting for sighting in person if sighting not in crowded] for person in people]
    return dict.fromkeys(find_doubtful(clear), _DOUBT) | dict.fromkeys(crowded, _OVERLAP)


def _keep(
    verdicts: Sequence[Verdict], rules: Rules, seen: int, keypoints: Path
) -> Mapping[str, int]:
    """Writes the points of one person in the frames that are kept.

    `seen` is the number of frames that could show the person.
    """
    kept = [verdict for verdict in verdicts if verdict.code is None]
    counts = {"frames_sampled": len(verdicts), "frames_used": len(kept)}
    if len(kept) < rules.min_frames:
        raise _rejection(verdicts, rules, seen, counts)
    for verdict in kept:
        assert verdict.person is not None
        write_people(keypoints / f"{verdict.frame}.json", [verdict.person])
    return counts


def judge(
    footage: Footage,
    chosen: Sequence[View],
    rules: Rules,
    faults: Mapping[Sighting, Fault] | None = None,
) -> list[Verdict]:
    """The verdict on every frame, for the person whom the `chosen` views show.

    `faults` are those of sightings that cannot be used because of other people; None if the
    others do not matter.
    """
    median = float(np.median([view.sharpness for view in chosen])) if chosen else 1.0
    by_frame = {view.sighting.frame: view for view in chosen}
    verdicts = []
    for number, name in enumerate(footage.names):
        view, people = by_frame.get(number), footage.people[name]
        absent = _ABSENT if faults is None else _ABSENT_AMONG_SEVERAL
        fault: Fault | None = absent["another_person" if people else "no_person"]
        person, sharpness = None, None
        if view is not None:
            person = view.sighting.person
            sharpness = view.sharpness / median if median else 0.0  # unknown never passes
            fault = (faults or {}).get(view.sighting) or _fault(view, sharpness, rules)
        verdicts.append(
            Verdict(name, footage.times[name], people, person, sharpness, *(fault or ()))
        )
    return verdicts


def _fault(view: View, sharpness: float, rules: Rules) -> Fault | None:
    return frame_fault(view.sighting.person, view.size, rules) or _blur(sharpness, rules)


_ABSENT = {
    "no_person": ("no_person", "Nobody was found in this frame."),
    "another_person": (
        "another_person",
        "This frame shows somebody else than most of the video.",
    ),
}
_ABSENT_AMONG_SEVERAL = _ABSENT | {
    "another_person": ("another_person", "This frame shows others, but not this person."),
}
_DOUBT = (
    "another_person",
    "This may be somebody else, who looks alike and came close. Film people apart, in clothes that "
    "differ.",
)
_OVERLAP = (
    "people_overlap",
    "Somebody else is too close to the person. Film people who keep apart.",
)


def frame_fault(person: Person, size: tuple[int, int], rules: Rules) -> Fault | None:
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


def write_table(path: Path, verdicts: Mapping[int | None, Sequence[Verdict]]) -> None:
    """Writes keypoints.csv: a row for every person and sampled frame.

    `verdicts` is by the number of the person; None stands for a video without anybody.
    """
    rows = (_row(person, verdict) for person, own in verdicts.items() for verdict in own)
    write_rows(path, COLUMNS, (map(cell, row) for row in rows))


def _row(person: int | None, verdict: Verdict) -> list[object]:
    return [
        verdict.frame,
        person,
        verdict.time_s,
        "kept" if verdict.code is None else "dropped",
        verdict.code,
        verdict.reason,
        verdict.people,
        None if verdict.person is None else round(verdict.person.height_px, 1),
        None if verdict.sharpness is None else round(verdict.sharpness, 3),
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


def _sort_people(views: Sequence[View], rules: Rules) -> list[list[View]]:
    """The views of each person, the main person first.

    That is the one with the most frames that are fit by themselves, each counted by the person's
    height in it: large and often seen beats small, never the order of a list.
    """
    by_sighting = {id(view.sighting): view for view in views}
    groups = [
        [by_sighting[id(sighting)] for sighting in group]
        for group in group_sightings([view.sighting for view in views])
    ]

    def weight(group: list[View]) -> tuple[float, float]:
        heights = [v.sighting.person.height_px for v in group]
        fit = [frame_fault(v.sighting.person, v.size, rules) is None for v in group]
        return float(np.dot(fit, heights)), sum(heights)

    return sorted(groups, key=weight, reverse=True)


def _blur(sharpness: float, rules: Rules) -> Fault | None:
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


def _rejection(
    verdicts: Sequence[Verdict], rules: Rules, seen: int, counts: Mapping[str, int]
) -> Rejected:
    """The most telling reason why too few frames are left."""
    sampled, kept = counts["frames_sampled"], counts["frames_used"]
    codes = Counter(verdict.code for verdict in verdicts if verdict.code)
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
    "people_overlap": "somebody else is too close in most. Film people who keep apart, for longer.",
    "blurred": "the person is blurred in most. Move slowly, in good light, and hold the camera.",
}
