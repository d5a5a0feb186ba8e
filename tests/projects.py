"""A folder with the workflow in it, for tests to run Snakemake in."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).parents[1]
PATIENCE_S = 300
CODE_FOLDERS = [
    "config",
    "containers",
    "envs",
    "profiles",
    "report",
    "rules",
    "schemas",
    "scripts",
    "workflow",
]

# Plugins of clusters and storage, which runs of other tests do not load: tools/setup.
PLUGINS = Path(sys.prefix) / "plugins"

# Few and small frames, so that a run takes seconds; the body model is that of the whole clone.
QUICK = {
    "sampling": {"frames": 8, "longest_side_px": 400},
    "selection": {"min_frames": 4, "min_person_height_px": 100},
    "shape": {"estimates": 2},
    "pathvars": {"resources": str(ROOT / "resources")},
}


@dataclass(frozen=True)
class Project:
    """A folder with the workflow in it, in which Snakemake runs."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """With the library of this project, not that of the clone."""
        return os.environ | {"PYTHONPATH": str(self.folder / "scripts")}

    def snakemake(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs Snakemake to its end, well or not; what it said is in `stdout`."""
        return self._start(self.command(*arguments), environment or {})

    def run(self, *arguments: str) -> str:
        """Runs Snakemake, which must end well; what it said."""
        return self.run_command(self.command(*arguments))

    def run_command(self, command: Sequence[str], status: int = 0) -> str:
        """Runs a command in the project, which must end with a status; what it said."""
        run = self._start(command, {})
        assert run.returncode == status, run.stdout
        return run.stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A run of its own process group, so that killing it kills nothing else; see `run.log`."""
        with (self.folder / "run.log").open("wb") as log:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )

    def plan(self, *arguments: str) -> dict[str, set[str]]:
        """What a run would do: the videos that each rule would run for ("" where it is for all)."""
        said = self.run(*arguments, "--summary", "--quiet")
        table = said[said.index("output_file\t") :].splitlines()
        plan: dict[str, set[str]] = {}
        for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["plan"] == "update pending":
                parts = Path(row["output_file"]).parts
                video = parts[2] if parts[:2] == ("results", "videos") else ""
                plan.setdefault(row["rule"], set()).add(video)
        return plan

    def configure(self, **groups: Any) -> None:
        """Sets keys of config.yaml, inside groups too."""
        path = self.folder / "config/config.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, value in groups.items():
            config[key] = config.get(key, {}) | value if isinstance(value, dict) else value
        path.write_text(yaml.safe_dump(config), encoding="utf-8")

    def write_sheet(self, *rows: Mapping[str, object]) -> None:
        """Writes config/videos.tsv."""
        with (self.folder / "config/videos.tsv").open("w", encoding="utf-8", newline="") as file:
            columns = sorted({column for row in rows for column in row} | {"video", "path"})
            table = csv.DictWriter(file, columns, dialect="excel-tab")
            table.writeheader()
            table.writerows(rows)

    def read_summary(self) -> dict[str, dict[str, str]]:
        """The rows of summary.csv by video."""
        with (self.results / "summary.csv").open(encoding="utf-8", newline="") as file:
            return {row["video"]: row for row in csv.DictReader(file)}

    def reports(self) -> dict[str, bytes]:
        """What a user opens: the tables of the project and of its videos, and their pictures."""
        return {
            str(path.relative_to(self.results)): path.read_bytes()
            for path in self.results.rglob("*")
            if path.name in ("summary.csv", "measurements.csv", "statistics.csv", "outcome.json")
            or path.suffix == ".png"
        }

    def scripts_at_work(self) -> list[psutil.Process]:
        """Processes of jobs, whoever started them."""
        folder = str(self.folder / ".snakemake/scripts")
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(word.startswith(folder) for word in process.info["cmdline"] or ())
        ]

    def read_outcome(self, video: str, stage: str = "") -> dict[str, Any]:
        path = self.results / "videos" / video / stage / "outcome.json"
        outcome: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return outcome


@dataclass(frozen=True)
class PluggedProject(Project):
    """A project in which Snakemake has the plugins of clusters and storage."""

    @property
    def environment(self) -> dict[str, str]:
        paths = (str(self.folder / "scripts"), str(PLUGINS))
        return super().environment | {"PYTHONPATH": os.pathsep.join(paths)}


def make_project(folder: Path) -> Project:
    """A copy of the workflow, without videos or results."""
    (folder / "videos").mkdir(parents=True)
    ignored = shutil.ignore_patterns("*.egg-info", "videos.tsv", "*.pins.yaml")
    for name in CODE_FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy2(ROOT / "Snakefile", folder)
    project = Project(folder)
    project.configure(**QUICK)
    return project


def obstacles(said: str) -> dict[str, list[str]]:
    """What a run names that keeps it from starting, by name."""
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        if line.startswith("  - "):
            name, _, text = line.removeprefix("  - ").partition(": ")
            found.setdefault(name, []).append(text)
    return found


def wait_for(happened: Callable[[], bool], run: subprocess.Popen[bytes]) -> None:
    """Waits until something happens, which must be before the run ends."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert run.poll() is None, "the run ended before it happened"
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


SHEET = (
    {"video": "walk", "path": "videos/walk.mp4", "height_cm": 170},
    {"video": "text", "path": "videos/text.mp4", "height_cm": ""},
)
