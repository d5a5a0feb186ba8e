"""What only the user can bring, such as the models of OpenPose: there, and which it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tapeless.doctor.findings import Finding, failed, ok, unknown
from tapeless.doctor.situation import Situation
from tapeless.downloads import MissingFile
from tapeless.needs import Downloads

_DIGITS = len("sha256:") + 12


def check_weights(situation: Situation) -> Iterator[Finding]:
    """A line for each file that is missing or another; else the checksums of what decides."""
    for needs in situation.needs.values():
        downloads = needs.downloads
        if downloads is None or downloads.folder is None:
            continue
        missing = downloads.find_missing(downloads.folder)
        yield from _tell(downloads, missing, situation)
        if all(file.consequence for file in missing):
            yield _sum_up(downloads.name, downloads.read_checksums(downloads.folder))


def _tell(
    downloads: Downloads, missing: Sequence[MissingFile], situation: Situation
) -> Iterator[Finding]:
    """Where jobs run on other machines, those may have what is not here."""
    for file in missing:
        found = f"{file.path} {file.fault}" if file.fault else f"no {file.path} ({file.what})"
        may_do = situation.is_elsewhere or file.consequence
        tell = unknown if may_do else failed
        told = f"{found}: {file.consequence}" if file.consequence else found
        yield tell(downloads.name, told, f"{file.source}; {downloads.page}")


def _sum_up(name: str, checksums: Mapping[str, str]) -> Finding:
    parts = [f"{Path(path).name} {checksum[:_DIGITS]}" for path, checksum in checksums.items()]
    return ok(name, ", ".join(parts))
