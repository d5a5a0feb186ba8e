"""Times one long video, from the command `snakemake` to its reports and contact sheet.

Then decoding, pose, silhouettes and fit alone, each in a process that has loaded its libraries,
to tell what the rest costs. The body model's space exists already: it is made once, not per video.
Writes one JSON file.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from score_cost import read_costs

from tapeless.logs import job_log
from tapeless.pose.mediapipe import estimate_pose
from tapeless.shape.anny import Settings, estimate_bodies, read_frames
from tapeless.silhouettes import segment_person
from tapeless.video import Sampling, sample_frames

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

MIN_VISIBILITY = 0.5


def run_workflow(folder: Path, snakefile: Path, cores: int) -> float:
    """Runs the main workflow in `folder` as a user does; returns the seconds it took."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    begin = time.perf_counter()
    subprocess.run([*command, "--cores", str(cores)], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begin


def prepare_folder(folder: Path, video: Path, height_m: float, space: Path) -> None:
    """Lays out an empty working folder with a sheet of one video."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("config", "resources"):
        (folder / name).mkdir(parents=True)
    shutil.copy(space, folder / "resources")
    (folder / "config" / "config.yaml").write_text("{}\n")
    row = {"video": "adult", "path": str(video.absolute()), "height_cm": round(100 * height_m, 1)}
    pd.DataFrame([row]).to_csv(folder / "config" / "videos.tsv", sep="\t", index=False)


def time_essentials(
    folder: Path, video: Path, height_m: float, space: Path, cores: int
) -> dict[str, float]:
    """Seconds of decoding and of each model's inference on the frames of `video`."""
    kept = folder / "results" / "videos" / "adult" / "keypoints"
    stages: dict[str, Callable[[Path], object]] = {
        "frames": lambda output: sample_frames(video, output, Sampling(), cores),
        "pose": lambda output: estimate_pose(
            output.parent / "frames", output, min_visibility=MIN_VISIBILITY
        ),
        "silhouettes": lambda output: segment_person(output.parent / "frames", kept, output),
        "bodies": lambda output: estimate_bodies(
            read_frames(kept, output.parent / "silhouettes"),
            space,
            Settings(stature_m=height_m),
            cores,
        ),
    }
    seconds = {}
    for name, stage in stages.items():
        output = folder / "essentials" / name
        output.mkdir(parents=True)
        begin = time.perf_counter()
        stage(output)
        seconds[name] = time.perf_counter() - begin
    return seconds


def main(
    video: Path, truth: Path, space: Path, times: Path, *, snakefile: Path, cores: int
) -> None:
    """Writes `times`."""
    height_m = float(pd.read_csv(truth)["height"].iloc[0])
    folder = times.parent / "run"
    prepare_folder(folder, video, height_m, space)
    wall_s = run_workflow(folder, snakefile, cores)
    jobs = read_costs(folder / "results" / "benchmarks")
    kept = folder / "results" / "videos" / "adult" / "keypoints"
    content = {
        "cores": cores,
        "frames": len(list(kept.glob("frame_*.json"))),
        "wall_seconds": wall_s,
        "largest_memory_mb": jobs["memory_mb"].max(),
        "stages": dict(zip(jobs["stage"], jobs["seconds"], strict=True)),
        "essential_seconds": time_essentials(folder, video, height_m, space, cores),
    }
    times.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.video),
            Path(snakemake.input.truth),
            Path(snakemake.input.space),
            Path(snakemake.output.times),
            snakefile=Path(snakemake.params.snakefile),
            cores=snakemake.threads,
        )
