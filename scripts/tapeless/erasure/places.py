"""Where Snakemake's rules put what tells of a video, and what tells of all.

Whose a file is, its place says; what is in it is not asked. The numbers of one video may look like
the id of another.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tapeless.containers.workplaces import WORKPLACE_PREFIX
from tapeless.writing import UNFINISHED

TABLES = ("summary.csv", "measurements.csv", "checks.csv")
"""Reports with rows of single videos, of which the columns `video` and `subject` tell whose."""

JOINED = (
    "subjects.csv",
    "repeatability.csv",
    "cohort.html",
    "benchmarks.csv",
    "progress.json",
    "provenance.json",
)
"""Reports on all, of which nobody can be taken out, and on the last run: the next makes them."""

ENDINGS = (".log", ".tsv", ".container.json", ".gpu.json")
"""What follows the id in the names of a video's logs and benchmarks."""

_RECORDS = ("metadata", "incomplete")
_PASSING = ("scripts", "iocache", "backups", "shadow", "tapeless.waiting.json")
"""What only a run at work needs of `.snakemake`, though one that was killed leaves it there."""


@dataclass(frozen=True)
class Places:
    """Where a project keeps things; folders are relative to the one in which Snakemake runs.

    Attributes:
        storages: where Snakemake puts copies of files that lie elsewhere.
    """

    results: Path
    logs: Path
    benchmarks: Path
    sheet: Path | None
    storages: tuple[Path, ...] = ()
    snakemake: Path = Path(".snakemake")

    def folder_of(self, video: str) -> Path:
        """All stages of a video."""
        return self.results / "videos" / video

    def list_files_of(self, video: str) -> Iterator[Path]:
        """Its logs and benchmarks; also a cluster's logs of its jobs, which are folders."""
        for top in (self.logs, self.benchmarks):
            for folder in _entries(top):
                yield from _existing(folder / f"{video}{ending}" for ending in ENDINGS)
        for top in self._cluster_logs:
            yield from _existing(folder / video for folder in _entries(top))

    def list_joined(self) -> Iterator[Path]:
        """What is made of all videos, or for a while, and cannot be taken apart."""
        yield from _existing(self.results / name for name in JOINED)
        yield from _existing(self.snakemake / name for name in _PASSING)
        for folder in (self.results, self.snakemake):
            yield from (path for path in _entries(folder) if path.name.endswith(UNFINISHED))
        for folder in _entries(self.results / "videos"):
            yield from folder.rglob(f"{WORKPLACE_PREFIX}*")

    def list_tables(self) -> list[Path]:
        """The reports with rows of single videos."""
        return list(_existing(self.results / name for name in TABLES))

    def list_common_logs(self) -> Iterator[Path]:
        """Logs with lines on several videos: Snakemake's, a cluster's, those of the reports."""
        for folder in (self.logs, self.snakemake / "log", self.snakemake / "locks"):
            yield from (path for path in _entries(folder) if path.is_file())
        for top in self._cluster_logs:
            yield from (path for path in sorted(top.rglob("*")) if path.is_file())

    def list_records(self) -> Iterator[tuple[Path, Path]]:
        """Snakemake's records, and which output each is about."""
        for top in (self.snakemake / name for name in _RECORDS):
            for path in (Path(f, name) for f, _, names in os.walk(top) for name in names):
                if (output := decode_record(path.relative_to(top))) is not None:
                    yield path, output

    @property
    def _cluster_logs(self) -> tuple[Path, Path]:
        """Where profiles/slurm puts what Slurm says of jobs, and where its plugin does unasked."""
        return self.logs / "slurm", self.snakemake / "slurm_logs"


def decode_record(name: Path) -> Path | None:
    """The output that a record of Snakemake's is about: its name is that path, in base 64."""
    encoded = "".join(part.removeprefix("@") for part in name.parts)
    try:
        return Path(os.fsdecode(base64.urlsafe_b64decode(encoded)))
    except (binascii.Error, ValueError):
        return None


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _existing(paths: Iterator[Path]) -> Iterator[Path]:
    return (path for path in paths if os.path.lexists(path))
