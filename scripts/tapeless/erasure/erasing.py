"""Removing all that tells of a person from a project, and looking for what is left.

What is theirs alone is deleted. Of a table that others are in, too, their rows go, and of a log
their lines. Of what joins all people's numbers, or is a page on them, nothing can be taken out: it
is deleted, and the next run makes it anew without them.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tapeless.erasure.traces import Traces

JOINED = ("subjects.csv", "repeatability.csv", "cohort.html")
"""Reports of whom nobody can be taken out, though they may name nobody."""

_TABLES = {".csv": "excel", ".tsv": "excel-tab"}
_REMADE = frozenset({".json", ".html", ".prom", ".svg"})
_PICTURES_AND_ARRAYS = frozenset({".png", ".jpg", ".npz", ".pkl", ".npy"})
"""Files without text: whose they are, the names of their folders tell."""
_RECORDS = ("metadata", "incomplete")
_PACKAGES = frozenset({"conda", "conda-archive", "singularity"})
_NAMED = ("video", "subject")
_ENCODING = {"encoding": "utf-8", "errors": "surrogateescape"}


@dataclass(frozen=True)
class Places:
    """Where a project keeps things; folders are relative to the one in which Snakemake runs."""

    results: Path
    logs: Path
    benchmarks: Path
    sheet: Path | None
    snakemake: Path = Path(".snakemake")


@dataclass
class Erasure:
    """What is to be removed; `carry_out` does it.

    Attributes:
        deleted: files and folders.
        shortened: tables and logs, with what is left of each.
        recordings: the person's videos.
    """

    deleted: list[Path] = field(default_factory=list)
    shortened: dict[Path, str] = field(default_factory=dict)
    recordings: list[Path] = field(default_factory=list)

    def carry_out(self) -> None:
        """Removes it.

        Raises:
            OSError: if something cannot be removed; what was done until then stays done.
        """
        for path, text in self.shortened.items():
            unfinished = path.with_name(f".{path.name}.unfinished")
            with unfinished.open("w", newline="", **_ENCODING) as stream:  # type: ignore[call-overload]
                stream.write(text)
            unfinished.replace(path)
        for path in [*self.deleted, *self.recordings]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def plan_erasure(traces: Traces, places: Places) -> Erasure:
    """What has to go so that nothing tells of a person; nothing is changed."""
    plan = Erasure(recordings=[p for p in map(Path, traces.recordings) if os.path.lexists(p)])
    for path, is_theirs in _walk(traces, places):
        if is_theirs or path.name in JOINED:
            plan.deleted.append(path)
        elif _is_record(path, places) or path.suffix in _REMADE:
            if traces.are_in_text(path.read_bytes()):
                plan.deleted.append(path)
        elif (shorter := _shorten(path, traces)) is not None:
            plan.shortened[path] = shorter
    if places.sheet:
        shorter = _without_rows(places.sheet, traces, "excel-tab")
        plan.shortened |= {} if shorter is None else {places.sheet: shorter}
    return plan


def find_left(traces: Traces, places: Places) -> list[Path]:
    """The files that still tell of a person: by their name, in a cell, or in a text.

    Reports that Snakemake wrote into this folder (`report.html`) are looked at, too, but no copies
    elsewhere.
    """
    left = [path for path in map(Path, traces.recordings) if os.path.lexists(path)]
    for path, is_theirs in _walk(traces, places):
        if is_theirs or _tells(path, traces):
            left.append(path)
    if places.sheet and _tells(places.sheet, traces):
        left.append(places.sheet)
    pages = [p for p in Path().glob("*.html") if p.is_file()]
    return left + [page for page in pages if traces.are_in_text(page.read_bytes())]


def _walk(traces: Traces, places: Places) -> Iterator[tuple[Path, bool]]:
    """Files, and folders that are the person's; each with whether it is theirs by its name."""
    seen: set[str] = set()
    for root in (places.results, places.logs, places.benchmarks, places.snakemake):
        for name, folders, files in os.walk(root):
            folder = Path(name)
            if os.path.realpath(name) in seen:
                folders.clear()
                continue
            seen.add(os.path.realpath(name))
            if folder == places.snakemake:
                folders[:] = [f for f in folders if f not in _PACKAGES]
            theirs = [f for f in folders if _is_named(folder / f, traces, places)]
            folders[:] = sorted(set(folders) - set(theirs))
            yield from ((folder / name, True) for name in theirs)
            yield from ((folder / f, _is_named(folder / f, traces, places)) for f in sorted(files))


