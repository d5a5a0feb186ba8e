"""The commands `tapeless doctor` and `tapeless pin`."""

from __future__ import annotations

from collections.abc import Sequence
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

PROJECT = Path(__file__).resolve().parents[3]


def _parse_setting(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, Any]:
    settings = {}
    for value in values:
        key, separator, text = value.partition("=")
        if not separator:
            raise click.BadParameter(f"{value} must be of the form key=value")
        try:
            settings[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            settings[key] = text
    return settings


_Configfiles = click.option(
    "--configfile",
    "configfiles",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="As for snakemake: over config/config.yaml. May be given again; later ones win.",
)
_Settings = click.option(
    "--config",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_parse_setting,
    help="As for snakemake: one key, over all files. May be given again.",
)


@click.command()
@_Configfiles
@_Settings
@click.option(
    "--use-conda",
    is_flag=True,
    help="Snakemake is going to make the environments, so leave packages and ffmpeg to it.",
)
@click.pass_context
def doctor(
    context: click.Context, configfiles: tuple[Path, ...], settings: dict[str, Any], use_conda: bool
) -> None:
    """Check whether this machine has what the chosen configuration needs.

    Every line that says FAILED ends with the command or the page that mends it; then the exit
    status is 1. Nothing is run or changed.
    """
    with _in_project():
        situation, findings = read_situation(PROJECT, configfiles, settings, use_conda)
        if situation is not None:
            findings += examine(situation)
    click.echo(format_table(findings))
    click.echo(f"\n{_sum_up(situation, findings)}")
    if any(finding.verdict is Verdict.FAILED for finding in findings):
        context.exit(1)


@click.command("pin")
@click.argument("programs", nargs=-1, required=True)
@_Configfiles
@_Settings
def pin_images(
    programs: tuple[str, ...], configfiles: tuple[Path, ...], settings: dict[str, Any]
) -> None:
    """Write the digest of the image of each PROGRAM into the file of images.

    It is that of the image on this machine. From then on, jobs run that image and no other.
    """
    with _in_project():
        situation, findings = read_situation(PROJECT, configfiles, settings)
        if situation is None:
            raise click.ClickException(format_table(findings))
        for program in programs:
            try:
                pinned = pin(program, situation.config["containers"])
            except (ContainerError, OSError) as error:
                raise click.ClickException(str(error)) from error
            if pinned.before == pinned.now:
                click.echo(f"{program} has {pinned.now} in {pinned.file} already.")
            else:
                click.echo(f"{program} has {pinned.now} in {pinned.file} (was {pinned.before}).")


def _in_project() -> chdir[Path]:
    """The folder that Snakemake would run in: this one if it holds a configuration."""
    return chdir(Path.cwd() if USUAL_CONFIG.exists() else PROJECT)


def _sum_up(situation: Situation | None, findings: Sequence[Finding]) -> str:
    failures = sum(finding.verdict is Verdict.FAILED for finding in findings)
    if situation is None:
        return "The configuration cannot be understood, so nothing else was checked."
    route = f"{situation.config['pose']['backend']} and {situation.config['shape']['backend']}"
    if failures:
        return f"{failures} thing(s) to mend before {route} can run; docs/doctor.md explains each."
    return f"{route} can run here, as far as can be told."
