"""The table of definitions: what is measured, where it lies, and on which landmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tapeless.anatomy import BONES, DIRECTIONS, RULE_KINDS, TOPOLOGIES, Anatomy, Place, Rule
from tapeless.own_tables import read_table
from tapeless.units import QUANTITIES, UNITS, Unit

MAIN = ("height", "chest", "waist", "hips", "mass")
"""The measurements that every report has, and without which a body is a fault of the program."""

TABLE_FILE = Path(__file__).parent / "data" / "measurements.yaml"


@dataclass(frozen=True)
class Needs:
    """How many landmarks, bones, shares and other measurements a record of a kind may name."""

    landmarks: range = range(1)
    bones: range = range(1)
    shares: range = range(1)
    parts: range = range(1)


_ONE, _TWO, _SOME = range(1, 2), range(2, 3), range(2, 20)

KINDS: Mapping[str, Needs] = {
    "extent": Needs(),
    "girth": Needs(landmarks=range(1, 3), shares=range(2)),
    "largest_girth": Needs(landmarks=_TWO),
    "narrowest_girth": Needs(landmarks=range(3, 4)),
    "limb_girth": Needs(landmarks=range(2), bones=range(1, 3), shares=_ONE),
    "largest_limb_girth": Needs(bones=_ONE, shares=_TWO),
    "smallest_limb_girth": Needs(bones=_ONE, shares=_TWO),
    "distance": Needs(landmarks=_SOME),
    "height": Needs(landmarks=range(1, 3)),
    "path": Needs(landmarks=_SOME),
    "side_length": Needs(landmarks=_TWO),
    "foot_length": Needs(landmarks=_ONE),
    "mass": Needs(),
    "volume": Needs(),
    "area": Needs(),
    "bmi": Needs(parts=_TWO),
    "ratio": Needs(parts=_TWO),
}
"""The algorithms (`ALGORITHMS` in measuring.py)."""


@dataclass(frozen=True)
class Measurement:
    """The record of one measurement; `data/measurements.yaml` says what each field means."""

    name: str
    version: int
    definition: str
    unit: Unit
    quantity: str
    kind: str
    landmarks: tuple[str, ...]
    plane: str
    standard: str
    clause: str
    note: str
    bones: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def si_column(self) -> str:
        """Column of the estimates of one video, such as `height_m`."""
        return f"{self.name}_{self.unit.si}"

    @property
    def report_column(self) -> str:
        """Column of the reports, such as `height_cm`."""
        return f"{self.name}_{self.unit.report}"

    @property
    def contour_column(self) -> str:
        """Column of the length of a girth's raw contour, such as `waist_contour_m`."""
        return f"{self.name}_contour_{self.unit.si}"

    @property
    def columns(self) -> set[str]:
        """All columns that it may have, in any table."""
        ends = {f"{self.report_column}{end}" for end in ("", "_low", "_high")}
        contour = {self.contour_column} if self.quantity == "girth" else set()
        return {self.si_column} | ends | contour

    @property
    def power(self) -> int:
        """The power of its scale that a body's value goes with: 1 of lengths, 3 of masses."""
        return QUANTITIES[self.quantity][1]


@dataclass(frozen=True)
class Table:
    """All measurements, in the order of the reports, and the topologies they are defined on.

    Attributes:
        version: of the table.
        measurements: tapeless' own, of every body; then those of the user.
        shapy_measurements: SHAPY's, of its bodies; `shapy_measurements.py` takes them.
        topologies: where things are, by name of the topology.
    """

    version: int
    measurements: tuple[Measurement, ...]
    shapy_measurements: tuple[Measurement, ...]
    topologies: Mapping[str, Anatomy]

    def present(self, has: Callable[[Measurement], bool]) -> tuple[Measurement, ...]:
        """The measurements of `MAIN`, and those of all others that `has` says are there."""
        everything = (*self.measurements, *self.shapy_measurements)
        return tuple(record for record in everything if record.name in MAIN or has(record))


