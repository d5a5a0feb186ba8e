"""Writes docs/accuracy.md and docs/benchmarks.md from the numbers of the benchmark."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from score_accuracy import AVERAGE, AVERAGE_OF_SEX, GIVEN, NOT_GIVEN, TAPELESS

from tapeless import __version__
from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.population import BMI_RANGE, STATURE_RANGE_M

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

COMMANDS = """```
snakemake --snakefile benchmarks/cohort.smk --cores 2
snakemake --snakefile benchmarks/Snakefile --cores 2
```
(both are `make bench`)"""

Format = Callable[[Any], str]


def markdown(table: pd.DataFrame, columns: Mapping[str, tuple[str, Format]]) -> str:
    """A Markdown table: for each column its heading and how its values are written."""
    lines = [[heading for heading, _ in columns.values()], ["---"] * len(columns)]
    lines += [
        [write(row[name]) for name, (_, write) in columns.items()] for _, row in table.iterrows()
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def signed(digits: int) -> Format:
    """Numbers with their sign."""
    return lambda number: f"{number:+.{digits}f}"


def plain(digits: int) -> Format:
    """Numbers without a sign, an en dash where there is none."""
    return lambda number: "–" if pd.isna(number) else f"{number:.{digits}f}"


def machine() -> str:
    """Processor, cores and memory of this machine, in words."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {models[0] if models else 'unknown'}, {memory_gb:.0f} GB of memory"


def accuracy_table(scores: pd.DataFrame, setting: str) -> str:
    """One setting: what tapeless and the averages get wrong, a row per measurement."""
    rows = []
    units = {record.name: record.unit for record in load_table().measurements}
    chosen = scores[scores["setting"] == setting].set_index(["method", "measurement"])
    for name, unit in units.items():
        own = chosen.loc[(TAPELESS, name)]
        rows.append(
            {
                "measurement": name,
                "bias": f"{1000 * own['bias']:+.0f} mm"
                if unit.si == "m"
                else f"{own['bias']:+.1f} kg",
                "mae": f"{1000 * own['mae']:.0f} mm" if unit.si == "m" else f"{own['mae']:.1f} kg",
                "bias_percent": own["bias_percent"],
                "mae_percent": own["mae_percent"],
                "largest_percent": own["largest_percent"],
                "within": 100 * own["within"],
                "average": chosen.loc[(AVERAGE, name), "mae_percent"],
                "average_of_sex": chosen.loc[(AVERAGE_OF_SEX, name), "mae_percent"],
            }
        )
    return markdown(
        pd.DataFrame(rows),
        {
            "measurement": ("", str),
            "bias": ("bias", str),
            "mae": ("mean error", str),
            "bias_percent": ("bias, %", signed(1)),
            "mae_percent": ("mean error, %", lambda number: f"**{number:.1f}**"),
            "largest_percent": ("largest, %", plain(1)),
            "within": ("true value in the interval, %", plain(0)),
            "average": ("average adult, %", plain(1)),
            "average_of_sex": ("average woman or man, %", plain(1)),
        },
    )


def people_table(errors: pd.DataFrame) -> str:
    """Everybody with the height given: true values, and errors in percent."""
    own = errors[(errors["method"] == TAPELESS) & (errors["setting"] == GIVEN)].copy()
    own["percent"] = 100 * (own["measured"] / own["true"] - 1)
    names = [record.name for record in load_table().measurements]
    true = own.pivot(index="adult", columns="measurement", values="true")[names]
    percent = own.pivot(index="adult", columns="measurement", values="percent")[names]
    table = true.join(percent, rsuffix="_percent").reset_index()
    columns: dict[str, tuple[str, Format]] = {"adult": ("", str)}
    for record in load_table().measurements:
        heading = f"{record.name}, {record.unit.report}"
        factor = record.unit.factor
        columns[record.name] = (heading, lambda number, factor=factor: f"{factor * number:.1f}")
        columns[f"{record.name}_percent"] = (
            "error, %",
            lambda number: "–" if pd.isna(number) else f"{number:+.1f}",
        )
    return markdown(table, columns)


