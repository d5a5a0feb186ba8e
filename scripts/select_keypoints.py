"""Keeps the frames that are fit to measure the one person of a video, or each of several.

Reads the sampled frames, their table and everybody found in them (OpenPose JSON, from any
detector); writes a directory with one OpenPose JSON file per frame kept, each with exactly one
person, and a table with a row for every sampled frame: kept, or the reason why not. With `people:
all` the directory has a folder for each person, and the table a row for each person and frame. The
table is written also when the video is rejected.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.jobs import Job
from tapeless.logs import job_log
from tapeless.outcomes import run_stage
from tapeless.selection import (
    Rules,
    read_footage,
    select_everybody,
    select_main_person,
    write_table,
)
from tapeless.video.recall import recall_frames_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    frames: Path,
    frames_table: Path,
    pose: Path,
    keypoints: Path,
    table: Path,
    *,
    rules: Rules,
    people: str = "dominant",
) -> None:
    """Runs the stage for one video; `people` is `dominant` or `all`."""
    select = select_everybody if people == "all" else select_main_person

    def work() -> Mapping[str, int]:
        return select(read_footage(frames, frames_table, pose), keypoints, table, rules)

    write_table(table, {})
    run_stage(keypoints, [frames, pose], work)


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    recall_frames_of(job)
    settled = job.params.settled
    main(
        Path(job.input.frames),
        Path(job.input.frames_table),
        Path(job.input.pose),
        Path(job.output.keypoints),
        Path(job.output.keypoints_table),
        rules=Rules(
            min_frames=settled["min_frames"],
            min_person_height_px=settled["min_person_height_px"],
            min_sharpness=settled["min_sharpness"],
        ),
        people=settled["people"],
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        run(snakemake)