@cache
def load_definitions(path: Path) -> Table:
    """Reads and checks a table.

    Raises:
        ValueError: naming the file and everything that is wrong with it.
    """
    content = read_table(path)
    table = Table(
        version=content["version"],
        measurements=tuple(map(_measurement, content["measurements"])),
        shapy_measurements=tuple(map(_measurement, content["shapy_measurements"])),
        topologies={name: _anatomy(record) for name, record in content["topologies"].items()},
    )
    if faults := list(_table_faults(table)):
        raise ValueError(f"{path}: {'; '.join(faults)}")
    return table


def _measurement(record: Mapping[str, Any]) -> Measurement:
    lists = {
        name: tuple(record.get(name, ())) for name in ("landmarks", "bones", "shares", "parts")
    }
    return Measurement(**{**record, **lists, "unit": UNITS[record["unit"]]})


def _anatomy(record: Mapping[str, Any]) -> Anatomy:
    return Anatomy(
        vertices=record["vertices"],
        source=record["source"],
        landmarks={name: _place(place) for name, place in record["landmarks"].items()},
        arms=tuple(map(tuple, record["arms"])),
        trunk=tuple(map(tuple, record["trunk"])),
        joints=record["joints"],
    )


def _place(place: Sequence[int] | Mapping[str, Any]) -> Place:
    if isinstance(place, Mapping):
        return Rule(**{**place, "of": tuple(place["of"])})
    return tuple(place)


def _table_faults(table: Table) -> Iterator[str]:
    names = [record.name for record in table.present(lambda _record: True)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"measurement {name} is there {names.count(name)} times"
    for number, record in enumerate(table.measurements):
        yield from _record_faults(record, names[:number])
    for name, anatomy in table.topologies.items():
        if name not in TOPOLOGIES:
            yield f"topology {name} is unknown, allowed is {', '.join(TOPOLOGIES)}"
        yield from _landmark_faults(name, anatomy)
        for record in table.measurements:
            for landmark in record.landmarks:
                if not anatomy.knows(landmark):
                    yield f"topology {name} lacks landmark {landmark} of measurement {record.name}"


def _record_faults(record: Measurement, earlier: Sequence[str]) -> Iterator[str]:
    """What is wrong with a record in itself; `earlier` are the names of those before it."""
    if record.kind not in KINDS:
        allowed = ", ".join(sorted(KINDS))
        yield f"measurement {record.name} has kind {record.kind!r}, allowed is {allowed}"
        return
    for field in ("landmarks", "bones", "shares", "parts"):
        count, allowed = len(getattr(record, field)), getattr(KINDS[record.kind], field)
        if count not in allowed:
            counts = f"{allowed[0]} to {allowed[-1]}"
            yield f"measurement {record.name} has {count} {field}, allowed is {counts}"
    if record.unit.si != QUANTITIES.get(record.quantity, ("",))[0]:
        yield f"measurement {record.name} is a {record.quantity} in {record.unit.si}"
    for bone in set(record.bones) - set(BONES):
        yield f"measurement {record.name} has bone {bone}, allowed is {', '.join(BONES)}"
    for part in set(record.parts) - set(earlier):
        yield f"measurement {record.name} rests on {part}, which is not above it in the table"


def _landmark_faults(topology: str, anatomy: Anatomy) -> Iterator[str]:
    for landmark, place in anatomy.landmarks.items():
        if isinstance(place, Rule):
            if place.kind not in RULE_KINDS or place.towards not in DIRECTIONS:
                yield f"landmark {landmark} of {topology} has an unknown rule"
            for name in place.of:
                if not anatomy.knows(name):
                    yield f"landmark {landmark} of {topology} rests on {name}, which is not there"
        elif not place or min(place) < 0 or max(place) >= (anatomy.vertices or 0):
            yield f"landmark {landmark} of {topology} is not among its {anatomy.vertices} vertices"
