"""What each stage cost, added up from the files that the jobs left."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from collect_benchmarks import main
from tapeless.watching.costs import read_stage_seconds

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"


def job(folder: Path, name: str, seconds: float, memory_mb: object, cpu_s: object) -> Path:
    path = folder / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    row = f"{seconds}\t0:00:01\t{memory_mb}\t1\t1\t1\t1\t1\t90\t{cpu_s}"
    path.write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    return path


def collect(folder: Path) -> dict[str, dict[str, str]]:
    """The rows of benchmarks.csv by stage, without empty cells."""
    main(folder, folder / "benchmarks.csv")
    with (folder / "benchmarks.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {row.pop("stage"): {k: v for k, v in row.items() if v} for row in rows}


def test_time_processor_and_memory_are_added_up_by_stage_the_dearest_first(tmp_path: Path):
    for video, seconds in (("anna.mp4", 10.0), ("ben.mp4", 30.0), ("v1.2.mp4", 20.0)):
        job(tmp_path, f"estimate_shape/{video}", seconds, 500 + seconds, 2 * seconds)
    job(tmp_path, "sample_frames/anna.mp4", 1.0, "-", "NA")  # too short for Snakemake to see
    job(tmp_path, "build_shape_space", 240.0, 900, 400)
    rows = collect(tmp_path)
    assert list(rows) == ["build_shape_space", "estimate_shape", "sample_frames"]
    assert rows["estimate_shape"] == {
        "jobs": "3",
        "seconds_total": "60.0",
        "seconds_median": "20.0",
        "seconds_max": "30.0",
        "cpu_seconds_total": "120.0",
        "memory_peak_mb": "530.0",
    }
    assert rows["sample_frames"] == {
        "jobs": "1",
        "seconds_total": "1.0",
        "seconds_median": "1.0",
        "seconds_max": "1.0",
    }


def test_what_containers_and_cards_used_stands_beside_it(tmp_path: Path):
    used = [("anna", 10.0, 9000, 90), ("ben", 30.0, 7000, 50)]
    for video, seconds, memory_mb, percent in used:
        facts = {
            "gpus": ["GPU-a"],
            "wall_time_s": seconds,
            "memory_peak_mb": 2000,
            "gpu_memory_peak_mb": memory_mb,
            "gpu_utilisation_percent": percent,
        }
        pose = job(tmp_path, f"estimate_pose/{video}", seconds, 100, 1)
        pose.with_suffix(".container.json").write_text(json.dumps(facts), encoding="utf-8")
        del facts["memory_peak_mb"]
        fit = job(tmp_path, f"estimate_shape/{video}", seconds, 100, 1)
        fit.with_suffix(".gpu.json").write_text(json.dumps(facts), encoding="utf-8")
    rows = collect(tmp_path)
    expected = {
        "gpu_seconds_total": "40.0",
        "gpu_memory_peak_mb": "9000.0",
        "gpu_utilisation_percent": "60.0",  # of 10 s at 90 % and 30 s at 50 %
    }
    assert expected.items() <= rows["estimate_pose"].items()
    assert expected.items() <= rows["estimate_shape"].items()
    assert rows["estimate_pose"]["container_memory_peak_mb"] == "2000.0"
    assert "container_memory_peak_mb" not in rows["estimate_shape"]


@pytest.mark.parametrize("content", ["", HEADER, f"{HEADER}\nnan\t", "\x00\xff"])
def test_a_file_that_is_not_whole_is_left_out(tmp_path: Path, content: str):
    job(tmp_path, "draw_video/anna", 5.0, 100, 4)
    (tmp_path / "draw_video/ben.tsv").write_text(content, encoding="utf-8")
    assert collect(tmp_path)["draw_video"]["jobs"] == "1"


def test_the_next_run_expects_what_this_one_took(tmp_path: Path):
    for video, seconds in (("anna", 10.0), ("ben", 30.0)):
        job(tmp_path, f"estimate_shape/{video}", seconds, 1, 1)
    collect(tmp_path)
    assert read_stage_seconds(tmp_path / "benchmarks.csv") == {"estimate_shape": 20.0}
    assert read_stage_seconds(tmp_path / "none.csv") == {}


@pytest.mark.parametrize(
    "damaged", [b"\xff\xfe", b"x" * 200_000, b"stage,jobs,seconds_total\nfit,1,nan\n"]
)
def test_nothing_is_told_of_the_future_by_a_damaged_table(tmp_path: Path, damaged: bytes):
    """Other than to stop the run that reads it, or the lines that say how far it is."""
    (tmp_path / "benchmarks.csv").write_bytes(damaged)
    assert read_stage_seconds(tmp_path / "benchmarks.csv") == {}
