"""Looking for what is left of a person, in all files below a project.

It knows nothing of what is removed and how, so that it finds what that overlooks, and it decides
nothing: a file that carries the name of a person may tell of something else.
"""

from __future__ import annotations

import codecs
import csv
import html
import io
import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
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
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass
class Findings:
    """What carries a person's name.

    Attributes:
        files: files, folders, and records of such ones.
        mentions: how many other files hold a name that is too common to tell anything.
        unread: files and folders that cannot be looked into.
    """

    files: list[Path] = field(default_factory=list)
    mentions: int = 0
    unread: list[Path] = field(default_factory=list)


def search(traces: Traces, places: Places, *, keep_recordings: bool) -> Findings:
    """What carries the name of a person: as part of its path, in a cell, or as a word of a text."""
    finder = _Finder(traces)
    kept = [one.path for one in traces.staying] + (list(traces.recordings) * keep_recordings)
    skipped = {os.path.realpath(path) for path in kept if path}
    findings = Findings()
    folders = [Path(), places.results, places.logs, places.benchmarks, *places.storages]
    sheet = [] if places.sheet is None or _is_below(places.sheet, Path()) else [places.sheet]
    for path in chain(_walk(folders, skipped, findings.unread), sheet):
        is_named = not _is_ours(path, places) and finder.is_in_name(_name_of(path, places))
        text = ""
        if not is_named:
            try:
                text = _read(path)
            except OSError:
                findings.unread.append(path)
        if is_named or finder.is_told_by(text):
            findings.files.append(path)
        elif finder.is_mentioned_by(text):
            findings.mentions += 1
    return findings


def _is_below(path: Path, top: Path) -> bool:
    return path.resolve().is_relative_to(top.resolve())


def _walk(tops: Iterable[Path], skipped: set[str], unread: list[Path]) -> Iterator[Path]:
    """Files and folders below, through links, each once; `unread` gets folders that stay closed."""

    def note(error: OSError) -> None:
        if os.path.lexists(error.filename):
            unread.append(Path(error.filename))

    seen = set(skipped)
    for top in tops:
        for name, folders, files in os.walk(top, onerror=note, followlinks=True):
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
                here = os.path.realpath(path) if _is_link(path) else f"{real}/{file}"
                if here not in skipped and not file.endswith(LOCK_FILE.name):
                    yield path


def _is_link(path: Path) -> bool:
    with suppress(PermissionError):
        return path.is_symlink()
    return False


def _pass_over(folder: Path) -> frozenset[str]:
    if folder.name == ".snakemake":
        return _PACKAGES
    if os.path.lexists(folder / "Snakefile"):
        return CODE
    return _MANUAL if os.path.lexists(folder / "../Snakefile") else frozenset()


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
        names = traces.videos | traces.subjects | (paths - staying)
        telling = {name for name in names if _is_telling(name)}
        self._words = _compile(telling, staying, r"(?<!\w)", r"(?!\w)")
        self._commons = _compile(names - telling, staying, r"(?<!\w)", r"(?!\w)")
        self._parts = _compile(names, staying, r"(?:^|/)", r"(?=$|/|\.)")
        self._forms = _compile(_forms(traces.videos), staying, r"(?<!\w)", r"(?![\w-]|\.\w)")
        subjects = traces.subjects.union(map(safe_text, traces.subjects))
        self._owners = {"video": traces.videos, "subject": subjects}

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
    folded = {spelt.casefold() for spelt in own}
    longer = {
        spelt
        for name in staying
        for spelt in _spell(name)
        if any(part in spelt.casefold() for part in folded)
    }
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
    """The text of a file; none of a folder, a link to nothing, or a file that is no text.

    Raises:
        OSError: if it cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as stream:
            start = stream.read(8192)
            if start.startswith(_UTF_16):
                return (start + stream.read()).decode("utf-16", "replace")
            return "" if b"\0" in start else _decode(start + stream.read())
    except FileNotFoundError:
        return ""


def _decode(content: bytes) -> str:
    """Bytes as UTF-8; if they are not, also as spreadsheets write them on Windows."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(content.decode(code, "replace") for code in ("utf-8", "cp1252"))
