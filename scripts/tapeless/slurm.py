"""Jobs in the queue of a cluster that belong to a run which is no more."""

from __future__ import annotations

import getpass
import logging
import shutil
import subprocess
import time
from pathlib import Path

log = logging.getLogger(__name__)

_PATIENCE_S = 60.0
_PAUSE_S = 1.0
_BELONGS_TO_NO_CLUSTER = "Could not establish a configuration source"
"""What Slurm's commands say on a machine where they are installed, and nothing else of it."""


def cancel_orphans(folder: Path) -> list[str]:
    """Cancels the jobs that runs in `folder` left in Slurm's queue; those that do not end.

    Left alone, they would write the same files as the next run. Whose jobs they are cannot be seen
    here: only who has the folder for itself may call this. Where there is no Slurm, or it does not
    answer, nothing is done.
    """
    orphans = find_orphans(folder)
    if not orphans:
        return []
    log.warning("cancelling jobs that a killed run left in Slurm's queue: %s", ", ".join(orphans))
    subprocess.run(["scancel", *orphans], check=False)
    deadline_s = time.monotonic() + _PATIENCE_S
    while (left := find_orphans(folder)) and time.monotonic() < deadline_s:
        time.sleep(_PAUSE_S)
    return left


def find_orphans(folder: Path) -> list[str]:
    """The numbers of this user's jobs in Slurm's queue that Snakemake submitted from `folder`."""
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--noheader", f"--user={getpass.getuser()}", "--format=%i\t%k\t%Z"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        level = logging.DEBUG if _BELONGS_TO_NO_CLUSTER in run.stderr else logging.WARNING
        log.log(level, "Slurm's queue cannot be looked at: %s", run.stderr.strip())
        return []
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    return [
        number
        for number, comment, workplace in rows
        if comment.startswith("rule_") and Path(workplace).resolve() == folder.resolve()
    ]
