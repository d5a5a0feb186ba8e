"""The command `tapeless`: the demo, a run of the workflow, its results as a table, and the doctor.

What loads only with all packages in place is loaded where it is used: the doctor has to start
without it.
"""

from __future__ import annotations

import logging
import math
import os
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from tapeless import __version__
from tapeless.doctor.commands import doctor, pin_images
from tapeless.erasure.command import forget
from tapeless.units import UNITS

if TYPE_CHECKING:
    import pandas as pd

PROJECT = Path(__file__).resolve().parents[2]
SNAKEFILE = PROJECT / "Snakefile"

_NUMBERS = ("50%", "low", "high")

_Cores = click.option(
    "--cores",
    type=click.IntRange(min=1),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="all",
    help="How many processors to use.",
)


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Measure people's bodies from ordinary videos."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)


main.add_command(doctor)
main.add_command(pin_images)
main.add_command(forget)


@main.command()
@_Cores
def demo(cores: int) -> None:
    """Film two synthetic people and an empty room, measure them, compare with the truth."""
    from tapeless.demo import Demo, compare, prepare

    example = Demo(PROJECT / "demo")
    if prepare(example, PROJECT / "resources" / "anny"):
        click.echo(f"Filmed two people and an empty room: {_shown(example.folder / 'videos')}")
    _snakemake(cores, "--configfile", str(example.config))
    click.echo()
    _echo_table(compare(example))
    _echo_rejected(_read_report(example.results / "summary.csv"))
    click.echo("\nContact sheets, which show why to believe the numbers:")
    for sheet in sorted(example.results.glob("videos/*/sheet.png")):
        click.echo(f"  {_shown(sheet)}")


@main.command()
@click.argument("videos", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("results", type=click.Path(file_okay=False, path_type=Path))
@_Cores
def run(videos: Path, results: Path, cores: int) -> None:
    """Measure everybody in the folder VIDEOS and show the table; all files go to RESULTS.

    Heights and everything else are configuration: for that, call snakemake itself.
    """
    folders = {"results": str(results.absolute())}
    settings = [f"videos={_as_yaml(str(videos.absolute()))}", f"pathvars={_as_yaml(folders)}"]
    _snakemake(cores, "--config", "sheet=null", *settings)
    _echo_results(results)


@main.command()
@click.argument(
    "results",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("results"),
)
def show(results: Path) -> None:
    """Print what was measured in the folder RESULTS of a run."""
    if not (results / "summary.csv").exists():
        raise click.ClickException(f"{results} holds no summary.csv: it is no results folder")
    _echo_results(results)


def _snakemake(cores: int, *arguments: str) -> None:
    """Runs the workflow in the project's folder; its exit status is ours if it fails."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE)]
    command += ["--directory", str(PROJECT), "--cores", str(cores), *arguments]
    typed = {"TAPELESS_COMMAND": shlex.join(["tapeless", *sys.argv[1:]])}
    status = subprocess.run(command, check=False, env=os.environ | typed).returncode
    if status != 0:
        raise SystemExit(status)


def _as_yaml(value: object) -> str:
    """A value for `--config`, on one line; quoted, so that nothing in a name has a meaning.

    Not as JSON, whose escapes of what lies beyond 16 bits are others than those of YAML. Between
    spaces, as Snakemake takes away quotes at the ends.
    """
    text = yaml.safe_dump(value, default_style='"', default_flow_style=True, width=math.inf)
    return f" {text.strip()} "


def _echo_results(results: Path) -> None:
    table = _read_report(results / "measurements.csv").rename(columns={"50%": "measured"})
    _echo_table(table.dropna(subset="measured"))
    _echo_rejected(_read_report(results / "summary.csv"))


def _read_report(path: Path) -> pd.DataFrame:
    """A report, in which all but the shown numbers is text: an id may be `001` or `NA`."""
    import pandas as pd

    kinds: defaultdict[str, type] = defaultdict(lambda: str, dict.fromkeys(_NUMBERS, float))
    empty = {name: [""] for name in _NUMBERS}
    return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=empty)


def _echo_table(table: pd.DataFrame) -> None:
    """Prints a table with a group of rows for each person; low and high as one column."""

    def shown_as(column: str, form: str = ".") -> list[str]:
        return [
            f"{value:{form}{decimals[unit]}f}"
            for value, unit in zip(table[column], table["unit"], strict=True)
        ]

    decimals = {unit.report: unit.decimals for unit in UNITS.values()}
    shown = table[["measurement", "unit"]].assign(measured=shown_as("measured"))
    lows, highs = shown_as("low"), shown_as("high")
    shown["95 % interval"] = [f"{low} - {high}" for low, high in zip(lows, highs, strict=True)]
    if "true" in table:
        shown["true"] = shown_as("true")
        shown["error"] = shown_as("error", "+z.")
        shown["error %"] = (100 * table["error"] / table["true"]).map("{:+z.1f}".format)
    for who, rows in shown.groupby(table.apply(_who, axis=1), sort=False):
        click.echo(f"{who}\n{rows.to_string(index=False)}\n")


def _echo_rejected(summary: pd.DataFrame) -> None:
    for _, row in summary[summary["status"] == "rejected"].iterrows():
        click.echo(f"{_who(row)}: rejected ({row['code']}). {row['reason']}")


def _who(row: pd.Series[Any]) -> str:
    """The video, and the number of a person who is not its first."""
    person = row.get("person", "1")
    return str(row["video"]) if person == "1" else f"{row['video']}, person {person}"


def _shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    return os.path.relpath(path)
