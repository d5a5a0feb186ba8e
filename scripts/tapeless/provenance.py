"""Where results come from: versions, code, command, configuration and machine of a run."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tapeless.confinement import find_confinement
from tapeless.gpus import GpuError, read_driver_version, read_gpus
from tapeless.hiding import hide_secrets_of_command
from tapeless.outcomes import MachineFault

PACKAGES = (
    "snakemake",
    "mediapipe",
    "anny",
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "trimesh",
    "opencv-contrib-python",
    "ffmpeg-python",
    "matplotlib",
)
"""Packages whose version can change a number or a picture."""

_GIT_TIME_LIMIT_S = 20


def describe_run(
    *,
    version: str,
    command: str | None,
    config: Mapping[str, Any],
    repository: Path,
    packages: Sequence[str],
    now: datetime,
    ingredients: Mapping[str, Any],
    has_cards: bool,
) -> dict[str, Any]:
    """Everything that is needed to repeat a run, ready for JSON.

    Args:
        version: of tapeless.
        command: the command line that started the run, or None if it is not known; its secrets
            are left out.
        config: the configuration, defaults filled in, without its secrets (`hide_secrets`).
        repository: folder of the workflow's code.
        packages: names of the distributions to list; None stands for one that is not installed.
        now: time of the run, with its time zone.
        ingredients: what the backends bring along, as `tapeless.needs` describes it.
        has_cards: whether jobs compute on graphics cards, so that these are described.
    """
    cards = {"graphics_cards": describe_cards()} if has_cards else {}
    return {
        "tapeless": version,
        "date": now.isoformat(timespec="seconds"),
        "command": None if command is None else hide_secrets_of_command(command),
        "code": describe_code(repository),
        "python": platform.python_version(),
        "ffmpeg": _ffmpeg_version(),
        "ffmpeg_in_bubblewrap": _is_ffmpeg_shut_in(),
        "packages": {name: _version_of(name) for name in packages},
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
        },
        **cards,
        **ingredients,
        "config": dict(config),
    }


def describe_cards() -> dict[str, Any] | None:
    """The NVIDIA driver and the names of the cards; None where it does not answer.

    On a cluster, this is the machine that writes the provenance, which may have no cards.
    """
    try:
        return {"driver": read_driver_version(), "names": [gpu.name for gpu in read_gpus()]}
    except GpuError:
        return None


def describe_code(repository: Path) -> dict[str, Any]:
    """The git commit of a folder and whether it differs from it; None for each without git.

    A folder that merely lies inside of somebody else's repository has no commit of its own.
    """
    top = _git(repository, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != repository.resolve():
        return {"commit": None, "changed": None}
    changes = _git(repository, "status", "--porcelain", "--untracked-files=no")
    return {
        "commit": _git(repository, "rev-parse", "HEAD"),
        "changed": None if changes is None else bool(changes),
    }


def _git(repository: Path, *arguments: str) -> str | None:
    """What git prints, or None if there is no git, no repository, or no answer in time."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(repository), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_TIME_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _ffmpeg_version() -> str | None:
    """What ffmpeg calls itself, or None if there is none."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        return None
    said = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=False).stdout
    return said.splitlines()[0] if said else None


def _is_ffmpeg_shut_in() -> bool | None:
    """Whether it has no network and no place to write to; None where it does not run at all."""
    try:
        return find_confinement().bubblewrap is not None
    except MachineFault:
        return None