def accuracy_page(
    scores: pd.DataFrame, errors: pd.DataFrame, people: Mapping[str, Any], average_of: int
) -> str:
    """The whole of docs/accuracy.md."""
    measured = errors[(errors["method"] == TAPELESS) & errors["measured"].notna()]
    videos = len(measured[["adult", "setting"]].drop_duplicates())
    low, high = (100 * metres for metres in STATURE_RANGE_M)
    return f"""# Accuracy

*Written by the benchmark (tapeless {__version__}); do not edit.*

{people["adults"]} adults, half of them women, drawn from the Anny body model to match a population's
statures ({low:.0f} to {high:.0f} cm) and builds (BMI {BMI_RANGE[0]:.0f} to {BMI_RANGE[1]:.0f}), dressed in
colour and rendered to video, each turning once, with a camera, clothes, posture and room of their
own. No constant of tapeless was tuned on them. Their bodies also vary in ways that the bodies
behind the fit do not (left differs from right, posture, belly, breasts, feet). Measured: {videos} of
{2 * people["adults"]} videos.

**What this shows and what not.** The truth is exact, and the fit's errors are real; but the people are
rendered, their clothes are painted on, and they are bodies of the same model that is fitted. On real
people in loose clothes expect larger errors.

Errors are measured less true. *Mean error* is the mean of their absolute values. The last two columns
are the mean errors of somebody who does not look at the video: an average body (the mean of
{average_of} adults of the prior's population, or of its women or men for those who are told the sex, as
tapeless is not), scaled to the person's height where it is given, girths with the scale and mass with
its cube.

## {GIVEN.capitalize()}

{accuracy_table(scores, GIVEN)}

## {NOT_GIVEN.capitalize()}

{accuracy_table(scores, NOT_GIVEN)}

## Each person, {GIVEN}

{people_table(errors)}

## How to get these numbers

{COMMANDS}
"""


def benchmarks_page(
    cost: pd.DataFrame,
    times: Mapping[str, Any],
    speed: Mapping[str, Any],
    people: Mapping[str, Any],
) -> str:
    """The whole of docs/benchmarks.md."""
    essential = sum(times["essential_seconds"].values())
    stages = markdown(
        cost,
        {
            "stage": ("stage", str),
            "seconds": ("seconds, mean", plain(1)),
            "largest_seconds": ("seconds, largest", plain(1)),
            "cpu_seconds": ("processor seconds, mean", plain(1)),
            "largest_memory_mb": ("memory, largest, MB", plain(0)),
        },
    )
    one = markdown(
        pd.DataFrame(
            [
                *times["essential_seconds"].items(),
                ("all four", essential),
                ("the whole run", times["wall_seconds"]),
            ],
            columns=["what", "seconds"],
        ),
        {"what": ("", str), "seconds": ("seconds", plain(1))},
    )
    per_video = cost.loc[cost["videos"] > 1, "seconds"].sum()
    return f"""# Time and memory

*Written by the benchmark (tapeless {__version__}); do not edit.*

Machine: {machine()}. No graphics card.

## One video, from the command to the reports

{speed["seconds"]} s of {speed["width_px"]} x {speed["height_px"]} px at {speed["frames_per_second"]} frames a second
(H.264), on {times["cores"]} cores: **{times["wall_seconds"]:.0f} s**, contact sheet and Snakemake's own start
included; largest memory of a job **{times["largest_memory_mb"]:.0f} MB**. Decoding and the models' inference
alone, in a process that has loaded its libraries:

{one}

The share outside of them (starting processes, loading libraries and models, choosing frames, blurring
faces, measuring, drawing, Snakemake) is **{100 * (1 - essential / times["wall_seconds"]):.0f} %**.

## Stages

{2 * people["adults"]} videos of 3 s at 720 x 1280 px, from the benchmark files that Snakemake writes for every job.
Jobs of several videos ran side by side. The sum of the stages of one video is {per_video:.0f} s.

{stages}

## How to get these numbers

{COMMANDS}
"""


def main(inputs: Mapping[str, Path], outputs: Sequence[Path], params: Mapping[str, Any]) -> None:
    """Writes the pages of accuracy and of cost, `outputs`."""
    accuracy, benchmarks = outputs
    scores, errors, cost = (pd.read_csv(inputs[name]) for name in ("scores", "errors", "cost"))
    times = json.loads(inputs["times"].read_text(encoding="utf-8"))
    page = accuracy_page(scores, errors, params["people"], params["average_of"])
    accuracy.write_text(page, encoding="utf-8")
    page = benchmarks_page(cost, times, params["speed"], params["people"])
    benchmarks.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            {name: Path(path) for name, path in snakemake.input.items()},
            [Path(path) for path in snakemake.output],
            dict(snakemake.params.items()),
        )
