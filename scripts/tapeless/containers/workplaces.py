"""The folder in which a container works for one video or several: what is put there and taken out.

Pictures and points of other people than those of the video in whose folder it lies may be in it, so
that nothing of it may stay.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

WORKPLACE_PREFIX = ".workplace-"
"""What the name of such a folder begins with."""

# To look into all others would take seconds of every run of thousands of videos.
_STAGES = ("pose", "bodies", "bodies/person_*")
"""The stages of which a container works in such a folder."""


@contextmanager
def open_workplace(stage: Path) -> Iterator[Path]:
    """A folder in a stage's directory for containers to work in, which is gone afterwards."""
    with TemporaryDirectory(dir=stage, prefix=WORKPLACE_PREFIX) as folder:
        yield Path(folder)


def remove_workplaces(videos: Path) -> None:
    """Removes what killed jobs left in the folders of videos: pictures and points of several."""
    for stage in _STAGES:
        for folder in videos.glob(f"*/{stage}/{WORKPLACE_PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file, or a copy where the file system has no second names.

    Raises:
        OSError: if there can be neither.
    """
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def deal_out(folder: Path, targets: Sequence[Path]) -> None:
    """Moves the files of a folder to those whose they are, made if need be.

    The names of those of the first begin with `0_`, which is taken off, of the second with `1_`.
    """
    for number, target in enumerate(targets):
        target.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(f"{number}_*"):
            path.rename(target / path.name.removeprefix(f"{number}_"))
