"""What a stage says about a video: measured so far, or rejected with a reason.

A bad video is a result, not a crash. A stage raises `Rejected` when the *video* is at fault; what
is broken about the *machine* raises anything else, fails the job, and runs again next time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tapeless.seals import find_damage, is_as_sealed, seal
from tapeless.words import counted
from tapeless.writing import write_json

Item = TypeVar("Item")
Content = TypeVar("Content")

OUTCOME_FILE = "outcome.json"

_MOST_TOLD = 5  # of files that are damaged
_LONG_AGO_S = 86_400  # since 1970

REJECTION_CODES: dict[str, str] = {
    "not_a_video": "The file is not a video that ffmpeg can open.",
    "unreadable": "Its permissions forbid reading the file, or it is a link to nothing.",
    "no_frames": "The file is a video, but no picture could be decoded from the chosen span.",
    "no_person": "Nobody was found in any sampled frame.",
    "too_few_frames": "Too few sampled frames are fit to measure.",
    "partial_body": "Part of the body needed for measuring is out of view.",
    "too_small": "The person is too small in the picture.",
    "blurred": "The frame is blurred beyond use.",
    "another_person": "The frame shows somebody other than the person who is measured.",
    "people_overlap": "Somebody else is so close that a picture of the person shows both.",
    "no_silhouette": "The person could not be cut out from the background.",
    "no_fit": "No body of a plausible size explains the pictures.",
    "soft_outline": "The edges of the person are blurred in most pictures.",
    "camera_moves": "The camera does not stand still.",
    "lens_distortion": "The lens bows straight lines.",
    "loose_clothing": "Clothes hide the body: hardly anybody has the shape of this outline.",
    "unexplained_outline": "Much of the outline is no part of a body: clothes, a bag, long hair.",
    "waist_hidden": "The arms lie on the waist.",
    "not_upright": "The person leans or bends, or the camera looks down.",
    "no_turn": "The person is not seen from the side, so that the body's depth is unknown.",
    "not_an_adult": "The person is too small for an adult, and the body model is one of adults.",
    "impossible_stature": "Nobody is as tall: the sheet has a wrong height, object or distance.",
    "untested_stature": "Nobody as tall or small was among those on whom intervals were checked.",
    "untested_build": "Nobody as thin or heavy was among those on whom intervals were checked.",
    "estimates_disagree": "The estimates of the body differ too much.",
}
"""The closed list of codes, for frames and for videos, with what each means."""


class Rejected(Exception):  # noqa: N818 - a verdict about a video, not an error of the program
    """A video (or frame) that cannot be measured, with a code and a sentence that says what to do.

    Raises:
        KeyError: if `code` is not in `REJECTION_CODES`.
    """

    def __init__(self, code: str, reason: str, **counts: int) -> None:
        if code not in REJECTION_CODES:
            raise KeyError(f"unknown rejection code {code!r}; known: {', '.join(REJECTION_CODES)}")
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.counts = counts


class MachineFault(Exception):  # noqa: N818 - the counterpart of Rejected
    """Something about the machine that a person can mend; the message says what to do.

    Notes that are added to it (`add_note`) are part of what it says. Whoever sees it needs no
    traceback.
    """


class DamagedStageError(MachineFault):
    """Files of a stage are not as they were written, and the stage was removed."""


class DamagedFileError(MachineFault):
    """A file is not as it was written; a copy was put aside."""


@dataclass(frozen=True)
class Outcome:
    """The verdict of one stage on one video, as kept in its `outcome.json`.

    `code` and `reason` are None exactly when the outcome is ok; `counts` is what the stage counted
    (frames sampled, frames used, estimates ...).
    """

    code: str | None = None
    reason: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Whether the video can go on to the next stage."""
        return self.code is None

    def write(self, directory: Path) -> None:
        """Writes `outcome.json` into a stage's directory."""
        content = {
            "outcome": "ok" if self.is_ok else "rejected",
            "code": self.code,
            "reason": self.reason,
            **self.counts,
        }
        # A reason may name a file whose name is no text; JSON reads the escape back as it was.
        write_json(directory / OUTCOME_FILE, content)

    @classmethod
    def read(cls, directory: Path) -> Outcome:
        """Reads the `outcome.json` of a stage's directory.

        Raises:
            ValueError: if it is damaged.
        """
        content = json.loads((directory / OUTCOME_FILE).read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not {"code", "reason"} <= content.keys():
            raise ValueError(f"{directory / OUTCOME_FILE} holds no outcome")
        counts = {k: v for k, v in content.items() if k not in ("outcome", "code", "reason")}
        return cls(content["code"], content["reason"], counts)


def run_stage(
    output: Path, upstream: Sequence[Path], work: Callable[[], Mapping[str, int]]
) -> Outcome:
    """Runs one stage into its own directory, and hands a rejection on.

    If a stage in `upstream` rejected the video, `work` is not called and its verdict is passed
    on. Else `work` fills `output` and returns what it counted, or raises `Rejected`. Only machine
    faults leave here as exceptions. The verdict is written to `output/outcome.json` and returned.
    `output` is sealed at the end, and the seals of `upstream` are checked at the beginning.

    Raises:
        DamagedStageError: if a stage in `upstream` is not as it was written.
    """
    for stage in upstream:
        check_stage(stage)
    output.mkdir(parents=True, exist_ok=True)
    outcome = next((o for o in map(Outcome.read, upstream) if not o.is_ok), None)
    if outcome is None:
        try:
            outcome = Outcome(counts=work())
        except Rejected as verdict:
            outcome = Outcome(verdict.code, verdict.reason, verdict.counts)
    else:
        outcome = Outcome(outcome.code, outcome.reason)
    outcome.write(output)
    seal(output)
    return outcome


def check_stage(stage: Path) -> None:
    """Makes sure that the files of a stage are as it wrote them; else it is removed.

    Raises:
        DamagedStageError: if they are not.
    """
    if not (damaged := find_damage(stage)):
        return
    shutil.rmtree(stage, ignore_errors=True)
    raise DamagedStageError(
        f"{stage} was damaged after it had been written, and has been removed: the same command "
        f"makes it again. Not as they were: {', '.join(damaged[:3])}"
        f"{', ...' if len(damaged) > 3 else ''}. If nobody edited them, have the disk checked."
    )


def read_sealed(path: Path) -> str:
    """The text of a file that belongs to no stage's directory, as it was written and sealed.

    Raises:
        DamagedFileError: if it is another one. A copy is put aside, since it may be somebody's
            work; the file itself becomes older than all that it was made of, so that the next run
            makes it again, and meanwhile nobody else who reads it lacks it.
    """
    content = path.read_bytes()
    if is_as_sealed(path, content):
        return content.decode("utf-8")
    aside = path.with_name(f"{path.name}.changed")
    aside.write_bytes(content)
    os.utime(path, (_LONG_AGO_S, _LONG_AGO_S))
    raise DamagedFileError(
        f"{path} is not as tapeless wrote it, and has been put aside as {aside.name}: the same "
        "command makes it again. If somebody edited it: numbers are best edited in a copy "
        "elsewhere. If nobody did, have the disk checked."
    )


def read_each(read: Callable[[Item], Content], items: Iterable[Item]) -> list[Content]:
    """What is read of each of many; all that are damaged are put aside at once.

    Raises:
        DamagedFileError: if there are any, about the first few.
    """
    contents, said = [], []
    for item in items:
        try:
            contents.append(read(item))
        except DamagedFileError as damage:
            said.append(str(damage))
    if said:
        more = len(said) - _MOST_TOLD
        rest = [f"So it is with {counted(more, 'file')} more."] if more > 0 else []
        raise DamagedFileError("\n".join([*said[:_MOST_TOLD], *rest]))
    return contents
