"""The models of OpenPose and SHAPY, which only the user can have: there, and which they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tapeless.doctor.findings import Finding, failed, ok, unknown
from tapeless.doctor.situation import Situation
from tapeless.downloads import MissingFile
from tapeless.pose import openpose_models
from tapeless.shape import shapy_files

_PAGE = "docs/reference-route.md"
_DIGITS = len("sha256:") + 12


def check_weights(situation: Situation) -> Iterator[Finding]:
    """A line for each file that is missing or another; else the checksums of what decides."""
    openpose, shapy = situation.config["pose"]["openpose"], situation.config["shape"]["shapy"]
    if "openpose" in situation.programs and openpose["models"]:
        models = Path(openpose["models"]).expanduser()
        missing = openpose_models.find_missing_models(models, openpose)
        yield from _tell("OpenPose models", missing, situation)
        if not missing:
            yield _sum_up("OpenPose models", openpose_models.read_checksums(models, openpose))
    if "shapy" in situation.programs and shapy["data"]:
        data = Path(shapy["data"]).expanduser()
        missing = shapy_files.find_missing_files(data)
        yield from _tell("SHAPY data", missing, situation)
        if not missing:
            yield _sum_up("SHAPY data", shapy_files.read_checksums(data))


def _tell(name: str, missing: Sequence[MissingFile], situation: Situation) -> Iterator[Finding]:
    """Where jobs run on other machines, those may have what is not here."""
    tell = unknown if situation.is_elsewhere else failed
    for file in missing:
        found = f"{file.path} {file.fault}" if file.fault else f"no {file.path} ({file.what})"
        yield tell(name, found, f"{file.source}; {_PAGE}")


def _sum_up(name: str, checksums: Mapping[str, str]) -> Finding:
    parts = [f"{Path(path).name} {checksum[:_DIGITS]}" for path, checksum in checksums.items()]
    return ok(name, ", ".join(parts))
