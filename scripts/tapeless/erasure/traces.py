"""Who is to be forgotten, and whether a file, a row or a text tells of them.

An id is a whole word: `walk` is not `walk2`, nor is it `walk.mp4` if that is another video's id,
but it is what `walk.log` tells of. A subject and the path of a recording may be any text.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tapeless.outcomes import OUTCOME_FILE
from tapeless.videosheet import find_videos
from tapeless.writing import safe_text

_IN_ID = "A-Za-z0-9._-"
_WORD_AFTER = re.compile(rb"[A-Za-z0-9._-]*")


class UnknownPersonError(Exception):
    """Nobody of that name is known, or it means two things; the message says what to do."""


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
        subject: their name, None if other videos of theirs stay, or if they have none.
        recordings: the paths of their videos, as they were given, but those that others share.
        others: ids of all videos that stay.
        other_names: names of files that stay.
    """

    videos: frozenset[str]
    subject: str | None
    recordings: tuple[str, ...]
    others: frozenset[str] = frozenset()
    other_names: frozenset[str] = frozenset()

    def are_of(self, word: str) -> bool:
        """Whether a word is one of the ids, alone or with an ending."""
        known = (self.videos | self.others) & {
            word[:end] for end in (*(m.start() for m in re.finditer(r"\.", word)), len(word))
        }
        return bool(known) and max(known, key=len) in self.videos

    def are_in_cell(self, cell: str) -> bool:
        """Whether a cell of a table is an id, the subject, or a recording."""
        return cell in self._cells

    def are_in_text(self, content: bytes) -> bool:
        """Whether a text names any of them, in whatever way texts are escaped."""
        if self._texts is not None and self._texts.search(content):
            return True
        for found in self._ids.finditer(content):
            ending = _WORD_AFTER.match(content, found.end())
            assert ending is not None
            word = content[found.start() : ending.end()].decode("ascii")
            if self.are_of(word) or self.are_of(word.rstrip(".-")):
                return True
        return False

    @cached_property
    def _cells(self) -> frozenset[str]:
        texts = {*self.videos, *self._free_texts}
        return frozenset(texts | {safe_text(text) for text in texts})

    @cached_property
    def _free_texts(self) -> tuple[str, ...]:
        names = [Path(path).name for path in self.recordings]
        own = [name for name in names if name not in self.other_names]
        subject = [self.subject] if self.subject else []
        return tuple(dict.fromkeys([*subject, *self.recordings, *own]))

    @cached_property
    def _texts(self) -> re.Pattern[bytes] | None:
        spelt = {spelling for text in self._free_texts for spelling in _spellings(text)}
        if not spelt:
            return None
        joined = b"|".join(map(re.escape, sorted(spelt, key=len, reverse=True)))
        return re.compile(rb"(?<![A-Za-z0-9_])(?:" + joined + rb")(?![A-Za-z0-9_])")

    @cached_property
    def _ids(self) -> re.Pattern[bytes]:
        joined = "|".join(map(re.escape, sorted(self.videos, key=len, reverse=True)))
        return re.compile(f"(?<![{_IN_ID}])(?:{joined})(?![A-Za-z0-9_-])".encode("ascii"))


def find_traces(name: str, listed: Iterable[Listed]) -> Traces:
    """What tells of a subject, or of the video of that id.

    Raises:
        UnknownPersonError: if there is neither, or if they are two different things.
    """
    listed = list(listed)
    of_subject = {one.video for one in listed if one.subject == name}
    of_id = {one.video for one in listed if one.video == name}
    if of_subject and of_id and of_subject != of_id:
        raise UnknownPersonError(
            f"{name!r} is a subject and the id of somebody else's video: give one of them another "
            "name in the sheet, or forget the subject's videos one by one"
        )
    if not (videos := frozenset(of_subject | of_id)):
        raise UnknownPersonError(
            f"there is no subject and no video {name!r}, neither in the list of videos nor in the "
            "results: give the name as the sheet or summary.csv has it"
        )
    staying = [one for one in listed if one.video not in videos]
    kept_paths = {os.path.realpath(one.path) for one in staying if one.path}
    paths = [one.path for one in listed if one.video in videos and one.path]
    subjects = {one.subject for one in listed if one.video in videos} - {None, ""}
    gone = subjects - {one.subject for one in staying}
    return Traces(
        videos,
        next(iter(gone), None),
        tuple(dict.fromkeys(path for path in paths if os.path.realpath(path) not in kept_paths)),
        frozenset(one.video for one in staying),
        frozenset(Path(one.path).name for one in staying if one.path),
    )


def list_videos(config: Mapping[str, Any], results: Path) -> Iterator[Listed]:
    """All videos that the sheet, the folder of videos or the results know of, some repeatedly.

    The sheet is read whatever its faults: a recording may be gone already.
    """
    sheet = Path(config["sheet"]) if config["sheet"] else None
    if sheet is not None and sheet.exists():
        text = sheet.read_text(encoding="utf-8-sig", errors="surrogateescape")
        for row in csv.DictReader(io.StringIO(text, newline=""), dialect="excel-tab"):
            cells = {key: (row.get(key) or "").strip() for key in ("video", "path", "subject")}
            yield Listed(cells["video"], cells["path"] or None, cells["subject"] or None)
    else:
        found, _ = find_videos(config["videos"], [str(results)])
        yield from (Listed(video.video, video.path) for video in found.values())
    folder = results / "videos"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield Listed(path.name, subject=_subject_in(path / OUTCOME_FILE))


def _subject_in(outcome: Path) -> str | None:
    try:
        subject = json.loads(outcome.read_text(encoding="utf-8")).get("subject")
    except (OSError, ValueError, AttributeError):
        return None  # not done, or not whole
    return subject if isinstance(subject, str) and subject else None


def _spellings(text: str) -> set[bytes]:
    """A text as files hold it: as it is, in JSON, in HTML."""
    forms = {text, html.escape(text), json.dumps(text)[1:-1]}
    forms.add(json.dumps(text, ensure_ascii=False)[1:-1])
    return {os.fsencode(form) for form in forms}
