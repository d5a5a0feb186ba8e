"""Runs the whole workflow on the corpus of damaged videos: one run, which must end well.

Of the videos of which pictures could be taken every second only, for many have the same ones; and
of those that were rejected then every third, as they all go the same way from there. Writes what
became of how many, and the most memory of a run and all its jobs.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from meter import Meter
from workplace import QUICK, Workplace

SAMPLED_EACH, REJECTED_EACH = 2, 3


def choose(corpus: Path, sampled: Path) -> Iterator[Path]:
    """The videos to measure, by the table of `sample_damaged_videos`."""
    with sampled.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    taken = [row["video"] for row in rows if row["outcome"] == "sampled"]
    rejected = [row["video"] for row in rows if row["outcome"] != "sampled"]
    kept = {*taken[::SAMPLED_EACH], *rejected[::REJECTED_EACH]}
    for row in rows:
        if row["video"] in kept:
            yield corpus / row["video"]


def main(corpus: Path, sampled: Path, folder: Path, table: Path, resources: Path) -> None:
    """Writes what became of them, as JSON."""
    place = Workplace(folder.absolute(), resources=resources.absolute())
    videos = list(choose(corpus, sampled))
    place.lay_out(videos, {**QUICK, "jobs_per_video": "one"})
    run = place.start()
    meter = Meter(run.pid)
    status = run.wait()
    _, memory_bytes = meter.read()
    with (place.results / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    content = {
        "status": status,
        "videos": len(videos),
        "rows": len(rows),
        "ended": Counter(row["code"] or row["status"] for row in rows),
        "memory_mb": round(memory_bytes / 1e6),
    }
    table.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
