"""Units: SI inside, centimetres, kilograms and litres in the reports; what turns volume to mass."""

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
        decimals: how many the reports show.
    """

    si: str
    report: str
    factor: float
    decimals: int = 1


UNITS: dict[str, Unit] = {
    "m": Unit("m", "cm", 100.0),
    "kg": Unit("kg", "kg", 1.0),
    "m2": Unit("m2", "m2", 1.0, decimals=3),
    "m3": Unit("m3", "l", 1000.0),
    "kg_m2": Unit("kg_m2", "kg_m2", 1.0),
    "ratio": Unit("ratio", "ratio", 1.0, decimals=3),
}
"""Every unit that a measurement may have, by its SI symbol."""

QUANTITIES: dict[str, tuple[str, int]] = {
    "length": ("m", 1),
    "girth": ("m", 1),
    "breadth": ("m", 1),
    "area": ("m2", 2),
    "volume": ("m3", 3),
    "mass": ("kg", 3),
    "ratio": ("ratio", 0),
    "index": ("kg_m2", 1),
}
"""Every quantity that a measurement may be: its SI symbol, and the power of the scale that it goes
with when a body grows in all directions alike."""