def _is_named(path: Path, traces: Traces, places: Places) -> bool:
    """Whether a file or folder has the name of one of the videos, where names are of videos."""
    if record := _record_of(path, places):
        return _is_named(record, traces, places)
    if path.is_relative_to(places.snakemake / "storage"):  # copies of what lies elsewhere
        return traces.are_in_text(os.fsencode(path.name))
    # at these places, so many parts of the path are names of rules
    roots = {
        places.results / "videos": 0,
        places.logs: 1,
        places.benchmarks: 1,
        places.snakemake / "slurm_logs": 1,
    }
    for root, rules in roots.items():
        if path.is_relative_to(root):
            parts = path.relative_to(root).parts[rules:]
            if rules == 0:
                return bool(parts) and parts[0] in traces.videos
            return any(map(traces.are_of, parts))
    return False


def _is_record(path: Path, places: Places) -> bool:
    return any(path.is_relative_to(places.snakemake / name) for name in _RECORDS)


def _record_of(path: Path, places: Places) -> Path | None:
    """The output that a record of Snakemake's is about: its name is that path, in base 64."""
    for name in _RECORDS:
        folder = places.snakemake / name
        if path.is_relative_to(folder) and path != folder:
            encoded = "".join(p.removeprefix("@") for p in path.relative_to(folder).parts)
            try:
                return Path(os.fsdecode(base64.urlsafe_b64decode(encoded)))
            except (binascii.Error, ValueError):
                return None  # part of a long one
    return None


def _shorten(path: Path, traces: Traces) -> str | None:
    """What a text is without what tells of a person; None if there is nothing to leave out."""
    if path.suffix in _PICTURES_AND_ARRAYS:
        return None
    if path.suffix in _TABLES:
        return _without_rows(path, traces, _TABLES[path.suffix])
    content = path.read_bytes()
    if b"\0" in content or not traces.are_in_text(content):
        return None
    lines = content.splitlines(keepends=True)
    kept = [line for line in lines if not traces.are_in_text(line)]
    return b"".join(kept).decode(**_ENCODING)


def _without_rows(path: Path, traces: Traces, dialect: str) -> str | None:
    """A table without a person's rows, else the same to the last byte; None if it has none."""
    lines, kept, rows = _read_rows(path, traces, dialect)
    if len(kept) == rows:
        return None
    return "".join("".join(lines[start:end]) for start, end in kept)


def _read_rows(
    path: Path, traces: Traces, dialect: str
) -> tuple[list[str], list[tuple[int, int]], int]:
    """The lines of a table, from which to which line the rows go that stay, and how many rows."""
    with path.open(newline="", **_ENCODING) as stream:  # type: ignore[call-overload]
        lines = list(io.StringIO(stream.read(), newline=""))
    table = csv.reader(lines, dialect=dialect)
    kept, rows, start = [], 0, 0
    header: list[str] = []
    for cells in table:
        header = header or [name.strip().lstrip("\ufeff") for name in cells]
        named = [cell for name, cell in zip(header, cells, strict=False) if name in _NAMED]
        if not any(map(traces.are_in_cell, map(str.strip, named or cells))):
            kept.append((start, table.line_num))
        start, rows = table.line_num, rows + 1
    return lines, kept, rows


def _tells(path: Path, traces: Traces) -> bool:
    if path.suffix in _PICTURES_AND_ARRAYS:
        return False
    if path.suffix in _TABLES:
        _, kept, rows = _read_rows(path, traces, _TABLES[path.suffix])
        return len(kept) < rows
    return traces.are_in_text(path.read_bytes())
