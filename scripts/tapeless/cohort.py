"""The people of a run: several videos of one joined, and how people and videos differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tapeless.bodies import SCALES
from tapeless.combination import Combined, Reading, combine
from tapeless.measurements import Measurement
from tapeless.norms import find_norm
from tapeless.repeatability import analyse
from tapeless.reports import PersonResult, Statistic, rounded

SUBJECT_COLUMNS = ("subject", "videos", "videos_measured", "scale")
"""What `subjects.csv` says of a subject before their measurements; `flags` follow them."""

VIDEOS_DISAGREE = "videos_disagree"
"""The flag of a measurement of which the videos of a subject differ beyond their intervals."""

REPEATABILITY_COLUMNS = (
    "measurement",
    "unit",
    "people",
    "videos",
    "people_repeated",
    "mean",
    "within_person_sd",
    "between_person_sd",
    "icc",
    "population_sd",
    "ratio",
    "ratio_low",
    "ratio_high",
    "verdict",
)
"""A row of `repeatability.csv`: the fields of `Repeatability`."""

_SDS = ("within_person_sd", "between_person_sd", "population_sd")
_RATIOS = ("icc", "ratio", "ratio_low", "ratio_high")


def group_by_subject(results: Iterable[PersonResult]) -> dict[str, list[PersonResult]]:
    """The results of each named subject, subjects in the order of their names."""
    groups: dict[str, list[PersonResult]] = {}
    for result in results:
        if result.subject:
            groups.setdefault(result.subject, []).append(result)
    return dict(sorted(groups.items()))


def subject_columns(measurements: Iterable[Measurement]) -> list[str]:
    """The columns of `subjects.csv`."""
    names = [record.report_column for record in measurements]
    values = [f"{name}{end}" for name in names for end in ("", "_low", "_high", "_sd")]
    return [*SUBJECT_COLUMNS, *values, "flags"]


def subject_row(
    subject: str, results: Sequence[PersonResult], measurements: Iterable[Measurement]
) -> dict[str, Any]:
    """The row of one subject in `subjects.csv`; without numbers if every video was rejected."""
    measured = [result for result in results if result.is_measured]
    scales = {result.verdict["scale"] for result in measured}
    row: dict[str, Any] = {
        "subject": subject,
        "videos": len(results),
        "videos_measured": len(measured),
        "scale": ";".join(scale for scale in SCALES if scale in scales),
    }
    flags = []
    for record, combined in _combine(measured, measurements):
        name = record.report_column
        row[name] = rounded(combined.value, record)
        row[f"{name}_low"] = rounded(combined.low, record)
        row[f"{name}_high"] = rounded(combined.high, record)
        row[f"{name}_sd"] = rounded(combined.sd, record, more=1)
        if combined.videos_disagree:
            flags.append(f"{record.name}={VIDEOS_DISAGREE}")
    return row | {"flags": ";".join(flags)}


def _combine(
    measured: Sequence[PersonResult], measurements: Iterable[Measurement]
) -> Iterator[tuple[Measurement, Combined]]:
    statistics = {record: _statistics_of(record, measured) for record in measurements}
    known = {record: found for record, found in statistics.items() if found}
    for record, found in known.items():
        readings = [Reading(s.median, s.low, s.high, s.common_relative_sd) for s in found]
        yield record, combine(readings, comparisons=len(known))


def _statistics_of(record: Measurement, results: Iterable[PersonResult]) -> list[Statistic]:
    """A measurement's statistics of those results that have a value of it."""
    found = [result.statistics.get(record.name) for result in results]
    return [statistic for statistic in found if statistic is not None and statistic.estimates]


def repeatability_row(record: Measurement, results: Iterable[PersonResult]) -> dict[str, Any]:
    """The row of one measurement in `repeatability.csv`.

    Whoever has no subject in the sheet counts as a person of their own.
    """
    people: dict[object, list[float]] = {}
    for result in results:
        for statistic in _statistics_of(record, [result]):
            who = result.subject or (result.video, result.person)
            people.setdefault(who, []).append(statistic.median)
    norm = find_norm(record.name)
    population_sd = norm.sd * record.unit.factor if norm else None
    found: Mapping[str, Any] = asdict(analyse(list(people.values()), population_sd))
    return {
        **found,
        "measurement": record.name,
        "unit": record.unit.report,
        "mean": rounded(found["mean"], record),
        **{name: rounded(found[name], record, more=1) for name in _SDS},
        **{name: None if found[name] is None else round(found[name], 3) for name in _RATIOS},
    }
