"""Which videos to measure: the rows of a sheet or the files of a folder, each with an id.

A video's name is data: it may hold spaces, quotes, line breaks and accents. Its id is safe in a
path, a shell and a log, and names its folder below the results. Faults are collected, not raised,
so that a person sees all of them at once.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from tapeless.configuration import Schema, did_you_mean, find_faults
from tapeless.constancy import identify

USUAL_SHEET = Path("config/videos.tsv")

_S3 = "s3://"
_S3_PLUGIN = "snakemake_storage_plugin_s3"
_MAX_ID_LENGTH = 100
_DISALLOWED_IN_ID = re.compile(r"[^A-Za-z0-9._-]+")
_PLACELESS = {"", ".", ".."}
"""Parts of a path that name no file or folder of their own."""
_DISALLOWED_ON_S3 = re.compile(r"[{}<>*?#\\\x00-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MIXED_UP = (
    ("height_cm", 0.8, 2.5, "metres", 100),
    ("height_cm", 800, 2500, "millimetres", 0.1),
    ("object_height_cm", 0.05, 5, "metres", 100),
    ("object_height_cm", 1000, 10000, "millimetres", 0.1),
    ("distance_m", 100, 10000, "centimetres", 0.01),
)
"""Values that are at fault in a column, what unit they are probably in, and how many of the
column's own that has."""


@dataclass(frozen=True)
class Video:
    """One video to measure; None is a value that is not known."""

    video: str
    """Its id: unique, also where case does not count; letters, digits, dots, `_` and `-`."""
    path: str
    """The file, absolute or relative to the folder in which Snakemake runs; or on S3."""
    height_cm: float | None = None
    mass_kg: float | None = None
    sex: str | None = None
    subject: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    vertical_fov_degrees: float | None = None
    distance_m: float | None = None
    object_height_cm: float | None = None
    object_height_px: float | None = None

    @property
    def is_on_s3(self) -> bool:
        """Whether Snakemake has to fetch it first."""
        return self.path.startswith(_S3)

    def identify_content(self) -> str | None:
        """Changes when the file does; None if it is on S3, where Snakemake sees that by itself."""
        return None if self.is_on_s3 else identify(Path(self.path))

    @property
    def is_plain_file(self) -> bool:
        """Whether Snakemake can name the file and read it.

        Snakemake expands `{}` and `<>` in paths, trims them, writes them into its records, and
        reads small files to see whether they changed.
        """
        printable = self.path.isprintable() and self.path == self.path.strip()
        return printable and not set("{}<>") & set(self.path) and os.access(self.path, os.R_OK)


Videos = dict[str, Video]
"""By id, in the order of the sheet, or of the paths in the folder."""


def read_videos(
    config: Mapping[str, Any], schema: Schema, made: Iterable[str] = ()
) -> tuple[Videos, list[str]]:
    """The videos that a configuration asks for, and every fault found on the way.

    `schema` is that of a row of the sheet; `made` are the folders that the workflow writes to. The
    configuration has its defaults, but may have faults, which are not repeated here. A sheet of
    another name than usual must exist. No videos at all are no fault here.
    """
    folder, sheet, sampling = config["videos"], config["sheet"], config["sampling"]
    if isinstance(sheet, str):
        try:
            is_there = Path(sheet).exists()
        except OSError as error:
            return {}, [_cannot_look_at(sheet, error)]
        if is_there:
            span = sampling if isinstance(sampling, Mapping) else {}
            return read_sheet(Path(sheet), schema, span)
        if Path(sheet) != USUAL_SHEET:
            return {}, [f"there is no sheet {sheet!r}"]
    return find_videos(folder, made) if isinstance(folder, str) else ({}, [])


