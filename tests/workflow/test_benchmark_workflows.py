"""The benchmark's two workflows: people are filmed, then measured by the imported main workflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def plan(folder: Path, snakefile: str) -> subprocess.CompletedProcess[str]:
    """Asks Snakemake what it would do in `folder`, for a cohort of two."""
    config = folder / "pair.yaml"
    people = "{adults: 2, seed: 9, varied_beyond_prior: true}"
    config.write_text(f"cohort: pair\ncohorts: {{pair: {people}}}\n")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(BENCHMARKS / snakefile)]
    command += ["--cores", "1", "--dry-run", "--quiet", "rules", "--configfile", str(config)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def jobs(planned: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The number of jobs of each rule."""
    assert planned.returncode == 0, planned.stderr
    rows = (line.split() for line in (planned.stdout + planned.stderr).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder to run in, with the main workflow's own configuration."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("{}\n")
    return tmp_path


@pytest.fixture
def filmed(workplace: Path) -> Path:
    """The same folder after two people have been filmed."""
    cohort = workplace / "benchmarks" / "results" / "pair"
    (cohort / "videos").mkdir(parents=True)
    rows = ["video\tpath\theight_cm"]
    for adult in ("adult_01", "adult_02"):
        video = f"benchmarks/results/pair/videos/{adult}.mp4"
        (workplace / video).write_bytes(b"video")
        rows += [f"{adult}\t{video}\t170", f"{adult}-height_unknown\t{video}\t"]
    (cohort / "videos.tsv").write_text("\n".join(rows) + "\n")
    (cohort / "truth.csv").write_text("adult\n")
    return workplace


def test_everybody_is_filmed_once(workplace: Path) -> None:
    planned = jobs(plan(workplace, "cohort.smk"))
    assert planned["film_adult"] == 2
    assert planned["film_for_speed"] == planned["list_cohort"] == 1


def test_everybody_is_measured_with_and_without_their_height(filmed: Path) -> None:
    planned = jobs(plan(filmed, "Snakefile"))
    assert planned["tapeless_estimate_shape"] == planned["tapeless_draw_video"] == 4
    assert planned["score_accuracy"] == planned["score_cost"] == 1


def test_pages_are_written_of_the_evaluated_cohort_only(filmed: Path) -> None:
    assert "write_pages" not in jobs(plan(filmed, "Snakefile"))


def test_measuring_before_filming_says_what_to_do(workplace: Path) -> None:
    said = plan(workplace, "Snakefile")
    assert said.returncode != 0
    assert "benchmarks/cohort.smk" in said.stdout + said.stderr
