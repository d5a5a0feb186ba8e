"""Takes pictures of damaged and strange videos, one by one, as the workflow does.

Writes a table with a row for each video: how it ended, its time, and the most memory that Python
and ffmpeg had together.
"""

from __future__ import annotations

import csv
import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from meter import Meter

from sample_frames import main as sample_stage
from tapeless.outcomes import Outcome
from tapeless.video import Sampling

LIMIT_S = 600
"""How long a video may take; one that takes longer has failed."""


class Trial(TypedDict):
    """What became of one video; times in s, memory in MB."""

    video: str
    outcome: str
    said: str
    pictures: int
    wall_s: float
    cpu_s: float
    memory_mb: float


def sample_video(video: Path, sampling: Sampling) -> Trial:
    """Runs the stage on a video; in a process of its own, whose memory is then that of the video.

    `outcome` is `sampled`, the code of a rejection, or `failed`, and `said` tells why.
    """
    begin = time.perf_counter()
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(LIMIT_S)
    pictures = 0
    meter = Meter()
    with TemporaryDirectory() as folder:
        frames = Path(folder, "frames")
        others = (Path(folder, name) for name in ("frames.csv", "camera.json"))
        try:
            sample_stage(video, frames, *others, sampling=sampling)
            verdict = Outcome.read(frames)
            outcome, said = verdict.code or "sampled", verdict.reason or ""
            pictures = len(list(frames.glob("frame_*.png")))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            outcome, said = "failed", f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
    cpu_s, memory_bytes = meter.read()
    return Trial(
        video=video.name,
        outcome=outcome,
        said=said,
        pictures=pictures,
        wall_s=round(time.perf_counter() - begin, 2),
        cpu_s=round(cpu_s, 2),
        memory_mb=round(memory_bytes / 1e6, 1),
    )


def sample_videos(
    videos: Sequence[Path], sampling: Sampling | None = None, processes: int = 2
) -> Iterator[Trial]:
    """Runs the stage on many videos, some at once; a process that dies ends all of it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sample_frames", "meter"])
    with ProcessPoolExecutor(processes, context, max_tasks_per_child=1) as pool:
        yield from pool.map(sample_video, videos, [sampling or Sampling()] * len(videos))


def write_table(path: Path, trials: Sequence[Trial]) -> None:
    """Writes a row for each video."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(Trial.__annotations__), lineterminator="\n")
        table.writeheader()
        table.writerows(trials)


def _give_up(*_: object) -> None:
    raise TimeoutError(f"took longer than {LIMIT_S} s")


def main(corpus: Path, table: Path) -> None:
    """Tries every video of a folder, and writes the table."""
    write_table(table, list(sample_videos(sorted(corpus.iterdir()))))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
