"""Makes the corpus of damaged and strange videos: always the same of the same clip and seed.

Writes a folder of files, and a table of what each is.
"""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import damage_videos as damage
import strange_videos as strange
from damage_videos import Damaged

COLUMNS = ("video", "kind", "what")


def make_corpus(clip: Path, folder: Path, seed: int = 15) -> dict[str, tuple[str, str]]:
    """Writes the corpus into `folder`, anew; kind and description of each file, by name.

    Raises:
        subprocess.CalledProcessError: if ffmpeg fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made: dict[str, tuple[str, str]] = {}
    for kind, formats in (("sound", strange.WHOLE), ("strange", strange.STRANGE)):
        strange.make_by_ffmpeg(clip, folder, formats)
        made |= {name: (kind, f"ffmpeg {options:.100}") for name, options in formats.items()}
    for path, what in strange.make_others(clip, folder):
        made[path.name] = ("strange", what)
    files = {name: (folder / name).read_bytes() for name in strange.WHOLE}
    for kind, one in damaged(files, seed):
        (folder / one.name).write_bytes(one.data)
        made[one.name] = (kind, one.what)
    return made


def damaged(files: Mapping[str, bytes], seed: int) -> Iterator[tuple[str, Damaged]]:
    """Damaged files with the kind of damage, of sound ones by name."""
    for name, whole in files.items():
        if name in strange.CUT_OFF:
            yield from (("cut off", one) for one in damage.cut_off(name, whole))
        yield from (("bits flipped", one) for one in damage.flip_bits(name, whole, seed))
        yield from (("overwritten", one) for one in damage.overwrite(name, whole, seed))
    for lie in (damage.lie_in_mp4, damage.lie_in_boxes):
        yield from (("wrong header", one) for one in lie("early.mp4", files["early.mp4"]))
    many = damage.multiply_boxes("late.mp4", files["late.mp4"])
    yield from (("wrong header", one) for one in many)
    yield from (("joined", one) for one in strange.joined(files))


def write_table(path: Path, made: Mapping[str, tuple[str, str]]) -> None:
    """Writes what each file is."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows([name, *described] for name, described in made.items())


def main(clip: Path, corpus: Path, table: Path) -> None:
    """Writes the corpus of a clip, and its table."""
    write_table(table, make_corpus(clip, corpus))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
