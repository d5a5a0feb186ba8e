"""Results from the future, as they are after a clock has been set back."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

_SPREAD_NS = 1_000_000_000
"""The last second, into which the times of all files from the future are put."""


def is_from_the_future(path: Path, now_s: float) -> bool:
    """Whether a file was changed after `now_s`, in s since 1970; not if there is none."""
    try:
        return path.stat().st_mtime > now_s
    except OSError:
        return False


def settle_clock(needed: Iterable[Path], folders: Iterable[Path], now_s: float) -> int:
    """Takes files from the future back to the present, if one of them is needed.

    Snakemake fails a job whose output is older than what it was made of: with a clock that was set
    back, every job that reads a file which was made before that. Which file is older than which
    stays as it was. Files that this user may not touch are left for Snakemake to name.

    Args:
        needed: what jobs are going to read.
        folders: where the files lie that tapeless has made; those of others are not touched.
        now_s: the present, in s since 1970.

    Returns:
        How many files were taken back.
    """
    folders = [folder.absolute() for folder in folders]
    late = (path.absolute() for path in needed if is_from_the_future(path, now_s))
    if not any(path.is_relative_to(folder) for path in late for folder in folders):
        return 0
    now_ns = int(now_s * 1e9)
    future = {path: time_ns for path, time_ns in _times_below(folders) if time_ns > now_ns}
    latest_ns = max(future.values(), default=now_ns)
    settled = 0
    for path, time_ns in future.items():
        share = (latest_ns - time_ns) / max(1, latest_ns - now_ns)
        settled += _set_time(path, now_ns - round(share * _SPREAD_NS))
    log.warning(
        "the clock was set back: of %d files from the future, %d are now of today",
        len(future),
        settled,
    )
    return settled


def _set_time(path: Path, time_ns: int) -> bool:
    """Whether it could be done: the file may be somebody else's, or on a disk that is read-only."""
    try:
        os.utime(path, ns=(time_ns, time_ns), follow_symlinks=False)
    except OSError as error:
        log.info("%s keeps its time: %s", path, error)
        return False
    return True


def _times_below(folders: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """All files and folders with their times, but those that others remove meanwhile."""
    for folder in folders:
        for above, folders_in_it, files in os.walk(folder):
            for name in (*folders_in_it, *files):
                path = Path(above, name)
                with suppress(FileNotFoundError):
                    yield path, path.lstat().st_mtime_ns
