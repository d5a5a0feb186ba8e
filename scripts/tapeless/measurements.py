"""Measuring a body by the table of definitions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapeless.anatomy import Anatomy
from tapeless.bodies import Body, InvalidBodyError
from tapeless.custom_measurements import with_custom
from tapeless.definitions import MAIN, TABLE_FILE, Measurement, Table, load_definitions
from tapeless.measuring import MeasuredValue, Subject, take
from tapeless.places import CannotTellError
from tapeless.tape import Floats

__all__ = [
    "MAIN",
    "TABLE_FILE",
    "MeasuredBody",
    "Measurement",
    "Table",
    "load_table",
    "measure",
    "measure_body",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeasuredBody:
    """What was measured on one body, by name, in the order of the table.

    Attributes:
        values: in SI units.
        flags: what else is to be said, of `measuring.FLAGS`; a measurement that cannot be told of
            this body has no value, and the flag `cannot_tell`.
        contours: of each girth, the length in metres of the contour into every hollow.
        lines: where it was taken, each (N, 3) metres; none of volumes and of what is computed.
    """

    values: Mapping[str, float]
    flags: Mapping[str, tuple[str, ...]]
    contours: Mapping[str, float]
    lines: Mapping[str, tuple[Floats, ...]]


def load_table(path: Path = TABLE_FILE, *, custom: Sequence[Mapping[str, Any]] = ()) -> Table:
    """Reads and checks a table of definitions.

    Args:
        path: the table.
        custom: the user's own measurements, as `measurements.custom` of the configuration has them.

    Raises:
        ValueError: naming everything that is wrong with the table or the user's own.
    """
    table = load_definitions(path)
    return with_custom(table, custom) if custom else table


def measure(body: Body, table: Table | None = None) -> MeasuredBody:
    """Measures a body by a table, by default tapeless' own.

    Raises:
        InvalidBodyError: if the body is not what the measurements of `MAIN` need: closed but for
            small holes, with the joints and the number of vertices of its topology, and a torso
            where the landmarks say.
    """
    table = table or load_table()
    subject = Subject(body, table.topologies[body.topology])
    found: dict[str, MeasuredValue] = {}
    flags: dict[str, tuple[str, ...]] = {}
    for record in table.measurements:
        try:
            one = take(subject, record)
        except (CannotTellError, InvalidBodyError) as error:
            if isinstance(error, InvalidBodyError) and record.name in MAIN:
                raise
            log.warning("%s cannot be measured: %s", record.name, error)
            flags[record.name] = ("cannot_tell",)
            continue
        found[record.name] = one
        subject.values[record.name] = one.value
        if said := _flags(one, record, table.topologies[body.topology], flags):
            flags[record.name] = said
    return MeasuredBody(
        values=subject.values,
        flags=flags,
        contours={n: r.contour for n, r in found.items() if r.contour is not None},
        lines={n: r.lines for n, r in found.items() if r.lines},
    )


def _flags(
    one: MeasuredValue,
    record: Measurement,
    anatomy: Anatomy,
    earlier: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """What is to be said of a value; `earlier` are the flags of what it may be computed from."""
    is_approximate = any(map(anatomy.is_approximate, record.landmarks)) or any(
        "approximate" in earlier.get(part, ()) for part in record.parts
    )
    return tuple(filter(None, (one.flag, "approximate" if is_approximate else "")))


def measure_body(body: Body, table: Table | None = None) -> dict[str, float]:
    """The values of `measure`: SI by name, without those that cannot be told of this body."""
    return dict(measure(body, table).values)
