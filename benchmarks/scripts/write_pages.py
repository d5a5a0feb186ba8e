"""Fills the pages of accuracy and of cost with the numbers of the benchmark."""

import json
import os
from collections.abc import Callable, Mapping
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

Fields = dict[str, str]

ESSENTIALS = {
    "frames": "decoding",
    "pose": "pose (MediaPipe)",
    "silhouettes": "silhouettes (MediaPipe)",
    "bodies": "fit (Anny)",
}


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table of what is text already."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written(pattern: str, factor: float = 1.0) -> Callable[[float], str]:
    """Writes numbers by a format pattern, an en dash where there is none."""
    return lambda number: "–" if pd.isna(number) else pattern.format(factor * number)


def machine() -> str:
    """Processor, cores and memory of this machine, in words."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {models[0] if models else 'unknown'}, {memory_gb:.0f} GB of memory"


def accuracy_table(scores: pd.DataFrame, setting: str) -> str:
    """What tapeless and the averages get wrong in one setting, a row per measurement."""
    chosen = scores[scores["setting"] == setting]
    found = chosen.set_index(["method", "measurement"]).to_dict("index")
    percent, signed_percent = written("{:.1f} %"), written("{:+z.1f} %")
    rows = []
    for record in load_table().measurements:
        own = found[TAPELESS, record.name]
        unit, factor, digits = ("mm", 1000, 0) if record.unit.si == "m" else ("kg", 1, 1)
        rows.append(
            {
                "": record.name,
                "bias": written(f"{{:+z.{digits}f}} {unit}", factor)(own["bias"]),
                "bias, %": signed_percent(own["bias_percent"]),
                "error": written(f"{{:.{digits}f}} {unit}", factor)(own["mae"]),
                "error, %": f"**{percent(own['mae_percent'])}**",
                "largest": percent(own["largest_percent"]),
                "in interval": written("{:.0f} %", 100)(own["within"]),
                AVERAGE: percent(found[AVERAGE, record.name]["mae_percent"]),
                AVERAGE_OF_SEX: percent(found[AVERAGE_OF_SEX, record.name]["mae_percent"]),
            }
        )
    return markdown(pd.DataFrame(rows))


def people_table(errors: pd.DataFrame) -> str:
    """Everybody with the height given: true values, and errors in percent."""
    own = errors[(errors["method"] == TAPELESS) & (errors["setting"] == GIVEN)].copy()
    own["percent"] = 100 * (own["measured"] / own["true"] - 1)
    own = own.set_index(["measurement", "adult"])
    adults = own.index.unique("adult")
    columns = {"": adults.to_list()}
    for record in load_table().measurements:
        person = own.loc[record.name].loc[adults]
        true = written("{:.1f} " + record.unit.report, record.unit.factor)
        columns[record.name] = person["true"].map(true).to_list()
        columns[f"{record.name}: error"] = person["percent"].map(written("{:+z.1f} %")).to_list()
    return markdown(pd.DataFrame(columns))


def accuracy_fields(
    scores: pd.DataFrame, errors: pd.DataFrame, params: Mapping[str, Any]
) -> Fields:
    """What docs/accuracy.md says."""
    measured = errors[(errors["method"] == TAPELESS) & errors["measured"].notna()]
    low, high = (100 * metres for metres in STATURE_RANGE_M)
    return {
        "version": __version__,
        "adults": str(params["people"]["adults"]),
        "stature": f"{low:.0f} to {high:.0f} cm",
        "bmi": f"{BMI_RANGE[0]:.0f} to {BMI_RANGE[1]:.0f}",
        "measured": str(len(measured[["adult", "setting"]].drop_duplicates())),
        "videos": str(2 * params["people"]["adults"]),
        "average_of": str(params["average_of"]),
        "given": accuracy_table(scores, GIVEN),
        "not_given": accuracy_table(scores, NOT_GIVEN),
        "people": people_table(errors),
    }


def cost_fields(cost: pd.DataFrame, times: Mapping[str, Any], params: Mapping[str, Any]) -> Fields:
    """What docs/benchmarks.md says."""
    seconds = times["essential_seconds"]
    essential, wall = sum(seconds.values()), times["wall_seconds"]
    rows = [(ESSENTIALS[name], f"{value:.1f} s") for name, value in seconds.items()]
    rows += [("together", f"{essential:.1f} s"), ("the whole run", f"{wall:.1f} s")]
    of_videos = cost[cost["videos"] > 1]
    stages = pd.DataFrame(
        {
            "stage": cost["stage"],
            "mean": cost["seconds"].map(written("{:.1f} s")),
            "longest": cost["largest_seconds"].map(written("{:.1f} s")),
            "processor time, mean": cost["cpu_seconds"].map(written("{:.1f} s")),
            "largest memory": cost["largest_memory_mb"].map(written("{:.0f} MB")),
        }
    )
    return {
        "version": __version__,
        "machine": machine(),
        **{name: str(value) for name, value in params["speed"].items()},
        "cores": str(times["cores"]),
        "wall": f"{wall:.0f}",
        "memory": f"{times['largest_memory_mb']:.0f}",
        "essentials": markdown(pd.DataFrame(rows, columns=["", "time"])),
        "outside": f"{100 * (1 - essential / wall):.0f}",
        "videos": str(2 * params["people"]["adults"]),
        "per_video": f"{of_videos['seconds'].sum():.0f}",
        "per_video_memory": f"{of_videos['largest_memory_mb'].max():.0f}",
        "stages": markdown(stages),
    }


def fill(template: Path, page: Path, fields: Fields) -> None:
    """Writes a page from its template."""
    page.write_text(template.read_text(encoding="utf-8").format(**fields), encoding="utf-8")


def main(
    inputs: Mapping[str, Path], outputs: Mapping[str, Path], params: Mapping[str, Any]
) -> None:
    """Writes `outputs`: accuracy and benchmarks."""
    scores, errors, cost = (pd.read_csv(inputs[name]) for name in ("scores", "errors", "cost"))
    times = json.loads(inputs["times"].read_text(encoding="utf-8"))
    fields = accuracy_fields(scores, errors, params)
    fill(inputs["accuracy_template"], outputs["accuracy"], fields)
    fields = cost_fields(cost, times, params)
    fill(inputs["benchmarks_template"], outputs["benchmarks"], fields)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            {name: Path(path) for name, path in snakemake.input.items()},
            {name: Path(path) for name, path in snakemake.output.items()},
            dict(snakemake.params.items()),
        )
