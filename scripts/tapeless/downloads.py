"""Files that only the user can download, because their licences let nobody hand them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MissingFile:
    """A file that is needed and not there.

    Attributes:
        path: where it was looked for.
        what: what it is, in a few words.
        source: where it comes from: the site, and the account that it asks for.
        target: where it goes, in the folder that the configuration names.
    """

    path: Path
    what: str
    source: str
    target: str


class MissingFilesError(Exception):
    """Downloads that are not there; the message is a table of them, and says what to do."""

    def __init__(self, program: str, folder: Path, missing: Sequence[MissingFile]) -> None:
        """`program` is what needs them, `folder` the one that the configuration names."""
        super().__init__(
            f"{program} cannot run: {len(missing)} file(s) that it needs are not below {folder}.\n"
            f"{format_missing(missing)}\n"
            "Download them from the sites named, with your own account, and put them there. "
            "Then start again: what is finished is kept."
        )
        self.missing = tuple(missing)


def format_missing(missing: Sequence[MissingFile]) -> str:
    """A table in text: what is missing, where it goes, and where it comes from."""
    header = ("missing", "goes to", "comes from")
    rows = [(file.what, file.target, file.source) for file in missing]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
