"""Looking for what is left of a person, in all files below a project.

It knows nothing of what is removed and how, so that it finds what that overlooks, and it decides
nothing: a file that carries the name of a person may tell of something else.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tapeless.erasure.places import JOINED, TABLES, Places, decode_record
from tapeless.erasure.traces import Traces
from tapeless.runs import LOCK_FILE
from tapeless.writing import safe_text

CODE = frozenset(
    [
        "benchmarks",
        "containers",
        "docs",
        "envs",
        "profiles",
        "report",
        "resources",
        "rules",
        "schemas",
        "scripts",
        "tests",
        "tools",
        "workflow",
        "Snakefile",
        "Makefile",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "CITATION.cff",
        "LICENSE",
        "pyproject.toml",
        "requirements.in",
        "requirements.lock",
        "requirements-dev.in",
        "requirements-dev.lock",
        "requirements-cluster.in",
        "requirements-cluster.lock",
        ".ci",
        ".git",
        ".venv",
    ]
)
"""The workflow's own files, where it was cloned into the folder in which it runs."""

_MANUAL = frozenset({"README.md", "videos.example.tsv"})
_PACKAGES = frozenset({"conda", "conda-archive", "singularity"})
_SHORTEST = 3
"""Shorter names, and numbers, are in any file."""


@dataclass
class Findings:
    """What carries a person's name.

    Attributes:
        files: files, folders, and records of such ones.
        mentions: how many other files hold a name that is too common to tell anything.
    """

    files: list[Path] = field(default_factory=list)
    mentions: int = 0


def search(traces: Traces, places: Places, *, keep_recordings: bool) -> Findings:
    """What carries the name of a person: as part of its path, in a cell, or as a word of a text."""
    finder = _Finder(traces)
    kept = [one.path for one in traces.staying] + (list(traces.recordings) * keep_recordings)
    skipped = {os.path.realpath(path) for path in kept if path}
    findings = Findings()
    for path in _walk(_find_tops(places), skipped):
        is_named = not _is_ours(path, places) and finder.is_in_name(_name_of(path, places))
        text = "" if is_named else _read(path)
        if is_named or finder.is_told_by(text):
            findings.files.append(path)
        elif finder.is_mentioned_by(text):
            findings.mentions += 1
    return findings


def _find_tops(places: Places) -> list[Path]:
    """The project, and what it keeps elsewhere."""
    tops = [Path(), places.results, places.logs, places.benchmarks, *places.storages]
    sheet = places.sheet
    return tops if sheet is None or _is_below(sheet, Path()) else [*tops, sheet]


def _is_below(path: Path, top: Path) -> bool:
    return path.resolve().is_relative_to(top.resolve())


def _walk(tops: Iterable[Path], skipped: set[str]) -> Iterator[Path]:
    """Files and folders below, through links, each once."""
    seen = set(skipped)
    for top in tops:
        if top.is_file():
            yield top
        for name, folders, files in os.walk(top, followlinks=True):
            folder = Path(name)
            if (real := os.path.realpath(folder)) in seen:
                folders.clear()
                continue
            seen.add(real)
            passed_over = _pass_over(folder)
            folders[:] = sorted(set(folders) - passed_over)
            yield from (folder / sub for sub in folders)
            for file in sorted(set(files) - passed_over):
                path = folder / file
                here = os.path.realpath(path) if path.is_symlink() else f"{real}/{file}"
                if here not in skipped and not file.endswith(LOCK_FILE.name):
                    yield path


def _pass_over(folder: Path) -> frozenset[str]:
    if folder.name == ".snakemake":
        return _PACKAGES
    if (folder / "Snakefile").exists():
        return CODE
    return _MANUAL if (folder / "../Snakefile").exists() else frozenset()


def _is_ours(path: Path, places: Places) -> bool:
    """Whether a file or folder has its name from us, whatever the videos are called."""
    if path.parent == places.results and path.name in (*TABLES, *JOINED):
        return True
    folders = (places.results / "videos", places.logs, places.benchmarks, places.snakemake)
    return any(path == folder or path in folder.parents for folder in folders)


