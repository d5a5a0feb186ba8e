"""Measures every estimate of the person of a video.

Reads the body files; writes a directory with a pickle per estimate, a plain dict of measurement
name to SI value, and a table with a row per estimate. The table of a rejected video has no rows.
"""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapeless.bodies import Body, InvalidBodyError
from tapeless.logs import job_log
from tapeless.measurements import load_table, measure_body
from tapeless.outcomes import run_stage
from tapeless.reports import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PICKLE_PROTOCOL = 4
MICROMETRES = 6


def measure_estimates(bodies: Path, measurements: Path) -> list[dict[str, Any]]:
    """Measures every body file of a directory and writes its pickle.

    Returns:
        A row per estimate: `estimate`, a column per measurement with its SI unit, `scale`, and
        `frames`, the number of frames that it rests on.

    Raises:
        FileNotFoundError: if there is no body file.
        InvalidBodyError: naming the body file that is wrong, and how.
    """
    paths = sorted(bodies.glob("estimate_*.npz"), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise FileNotFoundError(f"{bodies}: no estimate_*.npz, though the stage before succeeded")
    rows = []
    for path in paths:
        body = Body.load(path)
        try:
            values = measure_body(body)
        except InvalidBodyError as error:
            raise InvalidBodyError(f"{path}: {error}") from error
        target = measurements / f"{path.stem}.pkl"
        target.write_bytes(pickle.dumps(values, protocol=PICKLE_PROTOCOL))
        columns = {
            record.si_column: round(values[record.name], MICROMETRES)
            for record in load_table().measurements
        }
        rows.append(
            {"estimate": path.stem, **columns, "scale": body.scale, "frames": len(body.frames)}
        )
    return rows


def main(bodies: Path, measurements: Path, table: Path) -> None:
    """Runs the stage for one video."""
    rows: list[dict[str, Any]] = []

    def work() -> dict[str, int]:
        rows.extend(measure_estimates(bodies, measurements))
        return {"estimates": len(rows)}

    run_stage(measurements, [bodies], work)
    columns = [record.si_column for record in load_table().measurements]
    write_table(table, ["estimate", *columns, "scale", "frames"], rows)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.bodies),
            Path(snakemake.output.measurements),
            Path(snakemake.output.measurements_table),
        )
