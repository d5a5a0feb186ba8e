"""What only the user can bring, such as the models of OpenPose: there, and which it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tapeless.doctor.findings import Finding, failed, ok, unknown
from tapeless.doctor.situation import Situation
from tapeless.downloads import MissingFile
from tapeless.needs import Downloads

_DIGITS = len("sha256:") + 12


def check_weights(situation: Situation) -> Iterator[Finding]:
    """A line for each file that is missing or another; else the checksums of what decides.

    Where it is the folder that is the wrong one, a single line says so.
    """
    for needs in situation.needs.values():
        downloads = needs.downloads
        if downloads is None or downloads.folder is None:
            continue
        missing = downloads.find_missing(downloads.folder)
        if is_lacking := any(not file.consequence for file in missing):
            other = _find_other_folder(downloads, downloads.folder, len(missing))
            if other or not downloads.folder.is_dir():
                yield _tell_of_folder(downloads, downloads.folder, other, situation)
                continue
        yield from _tell(downloads, missing, situation)
        if not is_lacking:
            yield _sum_up(downloads.name, downloads.read_checksums(downloads.folder))


def _find_other_folder(downloads: Downloads, folder: Path, missing: int) -> Path | None:
    """The folder one level up or down that lacks the fewest files, and fewer than this one."""
    lacking = {}
    for other in _list_folders_around(folder.absolute()):
        with suppress(OSError):  # folders of other users
            lacking[other] = len(downloads.find_missing(other))
    best = min(lacking, key=lacking.__getitem__, default=None)
    return best if best is not None and lacking[best] < missing else None


def _list_folders_around(folder: Path) -> list[Path]:
    try:
        below = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        below = []
    return [folder.parent, *below]


def _tell_of_folder(
    downloads: Downloads, folder: Path, other: Path | None, situation: Situation
) -> Finding:
    what = "files are not in" if folder.is_dir() else "no folder"
    found = f"{what} {folder} ({downloads.key})"
    tell = unknown if situation.is_elsewhere else failed
    if other:
        return tell(downloads.name, found, f"did you mean {other}?")
    remedy = f"correct {downloads.key} in the configuration; {downloads.page}"
    return tell(downloads.name, found, remedy)


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