def _name_of(path: Path, places: Places) -> str:
    """Its own name; of a record of Snakemake's, the path that it is about."""
    for top in (places.snakemake / "metadata", places.snakemake / "incomplete"):
        if path.is_relative_to(top) and path != top:
            return str(decode_record(path.relative_to(top)) or path.name)
    return path.name


class _Finder:
    """The names of a person, as they are looked for."""

    def __init__(self, traces: Traces) -> None:
        staying = {
            text
            for one in traces.staying
            for text in (one.video, one.subject, one.path, Path(one.path or "").name)
            if text
        } | _forms(traces.others)
        paths = {text for path in traces.recordings for text in (path, Path(path).name)}
        names = {*traces.videos, *_as_set(traces.subject), *(paths - staying)}
        telling = {name for name in names if _is_telling(name)}
        self._words = _compile(telling, staying, r"(?<!\w)", r"(?!\w)")
        self._commons = _compile(names - telling, staying, r"(?<!\w)", r"(?!\w)")
        self._parts = _compile(names, staying, r"(?:^|/)", r"(?=$|/|\.)")
        self._forms = _compile(_forms(traces.videos), staying, r"(?<!\w)", r"(?![\w-]|\.\w)")
        plain = _as_set(traces.subject)
        self._owners = {"video": traces.videos, "subject": plain | set(map(safe_text, plain))}

    def is_in_name(self, name: str) -> bool:
        """Whether a path has a name among its parts, or a telling one as a word."""
        return _finds(self._parts, name) or _finds(self._words, name)

    def is_told_by(self, text: str) -> bool:
        """Whether a text has a telling name as a word, a path of theirs, or a row on them."""
        return _finds(self._words, text) or _finds(self._forms, text) or self._is_in_cell(text)

    def is_mentioned_by(self, text: str) -> bool:
        """Whether a text has a name as a word that may mean anything."""
        return _finds(self._commons, text)

    def _is_in_cell(self, text: str) -> bool:
        head = text.partition("\n")[0]
        separator = max(",\t;", key=head.count)
        header = [name.strip().strip('"\ufeff').casefold() for name in head.split(separator)]
        if self._owners.keys().isdisjoint(header):
            return False
        table = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        with suppress(csv.Error):  # no table, for all that its first line says
            return any(
                cell.strip() in self._owners.get(column, ())
                for cells in table
                for column, cell in zip(header, cells, strict=False)
            )
        return False


def _as_set(name: str | None) -> set[str]:
    return {name} if name else set()


def _forms(videos: Iterable[str]) -> set[str]:
    """What ids follow that are meant as such."""
    return {f"{form}{video}" for video in videos for form in ("videos/", "video=")}


def _is_telling(name: str) -> bool:
    return len(name) >= _SHORTEST and any(map(str.isalpha, name))


def _compile(
    names: Iterable[str], staying: Iterable[str], before: str, after: str
) -> re.Pattern[str] | None:
    """Finds the names, but not within longer ones that stay: `walk`, not in `walk.mp4`."""
    own = {spelt for name in names for spelt in _spell(name)}
    if not own:
        return None
    longer = {spelt for name in staying for spelt in _spell(name) if any(o in spelt for o in own)}
    others, owns = (
        "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))
        for texts in (longer - own, own)
    )
    either = f"(?:{others})|(?P<own>{owns})" if others else f"(?P<own>{owns})"
    return re.compile(f"{before}(?:{either}){after}", re.IGNORECASE)


def _finds(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and any(found["own"] for found in pattern.finditer(text))


def _spell(name: str) -> set[str]:
    """A name as files may hold it."""
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    written = {json.dumps(form, ensure_ascii=pure) for form in forms for pure in (True, False)}
    return forms | {text[1:-1] for text in written} | set(map(html.escape, forms))


def _read(path: Path) -> str:
    """The text of a file; none if it cannot be read, or is no text."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as stream:
            start = stream.read(8192)
            content = b"" if b"\0" in start else start + stream.read()
    except OSError:
        return ""
    return content.decode("utf-8", "replace")
