"""The user's own measurements: records of the configuration (`measurements.custom`)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tapeless.anatomy import BONES, JOINTS, SIDES
from tapeless.definitions import TABLE_FILE, Measurement, Table, load_definitions
from tapeless.units import QUANTITIES, UNITS

SHAPY_PREFIX = "shapy_"
"""What the names of SHAPY's own measurements begin with, those that it may have some day, too."""

_BELOW_THE_TORSO = ("kneecap", "knee", "ankle")

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
    earlier = list(table.present(lambda _record: True))
    faults = []
    for number, record in enumerate(records):
        said = f"measurements.custom.{number} ({record['name']})"
        own = _measurement(record)
        faults += [f"{said} {fault}" for fault in _name_faults(own, earlier)]
        faults += [f"{said} {fault}" for fault in _faults(record, table)]
        earlier.append(own)
    return faults


def _name_faults(own: Measurement, earlier: Iterable[Measurement]) -> Iterator[str]:
    if own.name in {other.name for other in earlier}:
        yield "has a name that is taken already; choose another one"
        return
    if own.name.startswith(SHAPY_PREFIX):
        yield f"has a name with {SHAPY_PREFIX}, which is for SHAPY's own; choose another one"
    for other in earlier:
        if shared := sorted(own.columns & other.columns):
            yield f"has the column {shared[0]}, as {other.name} has; choose another name"


def _faults(record: Record, table: Table) -> Iterator[str]:
    yield from (_girth_faults if record["kind"] == "girth" else _line_faults)(record)
    known = sorted(set.intersection(*(_names(table, topology) for topology in table.topologies)))
    for name in _landmarks(record):
        if name not in known:
            yield f"has an unknown landmark {name}{_closest(name, known)}"
    yield from _place_faults(record)
    if (bone := record.get("bone")) is not None and bone not in BONES:
        yield f"has an unknown bone {bone}{_closest(bone, BONES)}"


def _place_faults(record: Record) -> Iterator[str]:
    """What is known of no body: joints are inside of each, knees below each torso."""
    if record["kind"] == "path":
        for name in record.get("through", ()):
            if name in _of_either_side(JOINTS):
                yield (
                    f"is a path, which lies on the skin, and {name} is a joint inside the body;"
                    " name a landmark of the skin, or write kind: distance"
                )
    if record["kind"] == "girth" and "bone" not in record:
        for name in _landmarks(record):
            if name in _of_either_side(_BELOW_THE_TORSO):
                yield (
                    f"is a girth of the torso, and {name} is below it; write bone for that of a"
                    " limb"
                )


def _of_either_side(names: Iterable[str]) -> set[str]:
    """Names with a side and without, whichever they are given with."""
    plain = {name.removeprefix("left_").removeprefix("right_") for name in names}
    return plain | {f"{side}_{name}" for name in plain for side in SIDES}


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
