"""Where a stage of a video finds what a container of another video's job has done for it.

A shelf is a folder beside the stage's directory, `.pose_aside` beside `pose`. A result is put there
whole or not at all, under a digest of all that it rests on, and is taken from there once. Who works
for a video claims its shelf by a lock, which the kernel gives back when that process ends.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tapeless.seals import SEAL_FILE, find_damage, seal

log = logging.getLogger(__name__)

_LOCK = "lock"
_ALONE = "alone"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class NoLocksError(OSError):
    """The disk keeps no locks, as some network drives do not."""


@dataclass(frozen=True)
class Shelf:
    """What is put aside for one stage of one video; `folder` exists only while it is needed."""

    folder: Path

    @classmethod
    def of(cls, stage: Path) -> Shelf:
        """The shelf of a stage's directory."""
        return cls(stage.with_name(f".{stage.name}_aside"))

    def has(self, digest: str) -> bool:
        """Whether something lies here under a digest, damaged or not."""
        return (self.folder / digest).exists()

    def put(self, digest: str, result: Path) -> None:
        """Moves a folder here; who had put one under this digest was first, and it stays.

        Raises:
            OSError: if it cannot be moved.
        """
        seal(result)
        self.folder.mkdir(exist_ok=True)
        try:
            result.rename(self.folder / digest)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    def take(self, digest: str, target: Path) -> bool:
        """Moves what lies here under a digest to `target`; False if there is nothing whole."""
        found = self.folder / digest
        if not (found / SEAL_FILE).exists():
            return False
        if damaged := find_damage(found):
            log.warning("what was put aside is damaged, and not used: %s", ", ".join(damaged[:3]))
            return False
        found.rename(target)
        return True

    def clear(self) -> None:
        """Removes the shelf with all that is on it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def distrust(self, run: str) -> None:
        """Says that the video shall have a container of its own for the rest of a run.

        If that cannot be written down, the fault that led here is what has to be told.
        """
        try:
            self.folder.mkdir(exist_ok=True)
            (self.folder / _ALONE).write_text(run, encoding="utf-8")
        except OSError as error:
            log.warning("a container may be lost again for want of a note: %s", error)

    def is_distrusted(self, run: str) -> bool:
        """Whether that was said in this run."""
        try:
            return (self.folder / _ALONE).read_bytes() == run.encode("utf-8")
        except FileNotFoundError:
            return False

    @contextmanager
    def claim(self) -> Iterator[bool]:
        """Keeps others from working for the video while the block runs; whether nobody else does.

        Raises:
            NoLocksError: if the disk keeps no locks.
            OSError: if the folder of the shelf cannot be used.
        """
        descriptor = self._open_lock()
        try:
            if not _lock(descriptor):
                yield False
                return
            try:
                yield True
            finally:
                self._tidy_up()
        finally:
            os.close(descriptor)

    def _open_lock(self) -> int:
        while True:
            self.folder.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # somebody has just tidied up
                return os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)

    def _tidy_up(self) -> None:
        """Removes a shelf on which nothing lies."""
        with suppress(OSError):
            if [path.name for path in self.folder.iterdir()] == [_LOCK]:
                (self.folder / _LOCK).unlink()
                self.folder.rmdir()


def _lock(descriptor: int) -> bool:
    """Locks an open file; False if another has it, or has removed it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NoLocksError(error.errno, error.strerror) from error
        raise
    return os.fstat(descriptor).st_nlink > 0
