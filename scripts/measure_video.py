"""All stages that follow when a video has its bodies, as one job.

Measures the bodies, checks whether the numbers are to be believed, sums up the video, draws its
contact sheet and, unless they are to be kept, deletes the sampled frames.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import check_video
import draw_video
import measure_bodies
import summarize_video
from tapeless.jobs import Job, Stage, run_stages
from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def forget_frames(job: Job) -> None:
    """Deletes the sampled frames, as the rule of that name does."""
    for picture in Path(job.input.frames).rglob("*.png"):  # those of a killed recall, too
        picture.unlink()
    Path(job.output.forgotten).touch()


def stages_of(job: Job) -> Iterator[Stage]:
    """The stages that make what the job is to write of these, in their order."""
    yield from (measure_bodies.run, check_video.run, summarize_video.run, draw_video.run)
    if "forgotten" in dict(job.output.items()):
        yield forget_frames


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        run_stages(snakemake, stages_of(snakemake))
