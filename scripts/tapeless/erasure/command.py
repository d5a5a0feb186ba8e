"""The command `tapeless forget`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
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
from tapeless.doctor.examination import clear_leftovers
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
_PATHVAR = re.compile("<([a-z][a-z0-9_]*)>")


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
        try:
            places = find_places(situation.config, situation.results, storage)
            traces = find_traces(name, list_videos(situation.config, places))
            run.enter_context(_taken(places))
            clear_leftovers(situation)  # which may still write to what is removed
            plan = plan_erasure(traces, places, keep_recordings=keep_recordings)
            links = find_links(plan)
        except (RefusedError, AnotherRunError, OSError, ValueError) as error:  # a path with a NUL
            raise click.ClickException(_visible(f"nothing was removed: {error}")) from error
        _say(_describe(plan, traces))
        if not yes:
            click.confirm("Remove all this for good?", abort=True)
        _carry_out(plan)
        elsewhere = [str(path) for path in filter(os.path.exists, links)]
        elsewhere += [] if keep_recordings else find_remote(traces)
        found = search(traces, places, keep_recordings=keep_recordings)
        _say(_report(name, found, elsewhere, is_listed=keep_recordings and not places.sheet))
        if found.files or found.unread or elsewhere:
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
    named |= config.get("pathvars", {})
    named["results"] = str(results)
    sheet = Path(config["sheet"]) if config["sheet"] else None
    storages = dict.fromkeys([_USUAL_STORAGE, *([storage] if storage else []), *_read_profiles()])
    return Places(
        results,
        Path(_without_pathvars(named["logs"], named)),
        Path(_without_pathvars(named["benchmarks"], named)),
        sheet if sheet is not None and sheet.exists() else None,
        tuple(storages),
    )


def _without_pathvars(text: str, named: Mapping[str, str]) -> str:
    """A path with that in place of each `<name>` which is named so; by default the name itself."""
    for _ in named:  # one may hold another
        text = _PATHVAR.sub(lambda found: named.get(found[1], found[1]), text)
    return text


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


def _say(lines: Iterable[str]) -> None:
    click.echo("\n".join(map(_visible, lines)))


def _visible(line: str) -> str:
    """A line in which names of files are no codes for the terminal, nor further lines."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _describe(plan: Erasure, traces: Traces) -> Iterator[str]:
    videos = ", ".join(sorted(traces.videos))
    gone = [*plan.recordings, *filter(os.path.lexists, plan.folders), *plan.deleted, *plan.records]
    yield f"Of {', '.join(sorted(traces.subjects)) or videos} ({videos}) will be removed:"
    yield from _shown(f"{path}{_target_of(path)}" for path in gone)
    yield from (f"  rows or lines of {path}" for path in (*plan.shortened, *plan.sheet))


def _shown(paths: Iterable[object]) -> Iterator[str]:
    """The first few, and how many others there are."""
    paths = list(paths)
    yield from (f"  {path}" for path in paths[:_SHOWN])
    if (more := len(paths) - _SHOWN) > 0:
        yield f"  and {counted(more, 'other')}"


def _target_of(path: Path) -> str:
    return f", and what it leads to: {os.path.realpath(path)}" if path.is_symlink() else ""


def _carry_out(plan: Erasure) -> None:
    try:
        plan.carry_out()
    except KeyboardInterrupt:
        raise click.ClickException("not all was removed. Give the command again") from None
    except OSError as error:
        raise click.ClickException(
            _visible(f"not all could be removed: {error}. Mend that, and give the command again")
        ) from error


def _report(name: str, found: Findings, elsewhere: list[str], *, is_listed: bool) -> Iterator[str]:
    if found.files:
        yield (
            "These also carry the name. Look at them, and delete them yourself if they tell of the "
            "person:"
        )
        yield from _shown(found.files)
    if elsewhere:
        yield "These lie elsewhere, or links led to them, and are still there:"
        yield from (f"  {path}" for path in elsewhere)
    if found.unread:
        yield "These could not be looked into, for want of a right, say. Do it as who may:"
        yield from _shown(found.unread)
    if not found.files and not elsewhere and not found.unread:
        yield f"Nothing that tells of {name} was found any more."
    if found.mentions:
        mentions = counted(found.mentions, "other file")
        yield f"In {mentions} the name stands as a word or number that may mean anything."
    if is_listed:
        yield "The next run will measure them again, for the recordings are still there."
    yield (
        "The next run makes the joint reports anew without them. Backups, and copies of reports "
        "that you handed on, are not reached from here."
    )
