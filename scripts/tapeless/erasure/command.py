"""The command `tapeless forget`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import yaml

from tapeless.doctor.commands import (
    PROJECT,
    Configfiles,
    Settings,
    in_project,
    parse_settings,
)
from tapeless.doctor.findings import format_table
from tapeless.doctor.situation import read_situation
from tapeless.erasure.erasing import Erasure, find_links, plan_erasure
from tapeless.erasure.places import Places
from tapeless.erasure.recordings import find_remote
from tapeless.erasure.searching import Findings, search
from tapeless.erasure.traces import RefusedError, Traces, find_traces, list_videos
from tapeless.runs import AnotherRunError, take_folder
from tapeless.words import counted

_SHOWN = 20
_USUAL_STORAGE = Path(".snakemake/storage")


@click.command()
@click.argument("name")
@Configfiles
@Settings
@click.option("--keep-recordings", is_flag=True, help="Leave the person's videos where they are.")
@click.option(
    "--local-storage-prefix",
    "storage",
    type=click.Path(path_type=Path),
    help="Where Snakemake keeps copies of videos on S3, if it was told so on its command line.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def forget(
    context: click.Context,
    name: str,
    configfiles: tuple[Path, ...],
    settings: tuple[str, ...],
    keep_recordings: bool,
    storage: Path | None,
    yes: bool,
) -> None:
    """Remove all that tells of the subject NAME, or of the video of that id.

    The recordings themselves, results, pictures, logs, records of Snakemake, rows of tables and of
    the sheet. All files of the project are then searched for the name; if something is left, the
    exit status is 1. Give the same --configfile as to snakemake.
    """
    with in_project(), ExitStack() as run:
        situation, findings = read_situation(PROJECT, configfiles, parse_settings(settings))
        if situation is None:
            raise click.ClickException(format_table(findings))
        places = find_places(situation.config, situation.results, storage)
        try:
            traces = find_traces(name, list_videos(situation.config, situation.results))
            run.enter_context(_taken(places))
            plan = plan_erasure(traces, places, keep_recordings=keep_recordings)
        except (RefusedError, AnotherRunError) as error:
            raise click.ClickException(f"nothing was removed: {error}") from error
        links = find_links(plan)
        click.echo(_describe(plan, traces))
        if not yes:
            click.confirm("Remove all this for good?", abort=True)
        _carry_out(plan)
        elsewhere = [str(path) for path in links if path.exists()]
        elsewhere += [] if keep_recordings else find_remote(traces)
        found = search(traces, places, keep_recordings=keep_recordings)
        _report(name, found, elsewhere, is_listed=keep_recordings and not places.sheet)
        if found.files or elsewhere:
            context.exit(1)


@contextmanager
def _taken(places: Places) -> Iterator[None]:
    """Keeps runs out, as long as this lasts."""
    locks = take_folder(Path.cwd(), (places.results, places.logs, places.benchmarks))
    try:
        yield
    finally:
        for lock in locks:
            os.close(lock)


def find_places(config: Mapping[str, Any], results: Path, storage: Path | None = None) -> Places:
    """Where a configuration has a project keep things, and the profiles have Snakemake."""
    named = {"logs": "<results>/logs", "benchmarks": "<results>/benchmarks"}
    named |= {key: config.get("pathvars", {}).get(key, text) for key, text in named.items()}
    folders = {key: Path(text.replace("<results>", str(results))) for key, text in named.items()}
    sheet = Path(config["sheet"]) if config["sheet"] else None
    storages = dict.fromkeys([_USUAL_STORAGE, *([storage] if storage else []), *_read_profiles()])
    return Places(
        results,
        folders["logs"],
        folders["benchmarks"],
        sheet if sheet is not None and sheet.exists() else None,
        tuple(storages),
    )


def _read_profiles() -> Iterator[Path]:
    """The folders that any profile names for copies of what lies elsewhere."""
    for top in dict.fromkeys([Path.cwd(), PROJECT]):
        for path in sorted(top.glob("profiles/*/*.yaml")):
            try:
                profile = yaml.safe_load(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, yaml.YAMLError) as error:
                raise click.ClickException(f"nothing was removed: {path}: {error}") from error
            if isinstance(profile, Mapping) and (folder := profile.get("local-storage-prefix")):
                yield Path(os.path.expandvars(str(folder)))


def _describe(plan: Erasure, traces: Traces) -> str:
    videos = ", ".join(sorted(traces.videos))
    gone = [*plan.recordings, *filter(os.path.lexists, plan.folders), *plan.deleted, *plan.records]
    lines = [f"Of {traces.subject or videos} ({videos}) will be removed:"]
    lines += [f"  {path}{_target_of(path)}" for path in gone[:_SHOWN]]
    if (more := len(gone) - _SHOWN) > 0:
        lines.append(f"  and {counted(more, 'other')}")
    lines += [f"  rows or lines of {path}" for path in (*plan.shortened, *plan.sheet)]
    return "\n".join(lines)


def _target_of(path: Path) -> str:
    return f", and what it leads to: {os.path.realpath(path)}" if path.is_symlink() else ""


def _carry_out(plan: Erasure) -> None:
    try:
        plan.carry_out()
    except KeyboardInterrupt:
        raise click.ClickException("not all was removed. Give the command again") from None
    except OSError as error:
        raise click.ClickException(
            f"not all could be removed: {error}. Mend that, and give the command again"
        ) from error


def _report(name: str, found: Findings, elsewhere: list[str], *, is_listed: bool) -> None:
    if found.files:
        click.echo(
            "These also carry the name. Look at them, and delete them yourself if they tell of the "
            "person:"
        )
        click.echo("\n".join(f"  {path}" for path in found.files[:_SHOWN]))
        if (more := len(found.files) - _SHOWN) > 0:
            click.echo(f"  and {counted(more, 'other')}")
    if elsewhere:
        click.echo("These lie elsewhere, or links led to them, and are still there:")
        click.echo("\n".join(f"  {path}" for path in elsewhere))
    if not found.files and not elsewhere:
        click.echo(f"Nothing that tells of {name} was found any more.")
    if found.mentions:
        mentions = counted(found.mentions, "other file")
        click.echo(f"In {mentions} the name stands as a word or number that may mean anything.")
    if is_listed:
        click.echo("The next run will measure them again, for the recordings are still there.")
    click.echo(
        "The next run makes the joint reports anew without them. Backups, and copies of reports "
        "that you handed on, are not reached from here."
    )
