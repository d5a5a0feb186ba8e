"""Fits the Anny body model to a video: one body file per interleaved group of its usable frames.

Reads the keypoints, the silhouettes, what the file tells of its camera, and the shape space; writes
`estimate_1.npz` and so on.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.camera import Camera
from tapeless.gpu_usage import record_gpu_usage
from tapeless.gpus import use_gpus
from tapeless.jobs import Job, run_stages
from tapeless.logs import job_log
from tapeless.people import MAIN_PERSON, run_people_stage
from tapeless.shape.anny import Settings, estimate_bodies, read_frames

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    keypoints: Path,
    silhouettes: Path,
    space: Path,
    bodies: Path,
    settings: Settings,
    *,
    workers: int = 1,
    gpus: int = 0,
    usage_file: Path | None = None,
) -> None:
    """Writes the body files of each person, or the reason why there are none.

    What is used of graphics cards is written to `usage_file`.
    """

    def work(person: int, bodies: Path, keypoints: Path, silhouettes: Path) -> dict[str, int]:
        frames = read_frames(keypoints, silhouettes)
        known = settings if person == MAIN_PERSON else settings_of_others(settings)
        with use_gpus(gpus) as taken, meter.watch(taken):
            estimates = estimate_bodies(frames, space, known, workers)
        for number, body in enumerate(estimates, start=1):
            body.save(bodies / f"estimate_{number}.npz")
        used = sum(len(body.frames) for body in estimates)
        return {"estimates": len(estimates), "frames_used": used}

    with record_gpu_usage(usage_file) as meter:
        run_people_stage(bodies, [keypoints, silhouettes], work)


def settings_of_others(settings: Settings) -> Settings:
    """What is known of people besides the main person: the camera, and not what the sheet says."""
    return replace(
        settings, stature_m=None, mass_kg=None, sex=None, distance_m=None, object_px_per_m=None
    )


def with_camera(
    settings: Settings,
    camera: Camera,
    object_height_cm: float | None = None,
    object_height_px: float | None = None,
) -> Settings:
    """Settings with what a video's file tells of its lens, unless somebody measured that.

    An object of the sheet, given by its height and that in the video, tells how large things are.

    Raises:
        SheetError: if the object would be higher than the picture.
    """
    is_measured = settings.vertical_fov_degrees is not None
    angle = settings.vertical_fov_degrees if is_measured else camera.vertical_fov_degrees
    return replace(
        settings,
        vertical_fov_degrees=angle,
        fov_is_exact=is_measured,
        object_px_per_m=camera.frame_px_per_m(object_height_cm, object_height_px),
    )


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    settled, given = job.params.settled, job.params.given
    settings = Settings(
        stature_m=given["height_cm"] and given["height_cm"] / 100,
        mass_kg=given["mass_kg"],
        sex=given["sex"],
        vertical_fov_degrees=given["vertical_fov_degrees"],
        distance_m=given["distance_m"],
        estimates=settled["estimates"],
        min_frames=settled["min_frames"],
        device=settled["device"],
    )
    main(
        Path(job.input.keypoints),
        Path(job.input.silhouettes),
        Path(job.input.space),
        Path(job.output.bodies),
        with_camera(
            settings,
            Camera.read(Path(job.input.camera)),
            given["object_height_cm"],
            given["object_height_px"],
        ),
        workers=job.threads,
        gpus=job.resources.gpu,
        usage_file=Path(job.log.usage) if job.resources.gpu else None,
    )


if __name__ == "__main__":
    with job_log(snakemake.log.job):
        run_stages(snakemake, [run])
