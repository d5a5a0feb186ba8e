"""Files that only the user can download, because their licences let nobody hand them on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tapeless.checksums import checksum_file
from tapeless.outcomes import MachineFault
from tapeless.words import counted


@dataclass(frozen=True)
class MissingFile:
    """A file that is wanted and not there, or another one in its place.

    Attributes:
        path: where it was looked for.
        what: what it is, in a few words.
        source: where it comes from: the site, and the account that it asks for.
        target: where it goes, in the folder that the configuration names.
        fault: what is wrong with the file that lies there; empty if there is none, or nothing in
            it.
        consequence: what is left out without the file; empty if nothing runs without it.
    """

    path: Path
    what: str
    source: str
    target: str
    fault: str = ""
    consequence: str = ""


class MissingFilesError(MachineFault):
    """Downloads that are not there; the message is a table of them, and says what to do."""

    def __init__(self, program: str, folder: Path, missing: Sequence[MissingFile]) -> None:
        """`program` is what needs them, `folder` the one that the configuration names."""
        super().__init__(
            f"{program} cannot run, for want of {counted(len(missing), 'file')} below {folder}:\n"
            f"{format_missing(missing)}\n"
            "Download them from the sites named, with your own account, and put them there. "
            "Then start again: what is finished is kept."
        )
        self.missing = tuple(missing)


def format_missing(missing: Sequence[MissingFile]) -> str:
    """A table in text: what is missing, where it goes, where it comes from; then, what is wrong."""
    header = ("missing", "goes to", "comes from")
    rows = [(file.what, file.target, file.source) for file in missing]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, tuple("-" * width for width in widths), *rows]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*table, *(f"{file.path} {file.fault}." for file in missing if file.fault)])


def has_content(path: Path) -> bool:
    """Whether there is a file with something in it: a download that came to nothing is none."""
    return path.is_file() and path.stat().st_size > 0


def find_fault(path: Path, md5: str) -> str:
    """What is wrong with a file that should have this MD5, such as a web page in its place."""
    try:
        found = checksum_file(path, "md5").removeprefix("md5:")
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if found == md5 else f"is not the file it should be (MD5 {found}, should be {md5})"


def find_linked_files(folder: Path, targets: Iterable[str]) -> dict[str, Path]:
    """The files of a folder that are kept outside of it: where, by their path in it.

    A container that sees the folder does not see where a link out of it leads. `targets` are paths
    in the folder; what is not there is passed over.
    """
    places = {target: (folder / target).resolve() for target in targets}
    inside = folder.resolve()
    return {
        target: place
        for target, place in places.items()
        if place.exists() and not place.is_relative_to(inside)
    }


def checksum_files(folder: Path, targets: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files of a folder, by their path in it; "missing" where one cannot be read.

    It keeps no workflow from being planned: there may be no video left that needs them, and where
    there is one, its job says what is missing.
    """
    return {target: _checksum(folder / target) for target in targets}


def _checksum(path: Path) -> str:
    try:
        return checksum_file(path)
    except OSError:
        return "missing"
