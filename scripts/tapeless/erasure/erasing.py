"""Removing all that tells of a person from a project.

What is theirs alone is deleted. Of a table that others are in, too, their rows go, and of a log
their lines. Of what joins all people's numbers, or is a page on them, nothing can be taken out: it
is deleted, and the next run makes it anew without them.

What says who they are goes last, so that a removal that was cut short can be repeated.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tapeless.erasure.mentions import find_mentions
from tapeless.erasure.places import Places
from tapeless.erasure.recordings import find_copies, find_recordings
from tapeless.erasure.traces import RefusedError, Traces
from tapeless.outcomes import OUTCOME_FILE
from tapeless.writing import safe_text, whole


@dataclass
class Erasure:
    """What is to be removed; `carry_out` does it in this order.

    Attributes:
        recordings: the person's videos, and copies of them.
        deleted: files and folders.
        records: Snakemake's records of them.
        shortened: tables and logs, with what is left of each.
        folders: those of their videos, which hold the subject's name.
        sheet: the same as `shortened`, of the sheet.
    """

    recordings: list[Path] = field(default_factory=list)
    deleted: list[Path] = field(default_factory=list)
    records: list[Path] = field(default_factory=list)
    shortened: dict[Path, bytes] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    sheet: dict[Path, bytes] = field(default_factory=dict)

    def carry_out(self) -> None:
        """Removes it.

        Raises:
            OSError: if something cannot be removed; what was done until then stays done.
        """
        for folder in self.folders:
            if not os.path.lexists(folder):  # else nothing might know of the video any more
                folder.mkdir(parents=True)
        for path in [*self.recordings, *self.deleted]:
            _remove(path)
        for record in self.records:
            _remove(record)
            _remove_start_of_name(record.parent)
        for path, content in self.shortened.items():
            _rewrite(path, content)
        for folder in self.folders:
            _remove_folder(folder)
        for path, content in self.sheet.items():
            _rewrite(path, content)


def plan_erasure(traces: Traces, places: Places, *, keep_recordings: bool = False) -> Erasure:
    """What has to go so that nothing tells of a person; nothing is changed.

    Raises:
        RefusedError: if something of somebody else would go with it, or a table is none.
        OSError: if something cannot be looked at.
    """
    plan = Erasure(folders=[places.folder_of(video) for video in sorted(traces.videos)])
    plan.recordings += [] if keep_recordings else find_recordings(traces)
    plan.recordings += find_copies(traces, places)
    for video in sorted(traces.videos):
        plan.deleted += places.list_files_of(video)
    plan.deleted += places.list_joined()
    plan.records += [p for p, output in places.list_records() if _is_gone(output, plan, places)]
    _refuse_what_others_need(plan, traces, places)
    mentions = find_mentions(traces, places)
    for path in places.list_common_logs():
        if not any(map(path.is_relative_to, plan.deleted)):
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if not mentions.search(line)]
            plan.shortened |= {path: b"".join(kept)} if len(kept) < len(lines) else {}
    for path in places.list_tables():
        plan.shortened |= _without_rows(path, "excel", lambda row: _tells(row, traces))
    if places.sheet:
        plan.sheet = _without_rows(
            places.sheet, "excel-tab", lambda row: row.get("video") in traces.videos
        )
    return plan


def find_links(plan: Erasure) -> list[Path]:
    """Files and folders that links within the person's own folders lead to, and that stay."""
    paths = (
        Path(folder, name)
        for top in plan.folders
        for folder, folders, files in os.walk(os.path.realpath(top))
        for name in (*folders, *files)
    )
    return sorted({_real(path) for path in paths if path.is_symlink() and path.exists()})


def _is_gone(output: Path, plan: Erasure, places: Places) -> bool:
    """Whether a record is about an output that goes, or about reports, and names all videos."""
    return output.parent == places.results or any(map(output.is_relative_to, plan.folders))


def _refuse_what_others_need(plan: Erasure, traces: Traces, places: Places) -> None:
    """Stops where a path, or what a link leads to, holds what stays, or lies in it."""
    others = {_real(places.folder_of(video)) for video in traces.others}
    tops = (places.results, places.logs, places.benchmarks, places.snakemake, Path())
    kept = others | {_real(path) for path in (*tops, places.results / "videos")}
    kept |= {_real(Path(one.path)) for one in traces.staying if one.path}
    kept |= {_real(places.sheet)} if places.sheet else set()
    kept |= {above for path in kept for above in path.parents}
    links = [path for path in plan.deleted if path.is_symlink()]
    for path in [*plan.recordings, *plan.folders, *links]:
        real = _real(path)
        if real in kept or not others.isdisjoint(real.parents):
            raise RefusedError(f"{path} leads to {real}, which is not this person's alone")


def _tells(row: Mapping[str, str], traces: Traces) -> bool:
    """Whether a row of a report is on the person: by the id, or by the name if that is unknown."""
    video = row.get("video")
    if video in traces.videos:
        return True
    names = traces.subjects.union(map(safe_text, traces.subjects))
    return video not in traces.others and row.get("subject") in names


def _without_rows(
    path: Path, dialect: str, tells: Callable[[Mapping[str, str]], bool]
) -> dict[Path, bytes]:
    """A table without a person's rows, else the same to the last byte; nothing if it has none.

    Raises:
        RefusedError: if it is no table.
    """
    content = path.read_bytes().decode("utf-8", "surrogateescape")
    lines = list(io.StringIO(content, newline=""))
    table = csv.reader(lines, dialect=dialect)
    try:
        header = [name.strip().removeprefix("\ufeff") for name in next(table, [])]
        start = table.line_num
        kept = lines[:start]
        for cells in table:
            row = dict(zip(header, map(str.strip, cells), strict=False))
            kept += [] if tells(row) else lines[start : table.line_num]
            start = table.line_num
    except csv.Error as error:
        raise RefusedError(
            f"{path} cannot be read as a table ({error}): mend or delete it first"
        ) from error
    if len(kept) == len(lines):
        return {}
    return {path: "".join(kept).encode("utf-8", "surrogateescape")}


def _rewrite(path: Path, content: bytes) -> None:
    """Gives a file another content, behind a link if it is one; it is whole at any time."""
    target = _real(path)
    with whole(target) as unfinished:
        unfinished.write_bytes(content)
        shutil.copymode(target, unfinished)


def _remove(path: Path) -> None:
    """Removes a file or a folder; of a link, what it leads to as well."""
    if path.is_symlink():
        _remove(_real(path))
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_start_of_name(folder: Path) -> None:
    """Removes what is left of a record with a long name, of which all but the end is folders."""
    while folder.name.startswith("@") and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _remove_folder(folder: Path) -> None:
    """Removes the folder of a video, and last in it what tells the subject's name."""
    real = _real(folder)
    for path in sorted(real.iterdir(), key=_is_last) if real.is_dir() else ():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    _remove(folder)


def _is_last(path: Path) -> bool:
    return path.name == OUTCOME_FILE


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
