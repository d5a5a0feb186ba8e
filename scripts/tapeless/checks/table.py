"""The table of checks: what each looks at, from where on it is not believed, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

TABLE_FILE = Path(__file__).parents[1] / "data" / "checks.yaml"

Consequence = Literal["none", "flag", "widen", "reject"]

CONSEQUENCES: tuple[str, ...] = get_args(Consequence)
"""What can follow from a verdict, the mildest first; each does what those before it do."""


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
    widens: Mapping[str, float]
    widens_because: str
    says: str
    advice: str

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
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    checks = [_check(record) for record in content["checks"]]
    if faults := [fault for check in checks for fault in _faults(check)]:
        raise ValueError(f"{path}: {'; '.join(faults)}")
    return {check.code: check for check in checks}


def _check(record: Mapping[str, Any]) -> Check:
    absent: dict[str, Any] = {"at_least": None, "at_most": None, "widens": {}, "widens_because": ""}
    return Check(**{**absent, **record})


def _faults(check: Check) -> Iterator[str]:
    for follows in (check.on_fail, check.on_cannot_tell):
        if follows not in CONSEQUENCES:
            yield f"{check.code} has consequence {follows!r}, allowed: {', '.join(CONSEQUENCES)}"
    if check.at_least is None and check.at_most is None:
        yield f"{check.code} has no limit"
    if "widen" in (check.on_fail, check.on_cannot_tell) and not check.widens:
        yield f"{check.code} widens nothing"
    for name, factor in check.widens.items():
        if factor < 1:
            yield f"{check.code} widens {name} by {factor}, allowed is 1 or more"
