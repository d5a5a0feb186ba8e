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
from collections.abc import Callable, Sequence
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

_LOOK_EVERY_S = 0.03
_LONGEST_SEARCH_S = 10.0


@dataclass(frozen=True)
class Target:
    """What may be killed: `strike` kills one of a run, and says whether there was one to kill."""

    name: str
    strike: Callable[[Workplace, subprocess.Popen[bytes]], bool]


@dataclass(frozen=True)
class Kill:
    """One kill: of what, how long after the start of the run, and which jobs were at work."""

    target: str
    after_s: float
    at_work: str


@dataclass(frozen=True)
class Verdict:
    """What a project ended with: the kills, the runs it took, the files that are not as they would
    have been, and how many processes (and containers) of jobs are left over."""

    kills: list[Kill]
    runs: int
    differing: list[str]
    left_over: int


def strike_snakemake(place: Workplace, run: subprocess.Popen[bytes]) -> bool:
    """Kills the main process alone; its jobs go on."""
    run.kill()
    run.wait()
    return True


def strike_all(place: Workplace, run: subprocess.Popen[bytes]) -> bool:
    """Kills the main process and all its jobs, as a power cut does."""
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return True


def strike_job(place: Workplace, run: subprocess.Popen[bytes]) -> bool:
    """Kills a process that runs the script of a job."""
    return _strike_first(place.workers())


def strike_ffmpeg(place: Workplace, run: subprocess.Popen[bytes]) -> bool:
    """Kills ffmpeg or ffprobe below a job."""
    found = []
    for worker in place.workers():
        with suppress(psutil.NoSuchProcess):
            found += [c for c in worker.children(recursive=True) if c.name().startswith("ff")]
    return _strike_first(found)


def _strike_first(processes: Sequence[psutil.Process]) -> bool:
    for process in processes[:1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
            return True
    return False


SNAKEMAKE = Target("Snakemake", strike_snakemake)
ALL = Target("Snakemake and all its jobs", strike_all)
JOB = Target("a job", strike_job)
FFMPEG = Target("ffmpeg", strike_ffmpeg)


def kill_and_finish(
    place: Workplace,
    undisturbed: Workplace,
    targets: Sequence[Target],
    kills: int,
    seed: int,
    longest_wait_s: float,
    wanted: Sequence[str] = (),
) -> Verdict:
    """Kills something of the runs in `place` so often, then lets it end.

    When all is done before that, the results are removed, and it starts over.

    Args:
        place: laid out.
        undisturbed: a finished run on the same.
        targets: what may be killed, each as often as the others.
        kills: how many.
        seed: of what is killed, and when.
        longest_wait_s: between the first job of a run, or the kill before, and a kill.
        wanted: what the runs are to make; all, if nothing is named.

    Raises:
        AssertionError: if the last run, which nobody disturbs, fails.
    """
    random = np.random.default_rng(seed)
    done: list[Kill] = []
    runs = 0
    while len(done) < kills:
        run, begin, runs = place.start(*wanted), time.monotonic(), runs + 1
        while len(done) < kills and run.poll() is None:
            target = targets[int(random.integers(len(targets)))]
            wait_s = float(random.uniform(0, longest_wait_s))
            if random.random() > STARTING:
                _wait_for_jobs(place, run)
            if (killed := _kill(place, run, target, wait_s, begin)) is not None:
                done.append(killed)
                log.info("kill %d, in run %d: %s", len(done), runs, killed)
        _end_run(run, is_last=len(done) == kills)
        if run.returncode == 0:
            subprocess.run(["rm", "-rf", place.results, place.folder / ".snakemake"], check=True)
    status = place.run(*wanted)
    assert status == 0, place.said()[-4000:]
    differing = differences(place.reports(), undisturbed.reports())
    return Verdict(done, runs + 1, differing, place.left_over())


def _kill(
    place: Workplace, run: subprocess.Popen[bytes], target: Target, wait_s: float, begin: float
) -> Kill | None:
    """Waits, and kills as soon as what is meant is there, or Snakemake if it does not come.

    Returns:
        None if the run, which began at `begin`, ended before.
    """
    with suppress(subprocess.TimeoutExpired):
        run.wait(wait_s)
    search_ends_s = time.monotonic() + _LONGEST_SEARCH_S
    while run.poll() is None:
        if time.monotonic() > search_ends_s:
            target = SNAKEMAKE
        after_s, at_work = round(time.monotonic() - begin, 2), _describe(place)
        if target.strike(place, run):
            return Kill(target.name, after_s, at_work)
        time.sleep(_LOOK_EVERY_S)
    return None


def _wait_for_jobs(place: Workplace, run: subprocess.Popen[bytes]) -> None:
    """Waits until the first job is at work."""
    while run.poll() is None and not place.workers():
        time.sleep(10 * _LOOK_EVERY_S)


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
    targets = (SNAKEMAKE, ALL, JOB, FFMPEG)
    verdict = kill_and_finish(places[1], places[0], targets, KILLS, SEED, longest_wait_s=25.0)
    table.write_text(json.dumps(asdict(verdict), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(*map(Path, sys.argv[1:]))
