"""The benchmark's workflows: people are filmed, then measured by the imported main workflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TRIES = "benchmarks/results/try_of_2"  # whose files are not those of real runs


def plan(
    folder: Path, snakefile: str, cohort: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Asks Snakemake what it would do in `folder`, for the first two people of a cohort."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(BENCHMARKS / snakefile)]
    command += ["--cores", "1", "--dry-run", "--quiet", "rules"]
    command += ["--config", "adults=2", f"cohort={cohort}", *arguments]
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


def film(workplace: Path, cohort: str, *takes: str) -> None:
    """Makes the files that are there after two people have been filmed; some also unknown."""
    folder = workplace / TRIES / cohort
    (folder / "films").mkdir(parents=True)
    known, unknown = ["video\tpath\theight_cm"], ["video\tpath"]
    for video in [f"adult_{number:02d}-{take}" for number in (1, 2) for take in takes]:
        path = f"{TRIES}/{cohort}/films/{video}.mp4"
        (workplace / path).write_bytes(b"video")
        (folder / "films" / video).mkdir()
        known.append(f"{video}\t{path}\t170")
        if video.endswith("-turn") or cohort == "evaluation":
            unknown.append(f"{video}\t{path}")
    (folder / "videos.tsv").write_text("\n".join(known) + "\n")
    (folder / "videos_unknown.tsv").write_text("\n".join(unknown) + "\n")
    for table in ("truth.csv", "films.csv"):
        (folder / table).write_text("adult\n")


def test_everybody_is_filmed_in_one_job_and_some_are_dressed_again(workplace: Path) -> None:
    planned = jobs(plan(workplace, "cohort.smk", "evaluation"))
    assert planned["film_adult"] == planned["film_adult_again"] == 2
    assert planned["measure_truth"] == planned["list_cohort"] == 1


def test_the_page_is_told_which_recording_is_missing_and_where_it_comes_from(
    workplace: Path,
) -> None:
    said = plan(workplace, "cohort.smk", "repeats")
    message = said.stdout + said.stderr
    assert "benchmarks/recordings/walk_front.mp4" in message
    assert "Pose2Sim 0.10.49 (BSD-3-Clause)" in message


def test_pictures_are_looked_at_once_for_both_fits(workplace: Path) -> None:
    film(workplace, "evaluation", "turn", "front")
    for cohort, table in (("calibration", "quantiles.csv"), ("repeats", "repeatability.csv")):
        folder = workplace / TRIES / cohort
        folder.mkdir()
        (folder / table).touch()
        (folder / "spans.csv").touch()
        (folder / "truth.csv").touch()
    planned = jobs(plan(workplace, "accuracy.smk", "evaluation"))
    assert planned["tapeless_view_video"] == planned["tapeless_measure_video"] == 4
    assert planned["share_sight"] == planned["unknown_estimate_shape"] == 4
    assert planned["unknown_measure_video"] == 4
    assert planned["ablate_fit"] == 2
    assert planned["write_accuracy"] == planned["draw_accuracy"] == 1
    assert "unknown_view_video" not in planned


def test_intervals_are_calibrated_on_what_was_measured_and_checked_without_reports(
    workplace: Path,
) -> None:
    film(workplace, "calibration", "turn", "front")
    planned = jobs(plan(workplace, "accuracy.smk", "calibration"))
    assert planned["calibrate_intervals"] == 1
    assert planned["tapeless_measure_video"] == 4
    assert planned["unknown_measure_video"] == 2
    assert not [rule for rule in planned if "collect" in rule or "write" in rule]
    assert "use_intervals" not in planned  # two people are a try


def test_the_same_people_again_are_measured_with_their_heights(workplace: Path) -> None:
    film(workplace, "repeats", "turn", "turn_again", "turn_once_more")
    planned = jobs(plan(workplace, "accuracy.smk", "repeats"))
    assert planned["tapeless_view_video"] == 6
    assert planned["score_repeatability"] == 1
    assert not [rule for rule in planned if rule.startswith("unknown")]


def test_the_page_is_not_written_without_the_other_cohorts(workplace: Path) -> None:
    film(workplace, "evaluation", "turn", "front")
    said = plan(workplace, "accuracy.smk", "evaluation")
    assert said.returncode != 0
    assert "cohort=calibration" in said.stdout + said.stderr


def test_time_and_memory_are_measured_on_people_of_their_own(workplace: Path) -> None:
    film(workplace, "timed", "large")
    film(workplace, "speed", "long")
    planned = jobs(plan(workplace, "Snakefile", "evaluation"))
    assert planned["tapeless_estimate_shape"] == planned["tapeless_draw_video"] == 2
    assert planned["time_one_video"] == planned["write_benchmarks"] == 1
    assert planned["time_measuring"] == 1


def test_thousands_of_videos_are_planned_as_one_job_each_and_hundreds_in_every_way(
    workplace: Path,
) -> None:
    (workplace / "resources").mkdir()
    (workplace / "resources/anny_shape_space.npz").touch()
    (workplace / "docs").mkdir()
    (workplace / "docs/scaling.md").touch()
    planned = jobs(plan(workplace, "scaling.smk", "none", "--forcerun", "write_scaling"))
    assert planned["plan_videos"] == 2 + 2 + 3
    assert planned["time_short_videos"] == planned["time_collecting"] == 1
    assert planned["time_shared_containers"] == 1
    assert planned["write_scaling"] == 1


def test_all_kinds_of_faults_are_tried_one_after_the_other(workplace: Path) -> None:
    """Those of the default route and of the reference route; then the page is written."""
    (workplace / "resources").mkdir()
    (workplace / "resources/anny_shape_space.npz").touch()
    planned = jobs(plan(workplace, "faults.smk", "none"))
    tried = {"sample_damaged_videos", "measure_damaged_videos", "kill_runs", "kill_container_runs"}
    assert {rule for rule in planned if planned[rule] == 1} >= tried | {"hurt_runs", "write_faults"}


@pytest.mark.parametrize("part", ["scaling", "faults"])
def test_what_asks_for_the_body_model_comes_after_it_is_made(part: str) -> None:
    """Which a fresh clone has not."""
    asked = (BENCHMARKS / f"{part}.smk").read_text(encoding="utf-8")
    assert "resources/anny_shape_space.npz" in asked
    command = ["make", "--dry-run", f"bench-{part}"]
    said = subprocess.run(
        command, cwd=BENCHMARKS.parent, capture_output=True, text=True, check=True
    )
    before, found, _ = said.stdout.partition(f"benchmarks/{part}.smk")
    assert found
    assert "snakemake --cores" in before
    assert "resources/anny_shape_space.npz" in before


@pytest.mark.parametrize("snakefile", ["Snakefile", "accuracy.smk"])
def test_measuring_before_filming_says_what_to_do(workplace: Path, snakefile: str) -> None:
    said = plan(workplace, snakefile, "evaluation")
    assert said.returncode != 0
    assert "benchmarks/cohort.smk" in said.stdout + said.stderr
