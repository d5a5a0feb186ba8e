"""What the checks of one person found, as kept in `checks.csv`, and what follows from it."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Literal

from tapeless.checks.table import CONSEQUENCES, Check, CheckedMeasurement, Consequence, load_checks
from tapeless.outcomes import read_sealed
from tapeless.seals import seal_file
from tapeless.writing import write_table

Verdict = Literal["pass", "fail", "cannot_tell"]


@dataclass(frozen=True)
class Reading:
    """What one check saw: a number, known to within `margin` (half of its 95 % interval).

    `value` is None when there is nothing to take it from; `why_not` is then a sentence about it.
    `is_moot` says that nothing follows then, as the usual uncertainty has it already.
    """

    value: float | None
    margin: float = 0.0
    why_not: str = ""
    is_moot: bool = False


@dataclass(frozen=True)
class Finding:
    """One row of `checks.csv`: the verdict of a check on a person, and what follows from it.

    `person` is None where it is about the whole video. `value` is None where there is none; it and
    `limit` are in `unit`.
    """

    person: int | None
    check: str
    verdict: Verdict
    value: float | None
    limit: float
    unit: str
    consequence: Consequence
    message: str


FINDING_COLUMNS = tuple(field.name for field in fields(Finding))
"""The columns of `checks.csv`."""


def judge(
    check: Check, reading: Reading, *, person: int | None, rejecting: Collection[str]
) -> Finding:
    """The verdict on a reading. What might lie on either side of the limit cannot be told.

    Args:
        check: its record.
        reading: what it saw.
        person: whom it is about; None for the whole video.
        rejecting: the codes of the checks that reject whom they fail.
    """
    verdict, follows, message = _judge(check, reading)
    if verdict == "fail" and check.code in rejecting:
        follows = "reject"
    return Finding(
        person,
        check.code,
        verdict,
        None if reading.value is None else _rounded(reading.value),
        check.nearest_limit(reading.value),
        check.unit,
        follows,
        message,
    )


def _judge(check: Check, reading: Reading) -> tuple[Verdict, Consequence, str]:
    if reading.value is None:
        return "cannot_tell", "none" if reading.is_moot else check.on_cannot_tell, reading.why_not
    limit = check.nearest_limit(reading.value)
    said = check.says.format(value=f"{_rounded(reading.value):g}", limit=f"{limit:g}")
    excess = check.excess(reading.value)
    if excess > reading.margin:
        return "fail", check.on_fail, f"{said} {check.advice}"
    if excess > -reading.margin:
        margin = f"{_rounded(reading.margin):g}"
        unsure = f"{said} This is known to within {margin} only, too little to tell."
        return "cannot_tell", check.on_cannot_tell, unsure
    return "pass", "none", ""


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def write_checks(path: Path, findings: Iterable[Finding]) -> None:
    """Writes `checks.csv`, and seals it; without findings it has no rows."""
    write_table(path, FINDING_COLUMNS, map(asdict, findings))
    seal_file(path)


def read_checks(path: Path) -> list[Finding]:
    """Reads a `checks.csv`; DamagedFileError if it is not as it was written."""
    return [
        Finding(
            int(row["person"]) if row["person"] else None,
            row["check"],
            row["verdict"],  # type: ignore[arg-type]  # as written from a Finding
            float(row["value"]) if row["value"] else None,
            float(row["limit"]),
            row["unit"],
            row["consequence"],  # type: ignore[arg-type]
            row["message"],
        )
        for row in csv.DictReader(StringIO(read_sealed(path), newline=""))
    ]


def of_person(findings: Iterable[Finding], person: int) -> list[Finding]:
    """The findings about one person, and those about the whole video."""
    return [finding for finding in findings if finding.person in (None, person)]


def added_sd(
    findings: Iterable[Finding], measurement: CheckedMeasurement, usual_sd: float
) -> float:
    """The error that the findings about one person add: a relative standard deviation, 0 for none.

    Each check stands for an error of its own beside what is usual. Independent errors add in
    squares (JCGM 100:2008, "GUM", equation 10).

    Args:
        findings: about one person.
        measurement: what is uncertain.
        usual_sd: its usual relative standard deviation, which some checks multiply.
    """
    checks = load_checks()
    return math.hypot(
        *(
            checks[finding.check].added_sd(measurement, usual_sd)
            for finding in findings
            if finding.consequence == "widen" and finding.check in checks
        )
    )


def rejection(findings: Iterable[Finding]) -> tuple[str, str] | None:
    """The code and the reason of the first finding about one person that rejects, if any does."""
    rejecting = (f for f in findings if f.consequence == "reject")
    return next(((finding.check, finding.message) for finding in rejecting), None)


def flags(findings: Iterable[Finding]) -> list[str]:
    """What a reader of the reports should know: codes of the checks with consequences.

    One that could not tell is marked as such, `no_turn=cannot_tell`.
    """
    return [
        finding.check if finding.verdict == "fail" else f"{finding.check}=cannot_tell"
        for finding in _by_weight(findings)
        if finding.consequence != "none"
    ]


def _by_weight(findings: Iterable[Finding]) -> Sequence[Finding]:
    return sorted(findings, key=lambda finding: -CONSEQUENCES.index(finding.consequence))
