"""Measures what it costs to collect the tables of thousands of videos.

The results are those of one real video, under many ids; four videos a subject. Writes one JSON
file: seconds by the clock and of the processor, and the memory in MB that its processes take
together, of which what they share counts once.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tapeless.logs import job_log
from tapeless.seals import seal_file

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

LOOK_EVERY_S = 0.1
COLLECT = """
import sys
from pathlib import Path
import collect_reports
videos, out = sorted(Path(sys.argv[1]).iterdir()), Path(sys.argv[2])
tables = ("summary", "measurements", "subjects", "repeatability")
collect_reports.main(
    [video / "statistics.csv" for video in videos],
    [video / "outcome.json" for video in videos],
    **{table: out / f"{table}.csv" for table in tables},
)
"""


def copy_results(video: Path, folder: Path, number: int) -> None:
    """The statistics and the verdict of a video, under so many ids."""
    verdict = json.loads((video / "outcome.json").read_text(encoding="utf-8"))
    for each in range(number):
        own = folder / f"video_{each:07d}"
        own.mkdir(parents=True)
        named = verdict | {"video": own.name, "subject": f"subject_{each // 4}"}
        (own / "outcome.json").write_text(json.dumps(named), encoding="utf-8")
        shutil.copyfile(video / "statistics.csv", own / "statistics.csv")
        for name in ("outcome.json", "statistics.csv"):
            seal_file(own / name)


def watch_memory(run: subprocess.Popen[bytes]) -> Iterator[int]:
    """What a process and those that it starts take, in bytes, again and again until it ends."""
    process = psutil.Process(run.pid)
    while run.poll() is None:
        with suppress(psutil.Error):  # it has just ended
            together = [process, *process.children()]
            yield sum(each.memory_full_info().pss for each in together)
        time.sleep(LOOK_EVERY_S)


def main(video: Path, costs: Path, folder: Path, number: int) -> None:
    """Writes `costs`."""
    shutil.rmtree(folder, ignore_errors=True)
    copy_results(video, folder / "videos", number)
    (folder / "tables").mkdir()
    before, begin_s = os.times(), time.perf_counter()
    run = subprocess.Popen([sys.executable, "-c", COLLECT, "videos", "tables"], cwd=folder)
    memory_bytes = max(watch_memory(run), default=0)
    wall_s, after = time.perf_counter() - begin_s, os.times()
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, run.args)
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    content = {
        "videos": number,
        "wall_s": round(wall_s, 1),
        "cpu_s": round(cpu_s, 1),
        "memory_mb": round(memory_bytes / 1e6),
    }
    costs.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.results) / "videos" / snakemake.params.video,
            Path(snakemake.output[0]),
            Path(snakemake.params.folder),
            snakemake.params.number,
        )
