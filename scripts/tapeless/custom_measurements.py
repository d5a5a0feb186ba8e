"""The user's own measurements: records of the configuration (`measurements.custom`)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tapeless.anatomy import BONES
from tapeless.definitions import TABLE_FILE, Measurement, Table, load_definitions
from tapeless.units import QUANTITIES, UNITS

RESERVED = ("estimate", "scale", "frames", "flags", "person")
"""Columns of a video's `measurements.csv` that are no measurements."""

Record = Mapping[str, Any]


def with_custom(table: Table, records: Sequence[Record]) -> Table:
    """A table with the user's measurements behind its own.

    Raises:
        ValueError: naming everything that is wrong with the records.
    """
    if faults := find_custom_faults(records, table):
        raise ValueError("; ".join(faults))
    return replace(table, measurements=(*table.measurements, *map(_measurement, records)))


def find_custom_faults(records: Sequence[Record], table: Table | None = None) -> list[str]:
    """Every fault of the user's records that no schema can say, each as one sentence.

    They are of the form that `schemas/config.schema.yaml` asks for.
    """
    table = table or load_definitions(TABLE_FILE)
    taken = [record.name for record in table.present(lambda _record: True)] + list(RESERVED)
    faults = []
    for number, record in enumerate(records):
        said = f"measurements.custom.{number} ({record['name']})"
        faults += [f"{said} {fault}" for fault in _faults(record, taken, table)]
        taken.append(record["name"])
    return faults


def _faults(record: Record, taken: Sequence[str], table: Table) -> Iterator[str]:
    if record["name"] in taken:
        yield "has a name that is taken already; choose another one"
    yield from (_girth_faults if record["kind"] == "girth" else _line_faults)(record)
    known = sorted(set.intersection(*(_names(table, topology) for topology in table.topologies)))
    for name in _landmarks(record):
        if name not in known:
            yield f"has an unknown landmark {name}{_closest(name, known)}"
    if (bone := record.get("bone")) is not None and bone not in BONES:
        yield f"has an unknown bone {bone}{_closest(bone, BONES)}"


def _closest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else f" (known: {', '.join(known)})"


def _girth_faults(record: Record) -> Iterator[str]:
    if "through" in record:
        yield "is a girth, which has no key through; write at, between or bone"
    if ("at" in record) == ("between" in record) and "bone" not in record:
        yield "must say where the girth lies: at, or between with share, or bone"
    if "between" in record and ("share" not in record or "bone" in record):
        yield "has between, which goes with share, and not with bone"
    if "bone" in record and ("share" in record) == ("at" in record):
        yield "has bone, which goes with either share or at"
    if record.get("quantity", "girth") != "girth":
        yield f"is a girth, so that its quantity is girth, not {record['quantity']}"


def _line_faults(record: Record) -> Iterator[str]:
    kind = record["kind"]
    for key in ("at", "between", "bone", "share"):
        if key in record:
            yield f"is a {kind}, which has no key {key}; write through"
    least, most = (1, 2) if kind == "height" else (2, 19)
    if not least <= len(record.get("through", ())) <= most:
        yield f"must go through {least} to {most} landmarks"
    if record.get("quantity") == "girth":
        yield f"is a {kind}, so that its quantity is length or breadth, not girth"


def _names(table: Table, topology: str) -> set[str]:
    """What records may name on a topology: landmarks and joints, of one side or of both."""
    anatomy = table.topologies[topology]
    names = {*anatomy.landmarks, *anatomy.joints}
    return names | {name.partition("_")[2] for name in names if name.startswith("left_")}


def _landmarks(record: Record) -> Iterable[str]:
    at = [record["at"]] if "at" in record else []
    return [*at, *record.get("between", ()), *record.get("through", ())]


def _measurement(record: Record) -> Measurement:
    is_limb = "bone" in record
    quantity = record.get("quantity", "girth" if record["kind"] == "girth" else "length")
    shares = [record["share"]] if "share" in record else [0.0] if is_limb else []
    return Measurement(
        name=record["name"],
        version=1,
        definition=record["definition"],
        unit=UNITS[QUANTITIES[quantity][0]],
        quantity=quantity,
        kind="limb_girth" if is_limb else record["kind"],
        landmarks=tuple(_landmarks(record)),
        plane="",
        standard="",
        clause="",
        note="Defined in the configuration.",
        bones=(record["bone"],) if is_limb else (),
        shares=tuple(shares),
    )
