"""Times runs of many short videos, with one job a video, on each of some numbers of cores.

The body model's space exists already. Decoding, pose and fit alone are timed, too, one video after
another in a process that has its libraries loaded and one core. Writes one JSON file, and leaves
the results of the last run.
"""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from synthetic_project import measure

from tapeless.logs import job_log
from tapeless.pose.mediapipe import estimate_pose
from tapeless.shape.anny import Settings, estimate_bodies, read_frames
from tapeless.video import Sampling, sample_frames

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

MIN_VISIBILITY = 0.5
HEIGHT_CM = 170


def lay_out(folder: Path, films: list[Path], number: int, space: Path) -> None:
    """An empty working folder with a sheet of so many videos, which are films in turn."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("config", "resources"):
        (folder / name).mkdir(parents=True)
    shutil.copy(space, folder / "resources")
    (folder / "config/config.yaml").write_text("jobs_per_video: one\n", encoding="utf-8")
    rows = [
        f"video_{each:02d}\t{films[each % len(films)].absolute()}\t{HEIGHT_CM}\n"
        for each in range(number)
    ]
    sheet = "video\tpath\theight_cm\n" + "".join(rows)
    (folder / "config/videos.tsv").write_text(sheet, encoding="utf-8")


def time_essentials(film: Path, stages: Path, space: Path, folder: Path) -> dict[str, float]:
    """Seconds of decoding, pose and fit of one video; `stages` holds its keypoints."""
    shutil.rmtree(folder, ignore_errors=True)
    seconds = {}
    for name in ("decoding", "pose", "fit"):
        (folder / name).mkdir(parents=True)
        begin = time.perf_counter()
        if name == "decoding":
            sample_frames(film, folder / name, Sampling(), 1)
        elif name == "pose":
            estimate_pose(folder / "decoding", folder / name, min_visibility=MIN_VISIBILITY)
        else:
            frames = read_frames(stages / "keypoints", stages / "silhouettes")
            estimate_bodies(frames, space, Settings(stature_m=HEIGHT_CM / 100), 1)
        seconds[name] = time.perf_counter() - begin
    return seconds


def main(
    films: list[Path],
    space: Path,
    times: Path,
    *,
    folder: Path,
    number: int,
    cores: Sequence[int],
) -> None:
    """Writes `times`; there is a run for each number of `cores`."""
    snakefile = Path("Snakefile").absolute()
    runs = []
    for count in cores:
        lay_out(folder, films, number, space)
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
        cost = measure([*command, "--cores", str(count)], folder)
        runs.append({"cores": count, "wall_s": cost.wall_s, "cpu_s": cost.cpu_s})
    videos = folder / "results/videos"
    alone: dict[str, float] = {}
    time_essentials(films[0], videos / "video_00", space, folder / "alone")  # loads libraries
    for each in range(number):
        film = films[each % len(films)]
        stages = videos / f"video_{each:02d}"
        for name, seconds in time_essentials(film, stages, space, folder / "alone").items():
            alone[name] = alone.get(name, 0.0) + seconds
    content = {"videos": number, "runs": runs, "alone_s": alone}
    times.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(film) for film in snakemake.input.films],
            Path(snakemake.input.space),
            Path(snakemake.output.times),
            folder=Path(snakemake.params.folder),
            number=snakemake.params.number,
            cores=snakemake.params.cores,
        )
