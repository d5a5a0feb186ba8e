"""Writes the measured tables of docs/scaling.md, each between two marks, and leaves the rest."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from page import markdown

from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

Content = Mapping[str, Any]


def replace_table(page: str, name: str, table: pd.DataFrame) -> str:
    """The page with another table between the marks of that name.

    Raises:
        ValueError: if the page has no such marks.
    """
    begin, end = f"<!-- {name}: by make bench-scaling -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"docs/scaling.md has no marks {begin} and {end}")
    return pattern.sub(lambda _: f"{begin}\n{markdown(table)}\n{end}", page)


def tell_plans(plans: Mapping[tuple[str, int], Content]) -> pd.DataFrame:
    """A row for each number of videos and way, for each of the three plans."""
    return pd.DataFrame(
        {
            "jobs_per_video": way,
            "videos": f"{number:,}",
            "project": project,
            "jobs to run": f"{cost['jobs']:,}",
            "time": f"{cost['wall_s']:.0f} s",
            "processor": f"{cost['cpu_s']:.0f} s",
            "memory": f"{cost['memory_mb']:.0f} MB",
        }
        for (way, number), content in plans.items()
        for project, cost in content.items()
    )


def tell_collecting(cost: Content) -> pd.DataFrame:
    """One row."""
    return pd.DataFrame(
        {
            "videos": [f"{cost['videos']:,}"],
            "time": [f"{cost['wall_s']:.1f} s"],
            "processor": [f"{cost['cpu_s']:.1f} s"],
            "memory": [f"{cost['memory_mb']:.0f} MB"],
        }
    )


def tell_runs(times: Content) -> pd.DataFrame:
    """A row for each number of cores, the first of which is one.

    Beside what decoding, pose and fit take alone.
    """
    alone_s = sum(times["alone_s"].values())
    one_core_s = times["runs"][0]["wall_s"]
    return pd.DataFrame(
        {
            "cores": str(run["cores"]),
            "time": f"{run['wall_s']:.0f} s",
            "processor": f"{run['cpu_s']:.0f} s",
            "of decoding, pose and fit alone": f"{run['wall_s'] / alone_s:.2f}",
            "times as fast as one core": f"{one_core_s / run['wall_s']:.2f}",
        }
        for run in times["runs"]
    )


def tell_shared(times: Content) -> pd.DataFrame:
    """A row for each number of videos that share a container."""
    return pd.DataFrame(
        {
            "videos a container": str(run["shared_by"]),
            "starts": str(run["starts"]),
            "time with the card": f"{run['card_s']:.0f} s",
            "time": f"{run['wall_s']:.0f} s",
        }
        for run in times["runs"]
    )


def main(
    page: Path,
    plans: Sequence[Path],
    keys: Sequence[tuple[str, int]],
    collecting: Path,
    times: Path,
    shared: Path,
) -> None:
    """Writes the page; `keys` say which way and number of videos each of `plans` is of."""
    costs = {key: json.loads(path.read_text()) for key, path in zip(keys, plans, strict=True)}
    text = page.read_text(encoding="utf-8")
    text = replace_table(text, "planning", tell_plans(costs))
    text = replace_table(text, "collecting", tell_collecting(json.loads(collecting.read_text())))
    text = replace_table(text, "short videos", tell_runs(json.loads(times.read_text())))
    text = replace_table(text, "shared containers", tell_shared(json.loads(shared.read_text())))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.page),
            [Path(plan) for plan in snakemake.input.plans],
            snakemake.params.plans,
            Path(snakemake.input.collecting),
            Path(snakemake.input.times),
            Path(snakemake.input.shared),
        )
