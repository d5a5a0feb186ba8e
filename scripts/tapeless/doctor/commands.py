"""The commands `tapeless doctor` and `tapeless pin`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import click
import yaml

from tapeless.containers import ContainerError
from tapeless.doctor.examination import examine
from tapeless.doctor.findings import Finding, Verdict, format_table
from tapeless.doctor.pinning import pin
from tapeless.doctor.situation import USUAL_CONFIG, Situation, read_situation
from tapeless.hints import join_options, with_options
from tapeless.words import counted

PROJECT = Path(__file__).resolve().parents[3]


def _check_settings(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    if others := [value for value in values if "=" not in value]:
        raise click.BadParameter(f"{others[0]} must be of the form key=value")
    return values


def parse_settings(values: Sequence[str]) -> dict[str, Any]:
    """What `--config` sets: each value is YAML, or else the text itself."""
    settings = {}
    for value in values:
        key, _, text = value.partition("=")
        try:
            settings[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            settings[key] = text
    return settings


Configfiles = click.option(
    "--configfile",
    "configfiles",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="As for snakemake: over config/config.yaml. May be given again; later ones win.",
)
Settings = click.option(
    "--config",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_check_settings,
    help="As for snakemake: one key, over all files. May be given again.",
)


@click.command()
@Configfiles
@Settings
@click.option(
    "--use-conda",
    is_flag=True,
    help="Snakemake is going to make the environments, so leave packages and ffmpeg to it.",
)
@click.pass_context
def doctor(
    context: click.Context,
    configfiles: tuple[Path, ...],
    settings: tuple[str, ...],
    use_conda: bool,
) -> None:
    """Check whether this machine has what the chosen configuration needs.

    Every line that says FAILED ends with the command or the page that mends it; then the exit
    status is 1. Nothing is installed or changed.
    """
    with with_options(join_options(configfiles, settings)), in_project():
        keys = parse_settings(settings)
        situation, findings = read_situation(PROJECT, configfiles, keys, use_conda)
        if situation is not None:
            findings += examine(situation)
    click.echo(format_table(findings, _terminal_width()))
    click.echo(f"\n{_sum_up(situation, findings)}")
    if any(finding.verdict is Verdict.FAILED for finding in findings):
        context.exit(1)


@click.command("pin")
@click.argument("programs", nargs=-1)
@Configfiles
@Settings
@click.pass_context
def pin_images(
    context: click.Context,
    programs: tuple[str, ...],
    configfiles: tuple[Path, ...],
    settings: tuple[str, ...],
) -> None:
    """Write down which image of each PROGRAM jobs run: the one on this machine, and no other.

    Without a PROGRAM: all that the configuration asks for. Give the same --configfile as to
    snakemake: runtime and images are those of the configuration.
    """
    with with_options(join_options(configfiles, settings)), in_project():
        situation, findings = read_situation(PROJECT, configfiles, parse_settings(settings))
        if situation is None:
            raise click.ClickException(format_table(findings))
        chosen = programs or situation.programs
        if not chosen:
            raise click.ClickException(
                f"{_name_route(situation)} run in no container: there is nothing to pin. For "
                "another route, give its --configfile, such as config/reference.yaml"
            )
        faults = _pin_all(chosen, situation.config["containers"])
    for fault in faults:
        click.echo(f"Error: {fault}", err=True)
    if faults:
        context.exit(1)


def _pin_all(programs: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """Pins what can be pinned and says so; what bars the way of the others, each once."""
    faults: dict[str, None] = {}
    for program in programs:
        try:
            pinned = pin(program, settings)
        except (ContainerError, OSError) as error:
            faults[str(error)] = None
            continue
        before = "as it was" if pinned.before == pinned.now else f"was {pinned.before or 'none'}"
        click.echo(f"{program}, {settings['runtime']}: {pinned.now} in {pinned.file} ({before})")
    return list(faults)


def in_project() -> chdir[Path]:
    """The folder that Snakemake would run in: this one if it holds a configuration."""
    return chdir(Path.cwd() if USUAL_CONFIG.exists() else PROJECT)


def _terminal_width() -> int | None:
    """Columns of the terminal; None if it is none that is written to."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _sum_up(situation: Situation | None, findings: Sequence[Finding]) -> str:
    failures = sum(finding.verdict is Verdict.FAILED for finding in findings)
    if situation is None:
        return "The configuration cannot be understood, so nothing else was checked."
    route = _name_route(situation)
    if failures:
        things = counted(failures, "thing")
        return f"{things} to mend before {route} can run; docs/doctor.md explains each line."
    return f"{route} can run here, as far as can be told."


def _name_route(situation: Situation) -> str:
    return f"{situation.config['pose']['backend']} and {situation.config['shape']['backend']}"
