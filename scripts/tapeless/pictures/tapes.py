"""Where the tape lay when a body was measured, for pictures of it."""

from __future__ import annotations

from dataclasses import replace

from tapeless.bodies import Body
from tapeless.measurements import Table, load_table, measure
from tapeless.tape import Floats

SHOWN = ("chest", "waist", "hips")
"""The tapes that a contact sheet shows; docs/measurements.md shows where the others lie."""


def tapes_around(body: Body, table: Table | None = None) -> dict[str, Floats]:
    """For each tape of `SHOWN` that could be laid, points (N, 3) on the body along it, metres."""
    table = table or load_table()
    shown = tuple(record for record in table.measurements if record.name in SHOWN)
    lines = measure(body, replace(table, measurements=shown)).lines
    return {name: lines[name][0] for name in SHOWN if name in lines}
