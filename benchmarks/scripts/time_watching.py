"""Says what it costs to follow a run: plays one, of as many videos as are given, to the watcher.

    python benchmarks/scripts/time_watching.py 10000

Figures are processor time, which a busy machine does not change.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tapeless.watching.costs import cost_rows, read_costs
from tapeless.watching.progress import Plan, PlannedJob
from tapeless.watching.watcher import Watcher

STAGES = 11
WRITTEN = 50
BENCHMARK = "s\tmax_rss\tcpu_time\n12.3\t456.7\t23.4\n"


def make_plan(videos: int, results: Path) -> Plan:
    """A run of so many videos, each with a job a stage."""
    names = [f"video_{number:06d}" for number in range(videos)]
    jobs = [PlannedJob(f"stage_{stage}", (name,)) for name in names for stage in range(STAGES)]
    return Plan(dict(enumerate(jobs)), names, results)


def cost_s(work: Callable[[], object]) -> float:
    """Seconds of the processor that something took."""
    start_s = time.process_time()
    work()
    return time.process_time() - start_s


def play(watcher: Watcher, jobs: int) -> None:
    """Every job begins and ends."""
    for job in range(jobs):
        watcher.start(job)
        watcher.finish(job)


def write_often(watcher: Watcher) -> None:
    """Writes the files, whether it is time or not."""
    for _ in range(WRITTEN):
        watcher.write()


def leave_benchmarks(folder: Path, videos: int) -> None:
    """The files that the jobs of a run leave."""
    for stage in range(STAGES):
        (folder / f"stage_{stage}").mkdir(parents=True)
        for number in range(videos):
            path = folder / f"stage_{stage}" / f"video_{number:06d}.tsv"
            path.write_text(BENCHMARK, encoding="utf-8")


def main(videos: int) -> None:
    """Prints a figure a line."""
    with TemporaryDirectory() as folder:
        plan = make_plan(videos, Path(folder))
        watchers: list[Watcher] = []
        begin_s = cost_s(lambda: watchers.append(Watcher(plan)))
        (watcher,) = watchers
        play_s = cost_s(lambda: play(watcher, len(plan.jobs)))
        write_s = cost_s(lambda: write_often(watcher))
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        leave_benchmarks(Path(folder, "benchmarks"), videos)
        collect_s = cost_s(lambda: cost_rows(read_costs(Path(folder, "benchmarks"))))
    for what, figure, unit in (
        (f"the plan of {len(plan.jobs)} jobs", begin_s, "s"),
        ("begin and end of a job", play_s / len(plan.jobs) * 1e6, "µs"),
        ("writing progress.json", write_s / WRITTEN * 1e3, "ms"),
        ("memory, with Python's own", memory_mb, "MB"),
        ("adding up all benchmark files", collect_s, "s"),
    ):
        sys.stdout.write(f"{what}: {figure:.2f} {unit}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
