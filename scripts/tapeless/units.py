"""Units: SI inside, centimetres and kilograms in the reports; and what turns volume to mass."""

from __future__ import annotations

from dataclasses import dataclass

DENSITY_KG_M3 = 985.0
"""Density of every body, as SHAPY's published code has it."""


@dataclass(frozen=True)
class Unit:
    """A unit of the library and the one that reports show instead.

    Attributes:
        si: symbol inside the library and in the files of one video's estimates.
        report: symbol in the reports.
        factor: what a value in `si` is multiplied with to be one in `report`.
    """

    si: str
    report: str
    factor: float


UNITS: dict[str, Unit] = {
    "m": Unit("m", "cm", 100.0),
    "kg": Unit("kg", "kg", 1.0),
}
"""Every unit that a measurement may have, by its SI symbol."""
