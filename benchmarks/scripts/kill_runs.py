"""Kills runs of the workflow at random moments, until they have had enough, and lets one end.

What is killed, and when, follows from a seed; a busy machine gets less far in the same time, of
course.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
from workplace import Workplace, differences

log = logging.getLogger(__name__)

KILLS = 40
SEED = 15
STARTING = 0.2
"""The share of kills that need not wait until the first job is at work."""

TARGETS = ("Snakemake", "Snakemake and all its jobs", "a job", "ffmpeg")

_LOOK_EVERY_S = 0.03
_LONGEST_SEARCH_S = 10.0


@dataclass(frozen=True)
class Kill:
    """One kill: of what, how long after the start of the run, and which jobs were at work."""

    target: str
    after_s: float
    at_work: str


@dataclass(frozen=True)
class Verdict:
    """What a project ended with: the kills, the runs it took, the files that are not as they would
    have been, and how many processes of jobs are left over."""

    kills: list[Kill]
    runs: int
    differing: list[str]
    left_over: int


def kill_and_finish(
    place: Workplace,
    undisturbed: Workplace,
    kills: int,
    seed: int,
    longest_wait_s: float = 25.0,
    targets: Sequence[str] = (),
) -> Verdict:
    """Kills something of the runs in `place` so often, then lets it end.

    When all is done before that, the results are removed, and it starts over.

    Args:
        place: laid out.
        undisturbed: a finished run on the same.
        kills: how many.
        seed: of what is killed, and when.
        longest_wait_s: between the first job of a run, or the kill before, and a kill.
        targets: what the runs are to make; all, if none is named.

    Raises:
        AssertionError: if the last run, which nobody disturbs, fails.
    """
    random = np.random.default_rng(seed)
    done: list[Kill] = []
    runs = 0
    while len(done) < kills:
        run, begin, runs = place.start(*targets), time.monotonic(), runs + 1
        while len(done) < kills and run.poll() is None:
            target = TARGETS[int(random.integers(len(TARGETS)))]
            wait_s = float(random.uniform(0, longest_wait_s))
            if random.random() > STARTING:
                _wait_for_jobs(place, run)
            if (killed := _kill(place, run, target, wait_s)) is not None:
                done.append(Kill(killed[0], round(time.monotonic() - begin, 2), killed[1]))
                log.info("kill %d, in run %d: %s", len(done), runs, done[-1])
        _end_run(run, is_last=len(done) == kills)
        if run.returncode == 0:
            subprocess.run(["rm", "-rf", place.results, place.folder / ".snakemake"], check=True)
    status = place.run(*targets)
    assert status == 0, place.said()[-4000:]
    differing = differences(place.reports(), undisturbed.reports())
    return Verdict(done, runs + 1, differing, len(place.workers()))


def _kill(
    place: Workplace, run: subprocess.Popen[bytes], target: str, wait_s: float
) -> tuple[str, str] | None:
    """Waits, and kills as soon as what is meant is there, or Snakemake if it does not come.

    Returns:
        What was killed and which scripts were at work; None if the run ended before.
    """
    with suppress(subprocess.TimeoutExpired):
        run.wait(wait_s)
    begin = time.monotonic()
    while run.poll() is None:
        time.sleep(_LOOK_EVERY_S)
        if time.monotonic() > begin + _LONGEST_SEARCH_S:
            target = TARGETS[0]
        at_work = _describe(place)
        if target.startswith("Snakemake"):
            with suppress(ProcessLookupError):
                (os.kill if target == "Snakemake" else os.killpg)(run.pid, signal.SIGKILL)
            run.wait()
            return target, at_work
        if victims := _find(place, target):
            with suppress(psutil.NoSuchProcess):
                victims[0].kill()
                return target, at_work
    return None


def _wait_for_jobs(place: Workplace, run: subprocess.Popen[bytes]) -> None:
    """Waits until the first job is at work."""
    while run.poll() is None and not place.workers():
        time.sleep(10 * _LOOK_EVERY_S)


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
    names: set[str] = set()
    for worker in place.workers():
        with suppress(psutil.NoSuchProcess):
            scripts = [word for word in worker.cmdline() if ".snakemake/scripts" in word]
            # One that is ending has no command line any more.
            names.update(Path(word).name.partition(".")[2].removesuffix(".py") for word in scripts)
    return ", ".join(sorted(names)) or "none"


def _end_run(run: subprocess.Popen[bytes], *, is_last: bool) -> None:
    """Waits for the end of a run that is not killed; the last one is not waited for."""
    if is_last and run.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def main(clip: Path, folder: Path, table: Path, resources: Path) -> None:
    """Kills runs on two videos below `folder`, `KILLS` times; writes what became of it, as JSON."""
    text = folder / "text.mp4"
    folder.mkdir(parents=True, exist_ok=True)
    text.write_text("no video", encoding="utf-8")
    places = [
        Workplace(folder.absolute() / name, resources=resources.absolute())
        for name in ("undisturbed", "killed")
    ]
    for place in places:
        place.lay_out([clip, text])
    assert places[0].run() == 0, places[0].said()[-4000:]
    verdict = kill_and_finish(places[1], places[0], KILLS, SEED)
    table.write_text(json.dumps(asdict(verdict), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(*map(Path, sys.argv[1:]))
