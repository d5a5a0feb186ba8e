"""Kills runs of the workflow at random moments, until they have had enough, and lets one end.

What is killed, and when, follows from a seed; a busy machine gets less far in the same time, of
course.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from workplace import Workplace, differences

log = logging.getLogger(__name__)

TARGETS = ("Snakemake", "Snakemake and all its jobs", "a job", "ffmpeg")

_LOOK_EVERY_S = 0.005


@dataclass(frozen=True)
class Kill:
    """One kill: of what, how long after the start of the run, and which jobs were at work."""

    target: str
    after_s: float
    at_work: str


@dataclass(frozen=True)
class Verdict:
    """What a project ended with: the kills, the runs it took, and the files that are not as they
    would have been; `plan` is what a run would still do, which must be nothing."""

    kills: list[Kill]
    runs: int
    differing: list[str]
    left_over: int


def kill_and_finish(
    place: Workplace, undisturbed: Workplace, kills: int, seed: int, longest_wait_s: float = 25.0
) -> Verdict:
    """Kills something of the runs in `place` so often, then lets it end.

    When all is done before that, the results are removed, and it starts over.

    Args:
        place: laid out.
        undisturbed: a finished run on the same.
        kills: how many.
        seed: of what is killed, and when.
        longest_wait_s: between the start of a run, or the kill before, and a kill.

    Raises:
        AssertionError: if the last run, which nobody disturbs, fails.
    """
    random = np.random.default_rng(seed)
    done: list[Kill] = []
    runs = 0
    while len(done) < kills:
        run, begin, runs = place.start(), time.monotonic(), runs + 1
        while len(done) < kills and run.poll() is None:
            target = TARGETS[int(random.integers(len(TARGETS)))]
            wait_s = float(random.uniform(0, longest_wait_s))
            at_work = _kill(place, run, target, wait_s)
            if at_work is not None:
                done.append(Kill(target, round(time.monotonic() - begin, 2), at_work))
                log.info("kill %d, in run %d: %s", len(done), runs, done[-1])
        _end_run(run, is_last=len(done) == kills)
        if run.returncode == 0:
            subprocess.run(["rm", "-rf", place.results, place.folder / ".snakemake"], check=True)
    status = place.run()
    assert status == 0, place.said()[-4000:]
    differing = differences(place.reports(), undisturbed.reports())
    return Verdict(done, runs + 1, differing, len(place.workers()))


def _kill(place: Workplace, run: subprocess.Popen[bytes], target: str, wait_s: float) -> str | None:
    """Waits, and kills as soon as what is meant is there; what was at work, None if the run ended
    before."""
    begin = time.monotonic()
    while run.poll() is None:
        time.sleep(_LOOK_EVERY_S)
        if time.monotonic() - begin < wait_s:
            continue
        at_work = _describe(place)
        if target.startswith("Snakemake"):
            with suppress(ProcessLookupError):
                (os.kill if target == "Snakemake" else os.killpg)(run.pid, signal.SIGKILL)
            run.wait()
            return at_work
        if victims := _find(place, target):
            with suppress(psutil.NoSuchProcess):
                victims[0].kill()
                return at_work
    return None


def _find(place: Workplace, target: str) -> list[psutil.Process]:
    workers = place.workers()
    if target == "a job":
        return workers
    found = []
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            found += [c for c in worker.children(recursive=True) if c.name().startswith("ff")]
    return found


def _describe(place: Workplace) -> str:
    """The scripts that are at work."""
    names = set()
    for worker in place.workers():
        with suppress(psutil.NoSuchProcess):
            script = next(word for word in worker.cmdline() if ".snakemake/scripts" in word)
            names.add(Path(script).name.partition(".")[2].removesuffix(".py"))
    return ", ".join(sorted(names)) or "none"


def _end_run(run: subprocess.Popen[bytes], *, is_last: bool) -> None:
    """Waits for the end of a run that is not killed; the last one is not waited for."""
    if is_last and run.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    run.wait()
