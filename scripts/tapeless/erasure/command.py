"""The command `tapeless forget`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tapeless.doctor.commands import (
    PROJECT,
    Configfiles,
    Settings,
    in_project,
    parse_settings,
)
from tapeless.doctor.findings import format_table
from tapeless.doctor.situation import read_situation
from tapeless.erasure.erasing import Erasure, Places, find_left, plan_erasure
from tapeless.erasure.traces import Traces, UnknownPersonError, find_traces, list_videos
from tapeless.runs import AnotherRunError, take_folder
from tapeless.words import counted

_SHOWN = 20


@click.command()
@click.argument("name")
@Configfiles
@Settings
@click.option("--keep-recordings", is_flag=True, help="Leave the person's videos where they are.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def forget(
    context: click.Context,
    name: str,
    configfiles: tuple[Path, ...],
    settings: tuple[str, ...],
    keep_recordings: bool,
    yes: bool,
) -> None:
    """Remove all that tells of the subject NAME, or of the video of that id.

    Results, pictures, rows of tables and of the sheet, logs, records of Snakemake, and the
    recordings themselves. What is left is looked for afterwards; if anything is, the exit status
    is 1. Give the same --configfile as to snakemake.
    """
    with in_project():
        situation, findings = read_situation(PROJECT, configfiles, parse_settings(settings))
        if situation is None:
            raise click.ClickException(format_table(findings))
        places = find_places(situation.config, situation.results)
        try:
            traces = find_traces(name, list_videos(situation.config, situation.results))
            held = take_folder(Path.cwd())  # noqa: F841 - until the process ends
        except (UnknownPersonError, AnotherRunError) as error:
            raise click.ClickException(f"nothing was removed: {error}") from error
        plan = plan_erasure(traces, places)
        links = [path.resolve() for path in plan.recordings if path.is_symlink()]
        if keep_recordings:
            plan.recordings.clear()
        click.echo(_describe(plan, traces))
        if not yes:
            click.confirm("Remove all this for good?", abort=True)
        _carry_out(plan)
        kept = traces.recordings if keep_recordings else ()
        left = [path for path in find_left(traces, places) if str(path) not in kept]
        elsewhere = [] if keep_recordings else [*map(str, links), *find_remote(traces)]
        _report(name, left, elsewhere, is_listed=keep_recordings and not places.sheet)
        if left or elsewhere:
            context.exit(1)


def find_remote(traces: Traces) -> list[str]:
    """The addresses of recordings that lie on storage elsewhere."""
    return [path for path in traces.recordings if "://" in path]


def find_places(config: Mapping[str, Any], results: Path) -> Places:
    """Where a configuration has a project keep things."""
    named = {"logs": "<results>/logs", "benchmarks": "<results>/benchmarks"}
    named |= {key: config.get("pathvars", {}).get(key, text) for key, text in named.items()}
    folders = {key: Path(text.replace("<results>", str(results))) for key, text in named.items()}
    sheet = Path(config["sheet"]) if config["sheet"] else None
    has_sheet = sheet is not None and sheet.exists()
    return Places(results, folders["logs"], folders["benchmarks"], sheet if has_sheet else None)


def _describe(plan: Erasure, traces: Traces) -> str:
    videos = ", ".join(sorted(traces.videos))
    lines = [f"Of {traces.subject or videos} ({videos}) will be removed:"]
    lines += [f"  {path}" for path in [*plan.recordings, *plan.deleted][:_SHOWN]]
    if (more := len(plan.recordings) + len(plan.deleted) - _SHOWN) > 0:
        lines.append(f"  and {counted(more, 'other')}")
    lines += [f"  rows or lines of {path}" for path in plan.shortened]
    return "\n".join(lines)


def _carry_out(plan: Erasure) -> None:
    try:
        plan.carry_out()
    except OSError as error:
        raise click.ClickException(
            f"not all could be removed: {error}. Mend that, and give the command again"
        ) from error


def _report(name: str, left: list[Path], elsewhere: list[str], *, is_listed: bool) -> None:
    if left:
        click.echo(f"{name} is still told of in these files, which are yours to remove:")
        click.echo("\n".join(f"  {path}" for path in left))
    if elsewhere:
        click.echo("Recordings that were links, or lie on storage elsewhere, are still there:")
        click.echo("\n".join(f"  {path}" for path in elsewhere))
    if not left and not elsewhere:
        click.echo(f"Nothing that tells of {name} was found any more.")
    if is_listed:
        click.echo("The next run will measure them again, for the recordings are still there.")
    click.echo(
        "The next run makes the joint reports anew without them. Backups, and copies of reports "
        "that you handed on, are not reached from here."
    )
