"""Sums up one video: what its estimates say together, and the video's final verdict.

Reads the measurements of every estimate, the table of sampled frames and the verdict of the stages
before; writes `statistics.csv` (pandas' `describe()` in centimetres and kilograms, and the 95 %
interval of the median) and `outcome.json`. The statistics of a rejected video have no rows.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tapeless.intervals import load_uncertainty
from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.outcomes import Outcome
from tapeless.reports import write_json, write_table
from tapeless.statistics import STATISTICS_COLUMNS, scale_of, summarize

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def final_verdict(
    outcome: Outcome, keypoints: pd.DataFrame, estimates: pd.DataFrame
) -> dict[str, Any]:
    """What the reports say of a video besides its measurements.

    Args:
        outcome: the verdict of the last stage, which hands on that of the stage that rejected.
        keypoints: a row per sampled frame.
        estimates: a row per estimate, with its `scale` and the number of its `frames`.
    """
    return {
        "outcome": "ok" if outcome.is_ok else "rejected",
        "code": outcome.code,
        "reason": outcome.reason,
        "frames_sampled": len(keypoints),
        "frames_used": int(estimates["frames"].sum()),
        "estimates": len(estimates),
        "scale": scale_of(estimates) if len(estimates) else None,
    }


def main(
    measurements: Path,
    measurements_table: Path,
    keypoints_table: Path,
    statistics: Path,
    verdict: Path,
    *,
    video: str,
    subject: str | None,
    pose_backend: str,
    shape_backend: str,
) -> None:
    """Sums up one video."""
    estimates = pd.read_csv(measurements_table)
    frame = summarize(
        estimates,
        load_table(),
        load_uncertainty(),
        video=video,
        subject=subject or "",
        shape_backend=shape_backend,
    )
    write_table(statistics, STATISTICS_COLUMNS, frame.to_dict("records"))
    about = {
        "video": video,
        "subject": subject or "",
        "pose_backend": pose_backend,
        "shape_backend": shape_backend,
    }
    keypoints = pd.read_csv(keypoints_table)
    write_json(verdict, about | final_verdict(Outcome.read(measurements), keypoints, estimates))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.measurements),
            Path(snakemake.input.measurements_table),
            Path(snakemake.input.keypoints_table),
            Path(snakemake.output.statistics),
            Path(snakemake.output.outcome),
            video=snakemake.params.video,
            subject=snakemake.params.subject,
            pose_backend=snakemake.params.pose_backend,
            shape_backend=snakemake.params.shape_backend,
        )
