"""One run at a time in a folder, and what a run that was killed may have left behind there.

Snakemake's own lock is a file, which outlives a SIGKILL or a power cut and then bars the way until
somebody removes it. The lock here belongs to the process: it ends when that does, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

import psutil

from tapeless.slurm import cancel_orphans

log = logging.getLogger(__name__)

LOCK_FILE = Path(".snakemake/tapeless.lock")

_SCRIPTS_FOLDER = Path(".snakemake/scripts")
_PATIENCE_S = 10.0


class AnotherRunError(Exception):
    """Another Snakemake is at work in the same folder."""


def take_folder(folder: Path) -> int:
    """Makes this process the only run in `folder`, until it ends; the lock's file descriptor.

    Jobs that a killed run left behind, which would write to the same files, are ended; also those
    in the queue of a cluster, unless the folder is on a disk that keeps no locks.

    Raises:
        AnotherRunError: if another process has the folder, or its jobs do not end.
    """
    path = folder / LOCK_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AnotherRunError(f"another run is at work in {folder}: wait for it to end") from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        log.warning("%s keeps no locks: do not start two runs in it at once", folder)
    else:
        if left := cancel_orphans(folder):
            os.close(descriptor)
            raise AnotherRunError(
                f"jobs of an earlier run in {folder} were cancelled, but do not end: "
                f"wait until squeue does not list them any more ({', '.join(left)})"
            )
    end_orphans(folder)
    return descriptor


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
