"""Estimates a body for each usable frame of a video, with SHAPY in a container.

Reads the frames, the keypoints of the one person, and the user's own download of SHAPY; writes
`estimate_1.npz` and so on in time order, `left_out.csv` with the frames that have none, and, when
asked for, `shapy/` with SHAPY's own meshes and overlays.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.containers import Allowance, expect_usage
from tapeless.logs import job_log
from tapeless.outcomes import run_stage
from tapeless.shape.shapy import Settings, estimate_bodies
from tapeless.shape.shapy_frames import LeftOut
from tapeless.video.recall import recall_frames

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    frames: Path, keypoints: Path, bodies: Path, settings: Settings, allowance: Allowance
) -> None:
    """Writes the body files, or the reason why there are none."""
    left_out = LeftOut()

    def work() -> dict[str, int]:
        estimates = estimate_bodies(frames, keypoints, bodies, settings, allowance, left_out)
        for number, body in enumerate(estimates, start=1):
            body.save(bodies / f"estimate_{number}.npz")
        used, others = len(estimates), len(left_out.reasons)
        return {"estimates": used, "frames_used": used, "frames_left_out": others}

    run_stage(bodies, [frames, keypoints], work)
    left_out.write(bodies / "left_out.csv")


if __name__ == "__main__":
    usage_file = Path(snakemake.log.usage)
    with job_log(snakemake.log.job), expect_usage(usage_file):
        recall_frames(
            Path(snakemake.input.frames),
            containers=snakemake.config["containers"],
            labels={"rule": snakemake.rule, "video": snakemake.wildcards.video},
            threads=snakemake.threads,
        )
        main(
            Path(snakemake.input.frames),
            Path(snakemake.input.keypoints),
            Path(snakemake.output.bodies),
            Settings(
                data=Path(snakemake.config["shape"]["shapy"]["data"]).expanduser(),
                stature_m=snakemake.params.height_cm and snakemake.params.height_cm / 100,
                min_frames=snakemake.params.min_frames,
                meshes=snakemake.params.meshes,
                pictures=snakemake.params.pictures,
            ),
            Allowance(
                settings=snakemake.config["containers"],
                labels={"rule": "estimate_shape", "video": snakemake.wildcards.video},
                gpus=snakemake.resources.gpu,
                memory_mb=snakemake.resources.mem_mb,
                usage_file=usage_file,
            ),
        )
