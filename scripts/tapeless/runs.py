"""One run at a time in a folder, and what a run that was killed may have left behind there.

Snakemake's own lock is a file, which outlives a SIGKILL or a power cut and then bars the way until
somebody removes it. The lock here belongs to the process: it ends when that does, however it ends.
It holds for the folder in which Snakemake runs, and for those that the run writes to, since two
projects may have their results in one place.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from tapeless.slurm import cancel_orphans

log = logging.getLogger(__name__)

LOCK_FILE = Path(".snakemake/tapeless.lock")
WRITTEN_LOCK = ".tapeless.lock"
"""The lock in a folder that runs write to; like the other, it says who took it last."""

_SCRIPTS_FOLDER = Path(".snakemake/scripts")
_PATIENCE_S = 10.0
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)
"""EBADF: NFS, where somebody else's file can only be read."""


class AnotherRunError(Exception):
    """Another Snakemake is at work in the same folder."""


def take_folder(folder: Path, written: Iterable[Path] = ()) -> list[int]:
    """Makes this process the only run in `folder`, until it ends; the locks' file descriptors.

    So it is in the folders `written`, which are made if need be; one that cannot be is passed over,
    as nobody can write there. Jobs that a killed run left behind in `folder`, which would write to
    the same files, are ended; also those in the queue of a cluster, unless it is on a disk that
    keeps no locks.

    Raises:
        AnotherRunError: if another process has one of the folders, or jobs do not end.
    """
    (folder / LOCK_FILE).parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        held = [os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)]
        opened.callback(os.close, held[0])
        locks_kept = {folder: _lock(held[0], folder)}
        for place in _outermost(written):
            if (descriptor := _open_lock(place)) is not None:
                opened.callback(os.close, descriptor)
                locks_kept[place] = _lock(descriptor, place)
                held.append(descriptor)
        if without := [str(place) for place, is_kept in locks_kept.items() if not is_kept]:
            places = ", ".join(without)
            log.warning("no locks are kept in %s: do not start two runs there at once", places)
        if locks_kept[folder] and (left := cancel_orphans(folder)):
            raise AnotherRunError(
                f"jobs of an earlier run in {folder} were cancelled, but do not end: "
                f"wait until squeue does not list them any more ({', '.join(left)})"
            )
        opened.pop_all()
    end_orphans(folder)
    return held


def _outermost(folders: Iterable[Path]) -> Iterator[Path]:
    """Those that lie in none of the others, each once."""
    real: dict[Path, Path] = {}
    for folder in folders:
        real.setdefault(Path(os.path.realpath(folder)), folder)
    return (folder for path, folder in real.items() if real.keys().isdisjoint(path.parents))


def _open_lock(folder: Path) -> int | None:
    """The lock in a folder that is written to; None where none can be made."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    for how in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # it may be somebody else's file
        with suppress(OSError):
            return os.open(folder / WRITTEN_LOCK, how, 0o666)
    return None


def _lock(descriptor: int, folder: Path) -> bool:
    """Takes a lock, and notes in it who has it; False where the disk keeps none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # SMB says the latter
        raise AnotherRunError(
            f"another run is at work in {folder}{_holder(descriptor)}: wait for it to end"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    with suppress(OSError):  # a full disk: it is only a note
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
    return True


def _holder(descriptor: int) -> str:
    """Who noted that they have the lock, in brackets, as far as that can be read."""
    with suppress(OSError):
        if noted := os.pread(descriptor, 200, 0).decode(errors="replace"):
            return f" ({noted})"
    return ""


def end_orphans(folder: Path) -> int:
    """Ends the jobs' processes of runs in `folder` that are no more; how many there were."""
    orphans = find_orphans(folder)
    for process in orphans:
        log.warning("ending process %d, left behind by a run that was killed", process.pid)
        with suppress(psutil.NoSuchProcess):  # it may have ended by itself since
            process.kill()
    psutil.wait_procs(orphans, timeout=_PATIENCE_S)
    return len(orphans)


def find_orphans(folder: Path) -> list[psutil.Process]:
    """Processes that run one of Snakemake's job scripts of `folder`, but not for this process."""
    scripts = str((folder / _SCRIPTS_FOLDER).resolve()) + os.sep
    own = {process.pid for process in psutil.Process().children(recursive=True)}
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.pid not in own
        and any(word.startswith(scripts) for word in process.info["cmdline"] or ())
    ]
