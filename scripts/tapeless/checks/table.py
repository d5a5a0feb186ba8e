"""The table of checks: what each looks at, from where on it is not believed, and what follows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from tapeless.own_tables import read_table

TABLE_FILE = Path(__file__).parents[1] / "data" / "checks.yaml"

Consequence = Literal["none", "flag", "widen", "reject"]

CONSEQUENCES: tuple[str, ...] = get_args(Consequence)
"""What can follow from a verdict, the mildest first; each does what those before it do."""


class CheckedMeasurement(Protocol):
    """A measurement, as far as a check cares."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def quantity(self) -> str:
        """What kind of quantity it is, such as "girth"."""


@dataclass(frozen=True)
class Check:
    """The record of one check; `data/checks.yaml` says what each field means.

    A value from `at_least` to `at_most` is fine; either is None where it has no limit.
    """

    code: str
    question: str
    value: str
    unit: str
    at_least: float | None
    at_most: float | None
    reason: str
    on_fail: Consequence
    on_cannot_tell: Consequence
    where_scale: Mapping[str, Mapping[str, Consequence]]
    adds: Mapping[str, float]
    widens: Mapping[str, float]
    widens_because: str
    says: str
    advice: str
    shapy: str

    def where(self, scales: Collection[str]) -> Check:
        """The check with what follows where sizes rest on these scales."""
        for scale, follows in self.where_scale.items():
            if scale in scales:
                return replace(
                    self,
                    on_fail=follows.get("on_fail", self.on_fail),
                    on_cannot_tell=follows.get("on_cannot_tell", self.on_cannot_tell),
                )
        return self

    def added_sd(self, measurement: CheckedMeasurement, usual_sd: float) -> float:
        """The error that is there besides the usual ones if it widens, as a relative sd.

        What it adds, or what makes the usual uncertainty f times as large: f^2 - 1 times its
        variance. By the measurement's own name, else by its kind of quantity.

        Args:
            measurement: what is uncertain.
            usual_sd: its usual relative standard deviation.
        """
        added, factor = (
            figures.get(measurement.name, figures.get(measurement.quantity, default))
            for figures, default in ((self.adds, 0.0), (self.widens, 1.0))
        )
        return math.hypot(added, usual_sd * math.sqrt(factor**2 - 1))

    def nearest_limit(self, value: float | None) -> float:
        """The limit that a value is beyond or closest to."""
        limits = [limit for limit in (self.at_most, self.at_least) if limit is not None]
        return limits[0] if value is None else min(limits, key=lambda limit: abs(value - limit))

    def excess(self, value: float) -> float:
        """How far a value is beyond its limits, below 0 within them."""
        over = -float("inf") if self.at_most is None else value - self.at_most
        under = -float("inf") if self.at_least is None else self.at_least - value
        return max(over, under)


@cache
def load_checks(path: Path = TABLE_FILE) -> Mapping[str, Check]:
    """Reads the table of checks: by code, in the order in which they are reported.

    Raises:
        ValueError: naming the file and everything that is wrong with it.
    """
    content = read_table(path)
    checks = [_check(record) for record in content["checks"]]
    if faults := [fault for check in checks for fault in _faults(check)]:
        raise ValueError(f"{path}: {'; '.join(faults)}")
    return {check.code: check for check in checks}


def _check(record: Mapping[str, Any]) -> Check:
    absent: dict[str, Any] = {"at_least": None, "at_most": None, "widens_because": "", "shapy": ""}
    absent |= {"where_scale": {}, "adds": {}, "widens": {}}
    return Check(**{**absent, **record})


def _faults(check: Check) -> Iterator[str]:
    elsewhere = [follows for scale in check.where_scale.values() for follows in scale.values()]
    all_follows = (check.on_fail, check.on_cannot_tell, *elsewhere)
    for follows in all_follows:
        if follows not in CONSEQUENCES:
            yield f"{check.code} has consequence {follows!r}, allowed: {', '.join(CONSEQUENCES)}"
    if check.at_least is None and check.at_most is None:
        yield f"{check.code} has no limit"
    if "widen" in all_follows and not (check.widens or check.adds):
        yield f"{check.code} widens nothing"
    for name, factor in check.widens.items():
        if factor < 1:
            yield f"{check.code} widens {name} by {factor}, allowed is 1 or more"
    for name, added in check.adds.items():
        if not 0 <= added <= 1:
            yield f"{check.code} adds {added} to {name}, allowed is 0 to 1"
