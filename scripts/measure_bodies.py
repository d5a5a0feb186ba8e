"""Measures every estimate of the person of a video.

Reads the body files; writes a directory with a pickle per estimate, a plain dict of measurement
name to SI value, and a table with a row per estimate. The table of a rejected video has no rows.
Given SHAPY's landmark files, its own measurements of its bodies are added.
"""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapeless.bodies import Body, InvalidBodyError
from tapeless.logs import job_log
from tapeless.measurements import load_table, measure_body
from tapeless.outcomes import run_stage
from tapeless.reports import write_table
from tapeless.shapy_landmarks import Landmark, load_landmarks
from tapeless.shapy_measurements import TOPOLOGY, measure_as_shapy

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PICKLE_PROTOCOL = 4
MICROMETRES = 6


def measure_estimates(
    bodies: Path, measurements: Path, landmarks: Mapping[str, Landmark]
) -> list[dict[str, Any]]:
    """Measures every body file of a directory and writes its pickle.

    Args:
        bodies: the directory of the body files.
        measurements: where the pickles go.
        landmarks: SHAPY's; none, and its own measurements are left out.

    Returns:
        A row per estimate: `estimate`, a column per measurement with its SI unit, `scale`, and
        `frames`, the number of frames that it rests on.

    Raises:
        FileNotFoundError: if there is no body file.
        InvalidBodyError: naming the body file that is wrong, and how.
        InvalidLandmarksError: if SHAPY's landmarks are not on its bodies.
    """
    paths = sorted(bodies.glob("estimate_*.npz"), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise FileNotFoundError(f"{bodies}: no estimate_*.npz, though the stage before succeeded")
    rows = []
    for path in paths:
        body = Body.load(path)
        try:
            values = measure_body(body)
            if landmarks and body.topology == TOPOLOGY:
                values |= measure_as_shapy(body, landmarks)
        except InvalidBodyError as error:
            raise InvalidBodyError(f"{path}: {error}") from error
        target = measurements / f"{path.stem}.pkl"
        target.write_bytes(pickle.dumps(values, protocol=PICKLE_PROTOCOL))
        rows.append(
            {
                "estimate": path.stem,
                **columns_of(values),
                "scale": body.scale,
                "frames": len(body.frames),
            }
        )
    return rows


def columns_of(values: Mapping[str, float]) -> dict[str, float]:
    """The measurements of one estimate, by column of the table."""
    records = load_table().present(lambda record: record.name in values)
    return {record.si_column: round(values[record.name], MICROMETRES) for record in records}


def main(
    bodies: Path, measurements: Path, table: Path, landmark_files: Sequence[Path] = ()
) -> None:
    """Runs the stage for one video; `landmark_files` are SHAPY's two, or none."""
    rows: list[dict[str, Any]] = []

    def work() -> dict[str, int]:
        landmarks = load_landmarks(*landmark_files) if landmark_files else {}
        rows.extend(measure_estimates(bodies, measurements, landmarks))
        return {"estimates": len(rows)}

    run_stage(measurements, [bodies], work)
    records = load_table().present(lambda record: any(record.si_column in row for row in rows))
    columns = [record.si_column for record in records]
    write_table(table, ["estimate", *columns, "scale", "frames"], rows)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.bodies),
            Path(snakemake.output.measurements),
            Path(snakemake.output.measurements_table),
            [Path(file) for file in snakemake.input.landmarks],
        )