def find_videos(folder: str, made: Iterable[str] = ()) -> tuple[Videos, list[str]]:
    """Every file in `folder` and below it but the hidden ones, and the folders that stay closed.

    Nothing in the folders `made`, to which the workflow writes, is a video; `folder` itself can be
    none of them.
    """
    faults: list[str] = []
    root = Path(folder)
    seen = {Path(os.path.realpath(path)) for path in made}
    try:
        found = _walk(root, faults, seen) if root.exists() else iter(())
    except OSError as error:
        return {}, [_cannot_look_at(folder, error)]
    if Path(os.path.realpath(root)) in seen:
        return {}, [f"results would go to the folder of videos, {folder!r}: choose another folder"]
    ids = make_ids(sorted(str(path.relative_to(root)) for path in found))
    return {video: Video(video, str(root / path)) for path, video in ids.items()}, faults


def _cannot_look_at(path: object, error: OSError) -> str:
    return f"cannot look at {str(path)!r}: {error.strerror}"


def _walk(folder: Path, faults: list[str], seen: set[Path]) -> Iterator[Path]:
    """Files below `folder`, through links too, but none in the folders `seen`, and none twice."""
    seen.add(folder.resolve())
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        faults.append(f"cannot look into {str(folder)!r}: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            is_folder = entry.is_dir()
        except OSError as error:
            faults.append(_cannot_look_at(entry, error))
            continue
        if not is_folder:
            yield entry
        elif entry.resolve() not in seen:
            yield from _walk(entry, faults, seen)


def make_ids(paths: Iterable[str]) -> dict[str, str]:
    """An id for each path below a folder, by path.

    An id comes from its path alone, so that it stays when other files come and go (but for two
    paths that differ in nothing but case: both get a digest). Letters a-z, digits, dots, `_` and
    `-` are kept; where something else was, or the id would be long or start with a dot or a dash,
    a digest of the path follows.
    """
    ids = {path: _make_id(path) for path in paths}
    count = Counter(video.casefold() for video in ids.values())
    return {
        path: video if count[video.casefold()] == 1 else _add_digest(video, path)
        for path, video in ids.items()
    }


def _make_id(path: str) -> str:
    letters = unicodedata.normalize("NFKD", path).encode("ascii", "ignore").decode()
    video = _DISALLOWED_IN_ID.sub("_", letters)
    if video == path and video[0] not in ".-" and len(video) <= _MAX_ID_LENGTH:
        return video
    return _add_digest(video, path)


def _add_digest(video: str, path: str) -> str:
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return f"{video.lstrip('.-_')[: _MAX_ID_LENGTH - 9] or 'video'}-{digest}"


def read_sheet(path: Path, schema: Schema, sampling: Mapping[str, Any]) -> tuple[Videos, list[str]]:
    """The videos of a tab-separated sheet in UTF-8, and every fault of it.

    `sampling` is that part of the configuration: its `start_s` and `end_s` hold for rows that give
    none of their own.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, rows = _read_table(file, schema)
    except UnicodeDecodeError:
        return {}, [f"{path}: is not UTF-8; save it as tab-separated text in UTF-8"]
    except (OSError, csv.Error, _BrokenSheetError) as error:
        return {}, [f"{path}: {error}"]
    known = schema["properties"]
    faults = [
        f"{path}: unknown column {name!r}{did_you_mean(name, known)}"
        for name in header
        if name not in known
    ]
    videos: Videos = {}
    ids: dict[str, int] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        faults += [f"{where}: {fault}" for fault in _find_row_faults(row, schema, sampling)]
        video = row.get("video", "")
        first = ids.setdefault(video.casefold(), line)
        if video and first != line:
            faults.append(f"{where}: the id {video} is that of line {first} already")
        videos[video] = Video(**{"video": "", "path": "", **row})
    return ({}, faults) if faults else (videos, [])


Row = dict[str, Any]


class _BrokenSheetError(Exception):
    """The sheet's columns cannot be told."""


def _read_table(file: TextIO, schema: Schema) -> tuple[list[str], list[tuple[int, Row]]]:
    """The columns' names, and each row that is not blank, without its empty cells."""
    table = csv.reader(file, dialect="excel-tab", strict=True)
    header = [name.strip() for name in next(table, [])]
    missing = [name for name in schema["required"] if name not in header]
    if missing:
        raise _BrokenSheetError(
            "its first line must name the columns, separated by tabs; "
            f"missing: {', '.join(missing)}"
        )
    if len(set(header)) < len(header):
        raise _BrokenSheetError("its first line names a column twice, or an empty one")
    rows = []
    for cells in table:
        if len(cells) > len(header):
            raise _BrokenSheetError(f"line {table.line_num} has more cells than there are columns")
        parsed = {
            name: _parse(cell, schema["properties"][name])
            for name, cell in zip(header, cells, strict=False)
            if name in schema["properties"]
        }
        row = {name: value for name, value in parsed.items() if value != ""}
        if row:
            rows.append((table.line_num, row))
    return header, rows


def _parse(cell: str, column: Schema) -> str | float:
    """A cell as what its column holds; text that is no number stays, for the check to name it."""
    if column.get("type") != "number":
        return cell if column.get("minLength") else cell.strip()
    text = cell.strip()
    return float(text) if _NUMBER.fullmatch(text) else text


def _find_row_faults(row: Row, schema: Schema, sampling: Mapping[str, Any]) -> Iterator[str]:
    missing = [name for name in schema["required"] if name not in row]
    yield from (f"{name} must be given" for name in missing)
    for fault in find_faults(row, {**schema, "required": [], "dependentRequired": {}}):
        yield f"{fault}{_hint(fault.split()[0], row, schema)}"
    for name, others in schema["dependentRequired"].items():
        lacking = [other for other in others if name in row and other not in row]
        yield from (f"{other} must be given with {name}" for other in lacking)
    if "path" in row:
        is_on_s3 = row["path"].startswith(_S3)
        yield from (_find_s3_faults if is_on_s3 else _find_file_faults)(row["path"])
    start_s = row.get("start_s", sampling.get("start_s"))
    end_s = row.get("end_s", sampling.get("end_s"))
    if isinstance(start_s, int | float) and isinstance(end_s, int | float) and start_s >= end_s:
        yield f"start_s ({start_s:g}) must be before end_s ({end_s:g})"


def _find_s3_faults(path: str) -> Iterator[str]:
    """Whether the file is there turns out when Snakemake plans.

    Snakemake fetches it to a path made of its name, which must not lead anywhere else.
    """
    if find_spec(_S3_PLUGIN) is None:
        yield "videos on S3 need Snakemake's plugin for it: make setup-cluster"
    bucket, *key = path.removeprefix(_S3).split("/")
    if not (bucket and any(key)):
        yield f"path must be of the form s3://bucket/file, is {path!r}"
    elif not _PLACELESS.isdisjoint([bucket, *key]):
        yield f"between the slashes of a path on S3 must be names, not '', '.' or '..': {path!r}"
    if found := sorted(set(_DISALLOWED_ON_S3.findall(path))):
        told = " ".join(mark if mark.isprintable() else repr(mark) for mark in found)
        yield f"the name of a file on S3 cannot have {told} in it: {path!r}"


def _find_file_faults(path: str) -> Iterator[str]:
    try:
        if not Path(path).is_file():
            yield f"there is no file {path!r}"
    except OSError as error:
        yield _cannot_look_at(path, error)


def _hint(column: str, row: Row, schema: Schema) -> str:
    """What was probably meant by a cell that is at fault."""
    value = row[column]
    if isinstance(value, str):
        is_number = schema["properties"][column]["type"] == "number"
        return " (with a point, not a comma)" if is_number and "," in value else ""
    for name, low, high, unit, factor in _MIXED_UP:
        if name == column and low <= value <= high:
            return f" ({unit}? then write {value * factor:g})"
    return ""
