"""All stages of a video up to its bodies, as one job.

Samples frames, finds everybody's joints, chooses the person to measure, cuts them out, hides faces
and fits the body model. Stages that need a graphics card or an environment of their own (OpenPose,
SHAPY) are left to jobs of theirs: then this one starts from the joints, or ends with silhouettes.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import blur_faces
import estimate_pose_mediapipe
import estimate_shape_anny
import sample_frames
import segment_person
import select_keypoints
from tapeless.jobs import Job, Stage, run_stages
from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def stages_of(job: Job) -> Iterator[Stage]:
    """The stages that make what the job is to write of these, in their order."""
    made = dict(job.output.items())
    if "pose" in made:
        yield from (sample_frames.run, estimate_pose_mediapipe.run)
    yield from (select_keypoints.run, segment_person.run, blur_faces.run)
    if "bodies" in made:
        yield estimate_shape_anny.run


if __name__ == "__main__":
    with job_log(snakemake.log.job):
        run_stages(snakemake, stages_of(snakemake))
