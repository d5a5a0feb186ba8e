"""Projects of thousands of videos, without the videos: to plan, and, finished, to plan again.

Planning looks at names, times and records, and reads no video. A finished project is one video's
records, written by Snakemake itself (`--touch`), and copies of them in which only the id differs.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

DIRECTORIES = {
    "bodies",
    "frames",
    "keypoints",
    "measurements",
    "pictures",
    "pose",
    "silhouettes",
}
TIMESTAMP = ".snakemake_timestamp"
LONGEST_NAME = 254  # of a file of Snakemake's records


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds by the clock and of the processor, and the most memory."""

    wall_s: float
    cpu_s: float
    memory_mb: float
    said: str


def measure(command: Sequence[str], folder: Path) -> Cost:
    """Runs a command in a process of its own.

    Raises:
        CalledProcessError: if it fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    code = (
        "import json, resource, subprocess, sys;"
        "run = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,"
        " text=True); used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(json.dumps([run.returncode, run.stdout, used.ru_maxrss]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=folder, check=True, capture_output=True
    )
    wall_s = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, said, memory_kib = json.loads(told.stdout)
    if status:
        raise subprocess.CalledProcessError(status, list(command), said)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall_s, cpu_s, memory_kib * 1024 / 1e6, said)


class SyntheticProject:
    """A folder of many videos that are not looked at."""

    def __init__(self, folder: Path, snakefile: Path, way: str) -> None:
        """Makes the folder; `way` is `jobs_per_video` of the configuration."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("config", "videos", "resources"):
            (folder / name).mkdir(parents=True)
        config = yaml.safe_dump({"jobs_per_video": way})
        (folder / "config/config.yaml").write_text(config, encoding="utf-8")
        self.folder = folder
        self.videos = folder / "results/videos"
        self.snakefile = snakefile

    def list_videos(self, number: int) -> list[str]:
        """Puts so many videos into the sheet, the same ones first; their ids."""
        ids = [f"video_{each:07d}" for each in range(number)]
        for video in ids:
            path = self.folder / "videos" / f"{video}.mp4"
            if not path.exists():
                path.write_bytes(b"no video")
                os.utime(path, (1e9, 1e9))
        rows = "".join(f"{video}\tvideos/{video}.mp4\t170\n" for video in ids)
        sheet = f"video\tpath\theight_cm\n{rows}"
        (self.folder / "config/videos.tsv").write_text(sheet, encoding="utf-8")
        return ids

    def snakemake(self, *arguments: str) -> Cost:
        """Runs Snakemake in the folder."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(self.snakefile)]
        return measure([*command, "--cores", "2", *arguments], self.folder)

    def finish(self, number: int) -> None:
        """Makes it a finished project of so many videos."""
        (first, *_) = self.list_videos(1)
        for row in self.snakemake("--summary", "--quiet").said.splitlines():
            path = self.folder / row.partition("\t")[0]
            if row.startswith(("results", "resources")):
                make_output(path)
        self.snakemake("--touch", "--forceall", "--quiet")  # else of some there is no record
        others = self.list_videos(number)[1:]
        self._copy_outputs(first, others)
        self._copy_records(first, others)
        self.snakemake("--touch", "--quiet")  # the tables of all videos

    def _copy_outputs(self, first: str, others: Sequence[str]) -> None:
        files = [path for path in (self.videos / first).rglob("*") if path.is_file()]
        times_ns = [path.stat().st_mtime_ns for path in files]
        for video in others:
            for path, time_ns in zip(files, times_ns, strict=True):
                copy = self.videos / video / path.relative_to(self.videos / first)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.touch()
                os.utime(copy, ns=(time_ns, time_ns))

    def _copy_records(self, first: str, others: Sequence[str]) -> None:
        folder = self.folder / ".snakemake/metadata"
        records = {}
        for path in folder.rglob("*"):
            if path.is_file():
                name = str(path.relative_to(folder)).replace("/", "").replace("@", "")
                records[urlsafe_b64decode(name).decode()] = path.read_text(encoding="utf-8")
        for name, record in records.items():
            if first in name:
                for video in others:
                    path = record_path(folder, name.replace(first, video))
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(record.replace(first, video), encoding="utf-8")


def make_output(path: Path) -> None:
    """An empty file, or an empty directory as Snakemake knows it."""
    if path.name in DIRECTORIES:
        path.mkdir(parents=True, exist_ok=True)
        (path / TIMESTAMP).touch()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def record_path(folder: Path, name: str) -> Path:
    """Where Snakemake keeps the record of an output."""
    text = urlsafe_b64encode(name.encode()).decode()
    parts = [text[i : i + LONGEST_NAME] for i in range(0, len(text), LONGEST_NAME)]
    return folder.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])
