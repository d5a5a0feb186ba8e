"""What is measured: the table of definitions, and the numbers of one body."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
import yaml

from tapeless.bodies import TOPOLOGIES, Body, InvalidBodyError
from tapeless.tape import Tape
from tapeless.units import DENSITY_KG_M3, UNITS, Unit
from tapeless.volume import enclosed_volume

TABLE_FILE = Path(__file__).parent / "data" / "measurements.yaml"

_STEPS_M = (0.01, 0.0025, 0.001)


@dataclass(frozen=True)
class Measurement:
    """The record of one measurement; `data/measurements.yaml` says what each field means."""

    name: str
    version: int
    definition: str
    unit: Unit
    kind: str
    landmarks: tuple[str, ...]
    plane: str
    standard: str
    clause: str
    note: str

    @property
    def si_column(self) -> str:
        """Column of the estimates of one video, such as `height_m`."""
        return f"{self.name}_{self.unit.si}"

    @property
    def report_column(self) -> str:
        """Column of the reports, such as `height_cm`."""
        return f"{self.name}_{self.unit.report}"


@dataclass(frozen=True)
class Anatomy:
    """Where landmarks and limbs are on one topology.

    Attributes:
        vertices: how many the topology has.
        source: where the numbers come from.
        landmarks: vertex numbers by name; a landmark of several vertices is their mean.
        arms: per arm, its joints from the shoulder to the hand.
        trunk: chains of joints through head, spine and legs.
    """

    vertices: int
    source: str
    landmarks: Mapping[str, tuple[int, ...]]
    arms: tuple[tuple[str, ...], ...]
    trunk: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """All measurements, in the order of the reports, and the topologies they are defined on.

    Attributes:
        version: of the table.
        measurements: tapeless' own, of every body.
        shapy_measurements: SHAPY's, of its bodies; `shapy_measurements.py` takes them.
        topologies: where things are, by name of the topology.
    """

    version: int
    measurements: tuple[Measurement, ...]
    shapy_measurements: tuple[Measurement, ...]
    topologies: Mapping[str, Anatomy]

    def present(self, has: Callable[[Measurement], bool]) -> tuple[Measurement, ...]:
        """tapeless' own measurements, and those of SHAPY's that `has` says are there."""
        return (*self.measurements, *filter(has, self.shapy_measurements))


@cache
def load_table(path: Path = TABLE_FILE) -> Table:
    """Reads and checks a table of definitions.

    Raises:
        ValueError: naming the file and everything that is wrong with it.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
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
    special = {"unit": UNITS[record["unit"]], "landmarks": tuple(record["landmarks"])}
    return Measurement(**{**record, **special})


def _anatomy(record: Mapping[str, Any]) -> Anatomy:
    return Anatomy(
        vertices=record["vertices"],
        source=record["source"],
        landmarks={name: tuple(numbers) for name, numbers in record["landmarks"].items()},
        arms=tuple(map(tuple, record["arms"])),
        trunk=tuple(map(tuple, record["trunk"])),
    )


def _table_faults(table: Table) -> Iterator[str]:
    names = [record.name for record in table.present(lambda _record: True)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"measurement {name} is there {names.count(name)} times"
    for record in table.measurements:
        if record.kind not in ALGORITHMS:
            allowed = ", ".join(sorted(ALGORITHMS))
            yield f"measurement {record.name} has kind {record.kind!r}, allowed is {allowed}"
    for name, anatomy in table.topologies.items():
        if name not in TOPOLOGIES:
            yield f"topology {name} is unknown, allowed is {', '.join(TOPOLOGIES)}"
        for landmark, numbers in anatomy.landmarks.items():
            if not numbers or min(numbers) < 0 or max(numbers) >= anatomy.vertices:
                yield f"landmark {landmark} of {name} is not among its {anatomy.vertices} vertices"
        for record in table.measurements:
            for landmark in set(record.landmarks) - set(anatomy.landmarks):
                yield f"topology {name} lacks landmark {landmark} of measurement {record.name}"


class Subject:
    """One body, made ready for the algorithms.

    Raises:
        InvalidBodyError: if the body does not have the topology that it says it has.
    """

    def __init__(self, body: Body, anatomy: Anatomy) -> None:
        if len(body.vertices) != anatomy.vertices:
            raise InvalidBodyError(
                f"vertices has {len(body.vertices)} rows, allowed for topology"
                f" {body.topology!r} is {anatomy.vertices}"
            )
        self.mesh = trimesh.Trimesh(body.vertices, body.faces, process=False, validate=False)
        self.tape = Tape(body, anatomy.arms, anatomy.trunk)
        self._heights = {
            name: float(body.vertices[list(numbers), 1].mean(dtype=np.float64))
            for name, numbers in anatomy.landmarks.items()
        }

    def height_of(self, landmark: str) -> float:
        """Height of a landmark above the floor, in metres."""
        return self._heights[landmark]


def measure_body(body: Body, table: Table | None = None) -> dict[str, float]:
    """Measures a body: SI values by name, in the order of the table (by default tapeless' own).

    Raises:
        InvalidBodyError: if the body is not what the definitions need: closed but for small holes,
            with the joints and the number of vertices of its topology, and a torso where the
            landmarks say.
    """
    table = table or load_table()
    subject = Subject(body, table.topologies[body.topology])
    return {
        record.name: float(ALGORITHMS[record.kind](subject, record))
        for record in table.measurements
    }


def _extent(subject: Subject, _record: Measurement) -> float:
    low, high = subject.mesh.bounds[:, 1]
    return float(high - low)


def _girth(subject: Subject, record: Measurement) -> float:
    (landmark,) = record.landmarks
    return subject.tape.torso(subject.height_of(landmark)).taut


def _largest_girth(subject: Subject, record: Measurement) -> float:
    low, high = sorted(map(subject.height_of, record.landmarks))
    girths: dict[float, float] = {}
    span = (low, high)
    for step in _STEPS_M:
        for level in {*np.arange(*span, step).tolist(), span[1]} - girths.keys():
            girths[level] = subject.tape.torso(level).taut
        best = max(girths, key=lambda level: girths[level])
        span = (max(low, best - step), min(high, best + step))
    return girths[best]


def _mass(subject: Subject, _record: Measurement) -> float:
    # trimesh's volume comes with moments of inertia, for ten times the time.
    vertices, faces = np.asarray(subject.mesh.vertices), np.asarray(subject.mesh.faces)
    return enclosed_volume(vertices, faces) * DENSITY_KG_M3


ALGORITHMS: dict[str, Callable[[Subject, Measurement], float]] = {
    "extent": _extent,
    "girth": _girth,
    "largest_girth": _largest_girth,
    "mass": _mass,
}
"""How each kind of measurement is taken, in SI units."""
