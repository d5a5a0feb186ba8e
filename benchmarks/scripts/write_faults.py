"""Writes what was survived, and which damaged videos were tried, into docs/scaling.md.

A table that is not there yet leaves its section as it is.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from page import markdown, replace_between

DAMAGED = "damaged videos, by make bench-faults"
MEASURED = "damaged videos measured, by make bench-faults"
KILLED = "kills survived, by make bench-faults"
KILLED_CONTAINERS = "kills survived on the reference route, by make bench-faults"
HURT = "faults survived, by make bench-faults"


def describe_sampled(corpus: pd.DataFrame, sampled: pd.DataFrame) -> str:
    """How the videos of each kind ended when pictures were taken of them."""
    joined = corpus.merge(sampled, on="video", validate="one_to_one")
    rows = []
    for kind, those in joined.groupby("kind", sort=False):
        ended = those["outcome"]
        rejected = Counter(ended[~ended.isin(["sampled", "failed"])])
        rows.append(
            {
                "kind": str(kind),
                "videos": str(len(those)),
                "pictures taken": str(sum(ended == "sampled")),
                "rejected": ", ".join(f"{n} `{code}`" for code, n in rejected.items()) or "0",
                "failed": str(sum(ended == "failed")),
                "longest, CPU": f"{those['cpu_s'].max():.1f} s",
                "most memory": f"{those['memory_mb'].max():.0f} MB",
            }
        )
    return f"{len(joined)} videos.\n\n{markdown(pd.DataFrame(rows))}\n"


def describe_measured(measured: dict[str, Any]) -> str:
    """How one run on many of them ended."""
    ended = ", ".join(f"{number} `{code}`" for code, number in measured["ended"].items())
    return (
        f"One run of the whole workflow on {measured['videos']} of them ended with exit status "
        f"{measured['status']} and {measured['rows']} rows: {ended}. Snakemake and all "
        f"jobs at work together took {measured['memory_mb']} MB at most.\n"
    )


def describe_kills(killed: dict[str, Any]) -> str:
    """What was killed how often, and how it ended."""
    kills = pd.DataFrame(killed["kills"])
    rows = [
        {
            "killed with SIGKILL": str(target),
            "times": str(len(those)),
            "at work then": count_scripts(those["at_work"]),
        }
        for target, those in kills.groupby("target")
    ]
    return (
        f"{len(kills)} kills in {killed['runs']} runs. Then one run to the end: "
        f"{len(killed['differing'])} files other than those of an undisturbed run, "
        f"{killed['left_over']} processes or containers of jobs left over.\n\n"
        f"{markdown(pd.DataFrame(rows))}\n"
    )


def count_scripts(at_work: pd.Series) -> str:
    """How often each script of a job was at work."""
    counts = Counter(script for each in at_work for script in each.split(", "))
    nothing = counts.pop("none", 0)
    named = [f"`{script}` {number}" for script, number in counts.most_common()]
    return ", ".join([*named, *([f"nothing {nothing}"] if nothing else [])])


def describe_faults(hurt: list[dict[str, Any]]) -> str:
    """How each fault ended."""
    rows = [
        {
            "fault": each["fault"],
            "exit status of disturbed runs": ", ".join(map(str, each["disturbed"])),
            "of the last": str(each["last"]),
            "files that differ then": ", ".join(each["differing"]) or "none",
        }
        for each in hurt
    ]
    return f"{markdown(pd.DataFrame(rows))}\n"


def main(
    page: Path,
    corpus: Path,
    sampled: Path,
    measured: Path,
    killed: Path,
    killed_containers: Path,
    hurt: Path,
) -> None:
    """Writes the sections whose tables there are."""
    if sampled.exists():
        text = describe_sampled(pd.read_csv(corpus), pd.read_csv(sampled))
        replace_between(page, DAMAGED, text)
    for name, table, describe in (
        (MEASURED, measured, describe_measured),
        (KILLED, killed, describe_kills),
        (KILLED_CONTAINERS, killed_containers, describe_kills),
        (HURT, hurt, describe_faults),
    ):
        if table.exists():
            content = json.loads(table.read_text(encoding="utf-8"))
            replace_between(page, name, describe(content))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
