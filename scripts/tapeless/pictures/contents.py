"""What a contact sheet tells of the people of a video, read from the files of its stages."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from tapeless.bodies import Body
from tapeless.keypoints import POSE_SUFFIX, Person, read_people, read_person
from tapeless.outcomes import REJECTION_CODES, Outcome, check_stage, read_sealed
from tapeless.people import MAIN_PERSON, people_of
from tapeless.volume import signed_volume

_SCALES = {
    "known_height": "from the height given",
    "known_object": "from the object of known size",
    "known_distance": "from the distance given",
    "estimated": "estimated, as no height was given",
}


@dataclass(frozen=True)
class SheetInputs:
    """Where the stages of one video have left their files; every one must exist."""

    pictures: Path
    keypoints_table: Path
    pose: Path
    keypoints: Path
    silhouettes: Path
    bodies: Path
    statistics: Path
    outcome: Path


@dataclass(frozen=True, eq=False)
class SheetFrame:
    """One sampled frame.

    `code` and `reason` say why it was dropped and are None when it was kept; `people` is everybody
    found in it, `person` the one who is measured; `body` is the number of the fitted body that
    rests on the frame, in `Contents.bodies`.
    """

    picture: Path
    time_s: float | None = None
    code: str | None = None
    reason: str | None = None
    people: Sequence[Person] = ()
    person: Person | None = None
    silhouette: Path | None = None
    body: int | None = None

    @property
    def name(self) -> str:
        """The frame's name."""
        return self.picture.stem


@dataclass(frozen=True)
class Number:
    """One measurement: its median and the ends of its 95 % interval, in `unit`."""

    measurement: str
    unit: str
    median: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything that a sheet shows of one person.

    `code` and `reason` are None exactly when the person was measured; `facts` are labels and
    values; `person` is the number of the person, None where one alone was looked for.
    """

    video: str
    person: int | None
    subject: str | None
    code: str | None
    reason: str | None
    facts: Sequence[tuple[str, str]]
    numbers: Sequence[Number]
    frames: Sequence[SheetFrame]
    bodies: Sequence[Body]

    @property
    def is_measured(self) -> bool:
        """Whether the person was measured."""
        return self.code is None


def read_contents(inputs: SheetInputs) -> list[Contents]:
    """Reads what the sheet of a video shows of each person, whichever stage rejected them.

    Raises:
        DamagedStageError, DamagedFileError: if something is not as it was written.
    """
    whole = (inputs.pictures, inputs.pose, inputs.keypoints, inputs.silhouettes, inputs.bodies)
    for stage in whole:
        check_stage(stage)
    verdict = json.loads(read_sealed(inputs.outcome))
    are_apart = people_of(inputs.keypoints) != {MAIN_PERSON: inputs.keypoints}
    return [
        _read_person(_inputs_of_person(inputs, person["person"]), verdict | person, are_apart)
        for person in verdict["people"]
    ]


def _inputs_of_person(inputs: SheetInputs, person: int) -> SheetInputs:
    stages = ("keypoints", "silhouettes", "bodies")
    own = {stage: people_of(getattr(inputs, stage)).get(person) for stage in stages}
    return replace(inputs, **{stage: folder for stage, folder in own.items() if folder})


def _read_person(inputs: SheetInputs, verdict: Mapping[str, Any], are_apart: bool) -> Contents:
    number = verdict["person"]
    bodies = [Body.load(path) for path in sorted(inputs.bodies.glob("estimate_*.npz"))]
    return Contents(
        video=verdict["video"],
        person=number if are_apart else None,
        subject=(number == MAIN_PERSON and verdict["subject"]) or None,
        code=verdict["code"],
        reason=verdict["reason"],
        facts=list(_facts(verdict, bodies)),
        numbers=list(_numbers(inputs.statistics, number)),
        frames=_frames(inputs, number, bodies),
        bodies=bodies,
    )


def typical_body(bodies: Sequence[Body]) -> Body:
    """The body of middle volume, and so of middle mass."""

    def volume_m3(body: Body) -> float:
        return signed_volume(body.vertices.astype(np.float64)[body.faces])

    return sorted(bodies, key=volume_m3)[(len(bodies) - 1) // 2]


def _facts(verdict: Mapping[str, Any], bodies: Sequence[Body]) -> Iterator[tuple[str, str]]:
    if sampled := verdict.get("frames_sampled"):
        yield "frames", f"{sampled} sampled, {verdict.get('frames_used') or 0} used"
    if verdict.get("estimates"):
        yield "estimates", str(verdict["estimates"])
    if pose := verdict.get("pose_backend"):
        yield "pose", str(pose)
    if bodies:
        yield "body", f"{bodies[0].backend} {bodies[0].backend_version}"
    elif shape := verdict.get("shape_backend"):
        yield "body", str(shape)
    if scale := verdict.get("scale"):
        yield "scale", _SCALES[str(scale)]
    if flags := verdict.get("flags"):
        yield "flags", ", ".join(flags)


def _numbers(statistics: Path, person: int) -> Iterator[Number]:
    for row in csv.DictReader(StringIO(read_sealed(statistics), newline="")):
        if row["person"] != str(person) or not row["50%"]:
            continue
        median, low, high = (float(row[column]) for column in ("50%", "low", "high"))
        yield Number(row["measurement"], row["unit"], median, low, high)


def _frames(inputs: SheetInputs, person: int, bodies: Sequence[Body]) -> list[SheetFrame]:
    with inputs.keypoints_table.open(encoding="utf-8", newline="") as file:
        own = (row for row in csv.DictReader(file) if row["person"] in ("", str(person)))
        rows = {row["frame"]: row for row in own}
    owner = {str(frame): n for n, body in enumerate(bodies) for frame in body.frames}
    stages_done = (Outcome.read(inputs.silhouettes).is_ok, bool(bodies))
    return [
        _frame(inputs, picture, rows.get(picture.stem), stages_done, owner.get(picture.stem))
        for picture in sorted(inputs.pictures.glob("*.jpg"))
    ]


def _frame(
    inputs: SheetInputs,
    picture: Path,
    row: dict[str, str] | None,
    stages_done: tuple[bool, bool],
    body: int | None,
) -> SheetFrame:
    name = picture.stem
    pose, keypoints = inputs.pose / f"{name}{POSE_SUFFIX}", inputs.keypoints / f"{name}.json"
    silhouette = inputs.silhouettes / f"{name}.png"
    code, reason = (row["code"] or None, row["reason"] or None) if row else (None, None)
    cut_out, fitted = stages_done  # what a later stage that went well left out, it could not use
    if code is None and body is None:  # a body need not rest on silhouettes
        if cut_out and not silhouette.exists():
            code = "no_silhouette"
        elif fitted:
            code = "no_fit"
    reason = reason or (REJECTION_CODES[code] if code else None)
    return SheetFrame(
        picture=picture,
        time_s=float(row["time_s"]) if row else None,
        code=code,
        reason=reason,
        people=read_people(pose) if pose.exists() else (),
        person=read_person(keypoints) if keypoints.exists() and code is None else None,
        silhouette=silhouette if silhouette.exists() else None,
        body=body,
    )
