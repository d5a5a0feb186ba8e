"""Who is to be forgotten: their videos, their name, their recordings, and who stays."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tapeless.erasure.places import Places
from tapeless.outcomes import OUTCOME_FILE
from tapeless.videosheet import find_videos

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class RefusedError(Exception):
    """It cannot be done, or would take what is somebody else's; the message says what to do."""


@dataclass(frozen=True)
class Listed:
    """A video that is known of: its id, its recording and whose it is, as far as that is known."""

    video: str
    path: str | None = None
    subject: str | None = None


@dataclass(frozen=True)
class Traces:
    """What tells of a person, or of one video.

    Attributes:
        videos: ids.
        subjects: their name; also one that results have of before it was another in the sheet.
            None if other videos of theirs stay, or if they have none.
        recordings: the paths of their videos, as they were given.
        staying: all other videos.
    """

    videos: frozenset[str]
    subjects: frozenset[str]
    recordings: tuple[str, ...]
    staying: tuple[Listed, ...] = ()

    @cached_property
    def others(self) -> frozenset[str]:
        """The ids of the videos that stay."""
        return frozenset(one.video for one in self.staying)


def find_traces(name: str, listed: Iterable[Listed]) -> Traces:
    """What tells of a subject, or of the video of that id.

    Raises:
        RefusedError: if there is neither, if they are two different things, or if an id is none.
    """
    listed = list(listed)
    of_subject = {one.video for one in listed if one.subject == name}
    of_id = {one.video for one in listed if one.video == name}
    if of_subject and of_id and of_subject != of_id:
        raise RefusedError(
            f"{name!r} is a subject and the id of somebody else's video: give one of them another "
            "name in the sheet, or forget the subject's videos one by one"
        )
    if not (videos := frozenset(of_subject | of_id)):
        raise RefusedError(
            f"there is no subject and no video {name!r}, neither in the list of videos nor in the "
            "results: give the name as the sheet or summary.csv has it"
        )
    if faulty := [video for video in sorted(videos) if not _ID.fullmatch(video)]:
        raise RefusedError(f"{faulty[0]!r} cannot be the id of a video: mend the sheet first")
    own = [one for one in listed if one.video in videos]
    staying = tuple(one for one in listed if one.video not in videos)
    kept = {one.subject for one in staying}
    subjects = frozenset(one.subject for one in own if one.subject and one.subject not in kept)
    recordings = tuple(dict.fromkeys(one.path for one in own if one.path))
    return Traces(videos, subjects, recordings, staying)


def list_videos(config: Mapping[str, Any], places: Places) -> Iterator[Listed]:
    """All videos that the sheet, the folder of videos or the results know of, some repeatedly.

    The sheet is read whatever the faults of its rows: a recording may be gone already.

    Raises:
        RefusedError: if the sheet is no table.
    """
    sheet = Path(config["sheet"]) if config["sheet"] else None
    if sheet is not None and sheet.exists():
        yield from _read_sheet(sheet)
    else:
        made = map(str, (places.results, places.logs, places.benchmarks))
        found, _ = find_videos(config["videos"], made)
        yield from (Listed(video.video, video.path) for video in found.values())
    folder = places.results / "videos"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _ID.fullmatch(path.name) and (path.is_dir() or path.is_symlink()):
            yield Listed(path.name, subject=_subject_in(path / OUTCOME_FILE))


def _read_sheet(sheet: Path) -> Iterator[Listed]:
    text = sheet.read_text(encoding="utf-8-sig", errors="surrogateescape")
    table = csv.DictReader(io.StringIO(text, newline=""), dialect="excel-tab")
    try:
        table.fieldnames = [name.strip() for name in table.fieldnames or ()]
        for row in table:
            video, subject = ((row.get(key) or "").strip() for key in ("video", "subject"))
            # a file's name may begin and end with spaces, as where the sheet is read for a run
            yield Listed(video, row.get("path") or None, subject or None)
    except csv.Error as error:
        raise RefusedError(f"{sheet} cannot be read as a table ({error}): mend it first") from error


def _subject_in(outcome: Path) -> str | None:
    try:
        subject = json.loads(outcome.read_text(encoding="utf-8")).get("subject")
    except (OSError, ValueError, AttributeError):
        return None  # not done, or not whole
    return subject if isinstance(subject, str) and subject else None
