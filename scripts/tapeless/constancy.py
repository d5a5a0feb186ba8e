"""Whether a video is the same file all the time, for one may be copied or replaced meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tapeless.outcomes import MachineFault


class VideoChangedError(MachineFault):
    """A video is not the file that it was when it was read before."""


def identify(video: Path) -> str:
    """What changes with a file: its size and its time of change; "absent" if there is none."""
    try:
        status = video.stat()
    except OSError:
        return "absent"
    return f"{status.st_size} bytes, {status.st_mtime_ns} ns"


@contextmanager
def expect_unchanged(video: Path, before: str | None = None) -> Iterator[None]:
    """Makes sure that a file that is read in the block is the same at its end as `before`.

    What was made in the block of two files is worth nothing, and neither is what was said of them.

    Args:
        video: the file.
        before: what `identify` said of it; None for what it says now.

    Raises:
        VideoChangedError: if it is another file. It takes the place of any other error in the
            block, but that there is no such file.
    """
    before = before or identify(video)
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception:
        _check(video, before)
        raise
    _check(video, before)


def _check(video: Path, before: str) -> None:
    if (now := identify(video)) != before:
        raise VideoChangedError(
            f"{video} was changed while it was read (before: {before}; now: {now}): wait until it "
            "is copied or saved, then start again."
        )
