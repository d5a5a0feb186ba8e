"""A folder in which the real workflow runs, for things to go wrong in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

CLONE = Path(__file__).resolve().parents[2]

QUICK: Mapping[str, Any] = {
    "jobs_per_video": "many",
    "sampling": {"frames": 8, "longest_side_px": 400},
    "selection": {"min_frames": 4, "min_person_height_px": 100},
    "shape": {"estimates": 2},
}
"""Few and small frames: what may go wrong does not depend on their number."""

_HOLDS_TIMES = ("logs", "benchmarks", "provenance.json", "progress.json", "benchmarks.csv")
_OF_ONE_RUN = (".snakemake_timestamp", ".tapeless.lock")
_RUN_LIMIT_S = 6 * 3600


@dataclass(frozen=True)
class Workplace:
    """A folder with videos and a configuration; the workflow is that of this clone.

    `cores` is how many Snakemake may use, `resources` where the body model lies.
    """

    folder: Path
    cores: int = 2
    resources: Path = CLONE / "resources"

    @property
    def results(self) -> Path:
        """Where the runs write."""
        return self.folder / "results"

    def lay_out(self, videos: Sequence[Path], config: Mapping[str, Any] = QUICK) -> None:
        """Makes the folder anew, with these videos and this configuration, and nothing done."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("config", "videos"):
            (self.folder / name).mkdir(parents=True)
        for video in videos:
            copy = self.folder / "videos" / video.name
            subprocess.run(["cp", "-p", "--sparse=always", video, copy], check=True)
        pathvars = {"pathvars": {"resources": str(self.resources)}}
        text = yaml.safe_dump({**config, **pathvars})
        (self.folder / "config/config.yaml").write_text(text, encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        """How Snakemake is started."""
        snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(CLONE / "Snakefile")]
        return [*snakemake, "--cores", str(self.cores), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that Snakemake is started with."""
        return os.environ | {"PYTHONPATH": str(CLONE / "scripts")}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A run in a process group of its own; what it says is added to `run.log`."""
        with (self.folder / "run.log").open("ab") as log:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *arguments: str) -> int:
        """A run to its end; its exit status.

        Raises:
            subprocess.TimeoutExpired: if it does not end.
        """
        return self.start(*arguments).wait(_RUN_LIMIT_S)

    def said(self) -> str:
        """What all runs have said."""
        return (self.folder / "run.log").read_text(encoding="utf-8", errors="replace")

    def reports(self) -> dict[str, bytes]:
        """All that the runs have made but what carries times or processes, by name."""
        files = (path for path in sorted(self.results.rglob("*")) if path.is_file())
        named = ((path.relative_to(self.results), path) for path in files)
        return {
            str(name): path.read_bytes()
            for name, path in named
            if name.parts[0] not in _HOLDS_TIMES and name.name not in _OF_ONE_RUN
        }

    def workers(self) -> list[psutil.Process]:
        """The processes of jobs in this folder, whoever started them."""
        scripts = f"{self.folder / '.snakemake/scripts'}{os.sep}"
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(word.startswith(scripts) for word in process.info["cmdline"] or ())
        ]

    def left_over(self) -> int:
        """How many processes of jobs there are, which should be none when no run is at work."""
        return len(self.workers())


def differences(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """The names of files that are not the same, or not there, in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
