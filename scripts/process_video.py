"""All stages of a video as one job: those of view_video.py, then those of measure_video.py."""

from typing import TYPE_CHECKING

import measure_video
import view_video
from tapeless.jobs import run_stages
from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    with job_log(snakemake.log.job):
        viewing, measuring = (part.stages_of(snakemake) for part in (view_video, measure_video))
        run_stages(snakemake, (*viewing, *measuring))
