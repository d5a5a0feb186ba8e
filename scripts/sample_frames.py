"""Takes pictures of a video, evenly spaced in time.

Reads a video file; writes a directory with `frame_000001.png`, ..., `recipe.json` (how to take the
same pictures again) and `outcome.json`, a table with time, frame of the video, size and sharpness
of each, and what the file tells of its camera. A file that is no video, or shows nothing in the
chosen span, is rejected; its table has no rows, and of its camera nothing is known.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.camera import Camera
from tapeless.constancy import expect_unchanged
from tapeless.containers import expect_usage
from tapeless.jobs import Job
from tapeless.logs import job_log
from tapeless.outcomes import run_stage
from tapeless.video import Sampling, Tools, probe, sample_clip, write_table
from tapeless.video.describe import describe_camera
from tapeless.video.programs import HOST_TOOLS
from tapeless.video.recall import write_recipe

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    video: Path,
    frames: Path,
    table: Path,
    camera: Path,
    *,
    sampling: Sampling,
    threads: int = 2,
    tools: Tools = HOST_TOOLS,
    content: str | None = None,
) -> None:
    """Runs the stage for one video.

    `content` identified the file when the run was planned; None if nothing did.
    """
    write_table(table, [])
    Camera().write(camera)

    def work() -> Mapping[str, int]:
        clip = probe(video, tools)
        sampled = sample_clip(clip, frames, sampling, threads, tools)
        write_table(table, sampled)
        describe_camera(clip, sampled[0], sampling.rotate).write(camera)
        write_recipe(frames, video, sampling, tools)
        return {"frames_sampled": len(sampled)}

    with expect_unchanged(video, content):
        run_stage(frames, [], work)


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    settled, given = job.params.settled, job.params.given
    is_in_container = job.config["sampling"]["ffmpeg"] == "container"
    usage_file = Path(job.log.usage) if is_in_container else None
    with expect_usage(usage_file):
        main(
            Path(job.params.path),
            Path(job.output.frames),
            Path(job.output.frames_table),
            Path(job.output.camera),
            sampling=Sampling(
                frames=settled["frames"],
                fps=settled["fps"],
                start_s=given["start_s"],
                end_s=given["end_s"],
                rotate=settled["rotate"],
                longest_side_px=settled["longest_side_px"],
                hwaccel=settled["hwaccel"],
            ),
            threads=job.threads,
            # else a verdict on another file would count as one on this, should this one come back
            content=job.params.content,
            tools=Tools(
                containers=job.config["containers"] if is_in_container else None,
                labels={"rule": "sample_frames", "video": job.wildcards.video},
                usage_file=usage_file,
            ),
        )


if __name__ == "__main__":
    with job_log(snakemake.log.job):
        run(snakemake)
