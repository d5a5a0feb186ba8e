"""The people of a run: several videos of one joined, and how people and videos differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any, NamedTuple

from tapeless.bodies import SCALES
from tapeless.combination import (
    BETWEEN_VIDEOS_SD,
    Combined,
    VideoValue,
    combine,
    videos_disagree,
)
from tapeless.measurements import MAIN, Measurement
from tapeless.norms import Given, find_norm
from tapeless.repeatability import Repeated, analyse, are_sexes_known
from tapeless.reports import PersonResult, Statistic

SUBJECT_COLUMNS = ("subject", "videos", "videos_measured", "scale")
"""What `subjects.csv` says of a subject before their measurements; `flags` follow them."""

VIDEOS_DISAGREE = "videos_disagree"
"""The flag of a measurement of which the videos of a subject differ more than one person's do."""

REPEATABILITY_COLUMNS = (
    "measurement",
    "unit",
    "people",
    "videos",
    "people_repeated",
    "taken_out",
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
"""A row of `repeatability.csv`: the fields of `Repeatability`, and what was taken out (joined by
`;`) before people were compared: `sex`, `height`, `mass`."""

_TAKEN_OUT: Mapping[Given, tuple[str, ...]] = {
    "nothing": (),
    "height": ("height",),
    "height and mass": ("height", "mass"),
}
_KNOWN_HEIGHT = "known_height"  # of bodies.SCALES
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
    subject: str, results: Sequence[PersonResult], measurements: Sequence[Measurement]
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
    for record, combined in _combine(measured, measurements):
        name = record.report_column
        row[name] = _rounded(combined.value, record)
        row[f"{name}_low"] = _rounded(combined.low, record)
        row[f"{name}_high"] = _rounded(combined.high, record)
        row[f"{name}_sd"] = _rounded(combined.sd, record, more=1)
    flags = [f"{name}={VIDEOS_DISAGREE}" for name in _disagreeing(measured, measurements)]
    return row | {"flags": ";".join([*flags, *_usual_flags(measured or results, measurements)])}


def _combine(
    measured: Sequence[PersonResult], measurements: Sequence[Measurement]
) -> Iterator[tuple[Measurement, Combined]]:
    for record in measurements:
        if values := _video_values(record, measured):
            yield record, combine(values)


def _disagreeing(
    measured: Sequence[PersonResult], measurements: Sequence[Measurement]
) -> Iterator[str]:
    """The main measurements of which the videos of a subject differ more than one person's do.

    Only of those: all others go with them, so that they would find little more, and each one more
    that is compared leaves less to chance.
    """
    main = [record for record in measurements if record.name in MAIN]
    is_scale_shared = all(result.verdict["scale"] == _KNOWN_HEIGHT for result in measured)
    for record in main:
        values = _video_values(record, measured)
        if values and videos_disagree(
            values,
            BETWEEN_VIDEOS_SD[record.quantity],
            is_scale_shared=is_scale_shared,
            comparisons=len(main),
        ):
            yield record.name


def _usual_flags(
    results: Sequence[PersonResult], measurements: Sequence[Measurement]
) -> Iterator[str]:
    """What at least half of the videos are flagged with: checks first, then measurements."""
    checks = Counter(
        flag for result in results for flag in result.verdict["flags"].split(";") if flag
    )
    of_measurements = Counter(
        f"{record.name}={flag}"
        for record in measurements
        for result in results
        if record.name in result.statistics
        for flag in result.statistics[record.name].flags.split(";")
        if flag
    )
    for seen in (checks, of_measurements):
        yield from (flag for flag, count in seen.items() if 2 * count >= len(results))


def _video_values(record: Measurement, results: Iterable[PersonResult]) -> list[VideoValue]:
    return [
        VideoValue(s.median, s.low, s.high, s.common_relative_sd)
        for s in _statistics_of(record.name, results)
    ]


def _statistics_of(measurement: str, results: Iterable[PersonResult]) -> list[Statistic]:
    """A measurement's statistics of those results that have a value of it."""
    return [
        statistic
        for result in results
        if (statistic := result.statistics.get(measurement)) is not None and statistic.estimates
    ]


class _Person(NamedTuple):
    """Somebody's videos, and what is told of them: the same whatever is compared."""

    videos: Sequence[PersonResult]
    sex: str | None
    taken_out: Sequence[float]


def repeatability_rows(
    measurements: Iterable[Measurement], results: Sequence[PersonResult]
) -> Iterator[dict[str, Any]]:
    """The rows of `repeatability.csv`, one per measurement.

    Whoever has no subject in the sheet counts as a person of their own. Once the height of anybody
    was given, people are compared beyond what their heights explain, and so are the adults of the
    norm: the spread of given heights is not the method's. Likewise height and mass, once the mass
    of anybody was given.
    """
    given = _given_of_anybody(results)
    people = list(_people(results, _TAKEN_OUT[given]))
    for record in measurements:
        yield _repeatability_row(record, people, given)


def _repeatability_row(
    record: Measurement, people: Iterable[_Person], given: Given
) -> dict[str, Any]:
    repeated = [
        Repeated(values, person.sex, person.taken_out)
        for person in people
        if (values := _medians(record.name, person.videos))
    ]
    sex = ("sex",) if repeated and are_sexes_known(repeated) else ()
    norm = find_norm(record.name)
    population_sd = norm.sd_to_judge_by(given) if norm else None
    if population_sd is not None:
        population_sd *= record.unit.factor
    found: Mapping[str, Any] = asdict(analyse(repeated, population_sd))
    return {
        **found,
        "measurement": record.name,
        "unit": record.unit.report,
        "taken_out": ";".join((*sex, *_TAKEN_OUT[given])),
        "mean": _rounded(found["mean"], record),
        **{name: _rounded(found[name], record, more=1) for name in _SDS},
        **{name: None if found[name] is None else round(found[name], 3) for name in _RATIOS},
    }


def _given_of_anybody(results: Iterable[PersonResult]) -> Given:
    measured = [result for result in results if result.is_measured]
    if any(result.given_mass_kg is not None for result in measured):
        return "height and mass"
    if any(result.verdict["scale"] == _KNOWN_HEIGHT for result in measured):
        return "height"
    return "nothing"


def _people(results: Iterable[PersonResult], taken_out: Sequence[str]) -> Iterator[_Person]:
    """Everybody of whom all is known that is to be taken out."""
    people: dict[object, list[PersonResult]] = {}
    for result in results:
        people.setdefault(result.subject or (result.video, result.person), []).append(result)
    for videos in people.values():
        known = [medians for name in taken_out if (medians := _medians(name, videos))]
        if len(known) == len(taken_out):
            sexes = {video.sex for video in videos}
            sex = sexes.pop() if len(sexes) == 1 else None
            yield _Person(videos, sex, [fmean(medians) for medians in known])


def _medians(measurement: str, results: Iterable[PersonResult]) -> list[float]:
    return [statistic.median for statistic in _statistics_of(measurement, results)]


def _rounded(value: float | None, record: Measurement, *, more: int = 0) -> float | None:
    """A value in the unit of the reports, to the decimals of the reports and some `more`."""
    return None if value is None else round(value, record.unit.decimals + more)
