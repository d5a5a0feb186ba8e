"""Measures every estimate of each person of a video.

Reads the body files; writes a directory with a pickle per estimate, a plain dict of measurement
name to SI value, and a table with a row per estimate. The table of a rejected video has no rows.
Given SHAPY's landmark files, its own measurements of its bodies are added. The configuration may
add measurements of the user's own, and the raw contour beside each girth.
"""

import pickle
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapeless.bodies import Body, InvalidBodyError
from tapeless.jobs import Job
from tapeless.logs import job_log
from tapeless.measurements import MeasuredBody, Table, load_table, measure
from tapeless.people import run_people_stage
from tapeless.seals import seal
from tapeless.shapy_landmarks import Landmark, load_landmarks
from tapeless.shapy_measurements import TOPOLOGY, measure_as_shapy
from tapeless.writing import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PICKLE_PROTOCOL = 4
MICROMETRES = 6


def measure_estimates(
    bodies: Path,
    measurements: Path,
    landmarks: Mapping[str, Landmark],
    table: Table,
    *,
    contours: bool = False,
) -> list[dict[str, Any]]:
    """Measures every body file of a directory and writes its pickle.

    Args:
        bodies: the directory of the body files.
        measurements: where the pickles go.
        landmarks: SHAPY's; none, and its own measurements are left out.
        table: what is measured.
        contours: whether the raw contour of each girth is added.

    Returns:
        A row per estimate: `estimate`, a column per measurement with its SI unit, `scale`,
        `frames`, the number of frames that it rests on, and `flags`.

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
            measured = measure(body, table)
            values = dict(measured.values)
            if landmarks and body.topology == TOPOLOGY:
                values |= measure_as_shapy(body, landmarks)
        except InvalidBodyError as error:
            raise InvalidBodyError(f"{path}: {error}") from error
        target = measurements / f"{path.stem}.pkl"
        target.write_bytes(pickle.dumps(values, protocol=PICKLE_PROTOCOL))
        rows.append(
            {
                "estimate": path.stem,
                **columns_of(values, table),
                **(contours_of(measured, table) if contours else {}),
                "scale": body.scale,
                "frames": len(body.frames),
                "flags": ";".join(
                    f"{name}={flag}" for name, flags in measured.flags.items() for flag in flags
                ),
            }
        )
    return rows


def columns_of(values: Mapping[str, float], table: Table) -> dict[str, float]:
    """The measurements of one estimate, by column of the table."""
    return {
        record.si_column: round(values[record.name], MICROMETRES)
        for record in table.present(lambda record: record.name in values)
        if record.name in values  # of `MAIN`, too, a body may lack what it rests on
    }


def contours_of(measured: MeasuredBody, table: Table) -> dict[str, float]:
    """The raw contours of the girths of one estimate, by column of the table."""
    return {
        record.contour_column: round(measured.contours[record.name], MICROMETRES)
        for record in table.measurements
        if record.name in measured.contours
    }


def table_columns(rows: Iterable[Mapping[str, Any]], table: Table) -> list[str]:
    """The columns of a table: those of measurements that a row has, in the order of the reports."""
    seen = {column for row in rows for column in row}
    columns = []
    for record in table.present(lambda record: record.si_column in seen):
        columns.append(record.si_column)
        columns += {record.contour_column} & seen
    return ["estimate", "person", *columns, "scale", "frames", "flags"]


def main(
    bodies: Path,
    measurements: Path,
    table_file: Path,
    landmark_files: Sequence[Path] = (),
    *,
    custom: Sequence[Mapping[str, Any]] = (),
    contours: bool = False,
) -> None:
    """Runs the stage for one video; `landmark_files` are SHAPY's two, or none."""
    rows: list[dict[str, Any]] = []
    table = load_table(custom=custom)

    def work(person: int, output: Path, upstream: Path) -> dict[str, int]:
        landmarks = load_landmarks(*landmark_files) if landmark_files else {}
        found = measure_estimates(upstream, output, landmarks, table, contours=contours)
        rows.extend({**row, "person": person} for row in found)
        return {"estimates": len(found)}

    run_people_stage(measurements, [bodies], work)
    write_table(table_file, table_columns(rows, table), rows)
    seal(measurements)  # with the table


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    main(
        Path(job.input.bodies),
        Path(job.output.measurements),
        Path(job.output.measurements_table),
        [Path(file) for file in job.input.landmarks],
        custom=job.params.settled["custom"],
        contours=job.params.settled["contours"],
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        run(snakemake)
