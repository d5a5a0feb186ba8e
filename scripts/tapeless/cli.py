"""The command `tapeless`: the demo, a run of the workflow, and its results as a table."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import click
import pandas as pd

from tapeless import __version__
from tapeless.demo import Demo, compare, prepare

PROJECT = Path(__file__).resolve().parents[2]
SNAKEFILE = PROJECT / "Snakefile"

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


@main.command()
@_Cores
def demo(cores: int) -> None:
    """Film two synthetic people and an empty room, measure them, compare with the truth."""
    example = Demo(PROJECT / "demo")
    if prepare(example, PROJECT / "resources" / "anny"):
        click.echo(f"Filmed two people and an empty room: {_shown(example.folder / 'videos')}")
    _snakemake(cores, "--configfile", str(example.config))
    click.echo()
    _echo_table(compare(example))
    _echo_rejected(pd.read_csv(example.results / "summary.csv"))
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
    settings = [f"videos={videos.absolute()}", "sheet=null", f"pathvars={json.dumps(folders)}"]
    _snakemake(cores, "--config", *settings)
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
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        raise SystemExit(status)


def _echo_results(results: Path) -> None:
    table = pd.read_csv(results / "measurements.csv").rename(columns={"50%": "measured"})
    _echo_table(table.dropna(subset="measured"))
    _echo_rejected(pd.read_csv(results / "summary.csv"))


def _echo_table(table: pd.DataFrame) -> None:
    """Prints a table with a group of rows for each video; low and high as one column."""
    number = "{:.1f}".format
    shown = table[["video", "measurement", "unit"]].copy()
    shown["measured"] = table["measured"].map(number)
    shown["95 % interval"] = table["low"].map(number) + " - " + table["high"].map(number)
    if "true" in table:
        shown["true"] = table["true"].map(number)
        shown["error"] = table["error"].map("{:+.1f}".format)
        shown["error %"] = (100 * table["error"] / table["true"]).map("{:+.1f}".format)
    for video, rows in shown.groupby("video", sort=False):
        click.echo(f"{video}\n{rows.drop(columns='video').to_string(index=False)}\n")


def _echo_rejected(summary: pd.DataFrame) -> None:
    for row in summary[summary["status"] == "rejected"].itertuples():
        click.echo(f"{row.video}: rejected ({row.code}). {row.reason}")


def _shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    return os.path.relpath(path)
