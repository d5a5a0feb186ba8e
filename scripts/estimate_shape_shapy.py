"""Estimates a body for each usable frame of a video, with SHAPY in a container.

Reads the frames, the keypoints of the one person, and the user's own download of SHAPY; writes
`estimate_1.npz` and so on in time order, `left_out.csv` with the frames that have none, and, when
asked for, `shapy/` with SHAPY's own meshes and overlays. The container may look at other videos,
too, that wait for it.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.containers import Allowance, expect_usage
from tapeless.containers.sharing import Sharing, clear_shelf
from tapeless.containers.waiting import find_sharing
from tapeless.logs import job_log
from tapeless.people import MAIN_PERSON, people_of, run_people_stage
from tapeless.seals import seal
from tapeless.shape.shapy import Settings, estimate_bodies
from tapeless.shape.shapy_frames import LeftOut
from tapeless.video.recall import recall_frames_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    frames: Path,
    keypoints: Path,
    bodies: Path,
    settings: Settings,
    allowance: Allowance,
    sharing: Sharing | None = None,
) -> None:
    """Writes the body files, or the reason why there are none."""
    left_out = {person: LeftOut() for person in people_of(keypoints)}

    def work(person: int, own_bodies: Path, _frames: Path, own_keypoints: Path) -> dict[str, int]:
        # the height given is that of the main person
        own = settings if person == MAIN_PERSON else replace(settings, stature_m=None)
        others = left_out[person]
        estimates = estimate_bodies(
            frames, own_keypoints, own_bodies, own, allowance, others, sharing
        )
        for number, body in enumerate(estimates, start=1):
            body.save(own_bodies / f"estimate_{number}.npz")
        used = len(estimates)
        return {"estimates": used, "frames_used": used, "frames_left_out": len(others.reasons)}

    run_people_stage(bodies, [frames, keypoints], work)
    clear_shelf(bodies)
    for person, folder in people_of(bodies).items():
        left_out[person].write(folder / "left_out.csv")
    seal(bodies)  # with these


if __name__ == "__main__":
    with job_log(snakemake.log.job), expect_usage(Path(snakemake.log.usage)):
        recall_frames_of(snakemake)
        height_cm = snakemake.params.given["height_cm"]
        settled = snakemake.params.settled
        main(
            Path(snakemake.input.frames),
            Path(snakemake.input.keypoints),
            Path(snakemake.output.bodies),
            Settings(
                data=Path(snakemake.config["shape"]["shapy"]["data"]).expanduser(),
                stature_m=height_cm and height_cm / 100,
                min_frames=settled["min_frames"],
                meshes=settled["meshes"],
                pictures=settled["pictures"],
            ),
            Allowance.of(snakemake),
            find_sharing(snakemake),
        )
