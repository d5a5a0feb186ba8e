"""The page on a whole run: what was measured, how people and videos differ, what to look at."""

from __future__ import annotations

import base64
import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import fmean

import jinja2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tapeless import __version__
from tapeless.cohort import VIDEOS_DISAGREE
from tapeless.measurements import MAIN
from tapeless.norms import find_norm
from tapeless.outcomes import REJECTION_CODES
from tapeless.units import UNITS

TEMPLATE_FILE = Path(__file__).parent / "data" / "cohort.html"

_EXAMPLES = 5  # how many videos or subjects are named for each finding
_BARS = 20
_COLOURS = {"people": "#3b7ea1", "women": "#c4652f", "men": "#4b8b3b"}
_SPREADS = {
    # legend, column, colour
    "between videos of one person": ("within_person_sd", "#999999"),
    "between people": ("between_person_sd", "#3b7ea1"),
    "between the model's adults": ("population_sd", "#d9a441"),
}
_UNITS = {unit.report: unit for unit in UNITS.values()}

Row = Mapping[str, str]


@dataclass(frozen=True)
class Finding:
    """Something to look at: what it is, how many have it, and the names of the first of them."""

    code: str
    meaning: str
    count: int
    examples: Sequence[str]

    @property
    def more(self) -> int:
        """How many are not named."""
        return self.count - len(self.examples)


@dataclass(frozen=True)
class Distribution:
    """How one measurement varies over people, in the unit of the reports.

    `values` is one of each person: of a subject that of their videos together.
    """

    measurement: str
    unit: str
    values: Sequence[float]

    @property
    def name(self) -> str:
        """As people read it."""
        return self.measurement.replace("_", " ")

    @property
    def numbers(self) -> tuple[str, str, str]:
        """The smallest value, the mean and the largest one, with the decimals of the reports."""
        numbers = (min(self.values), fmean(self.values), max(self.values))
        smallest, mean, largest = (f"{n:.{_UNITS[self.unit].decimals}f}" for n in numbers)
        return smallest, mean, largest


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table of the reports, as text."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def write_page(
    summary: Sequence[Row], subjects: Sequence[Row], repeatability: Sequence[Row]
) -> str:
    """The page, one HTML file that needs no other; the same tables give the same page.

    No pictures of people are in it. All text from outside is escaped.

    Args:
        summary: the rows of `summary.csv`.
        subjects: the rows of `subjects.csv`.
        repeatability: the rows of `repeatability.csv`.
    """
    measured = [row for row in summary if row["status"] == "measured"]
    distributions = find_distributions(measured, subjects, repeatability)
    main = [found for found in distributions if found.measurement in MAIN]
    rows = [row for row in repeatability if row["measurement"] in {d.measurement for d in main}]
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(TEMPLATE_FILE.read_text(encoding="utf-8")).render(
        version=__version__,
        videos=len({row["video"] for row in summary}),
        people=len(summary),
        measured=len(measured),
        names=len(subjects),
        rejections=_rejections(summary),
        flags=_flags(summary, subjects),
        distributions=distributions,
        repeatability=repeatability,
        collapsed=[row for row in repeatability if row["verdict"] == "fail"],
        has_repeats=any(row["within_person_sd"] for row in repeatability),
        histograms=draw_histograms(main) if main else "",
        spreads=draw_spreads(rows) if main else "",
    )


def _rejections(summary: Iterable[Row]) -> list[Finding]:
    """Why people were rejected, the most frequent reason first."""
    videos: dict[str, list[str]] = {}
    for row in summary:
        if row["status"] != "measured":
            videos.setdefault(row["code"], []).append(_who(row))
    return _by_count(videos)


def _flags(summary: Iterable[Row], subjects: Iterable[Row]) -> list[Finding]:
    """What the tables say besides numbers, the most frequent first.

    Of a subject only what no video says alone: the rest is counted video by video.
    """
    carriers: dict[str, list[str]] = {}
    for row in summary:
        for flag in filter(None, row["flags"].split(";")):
            carriers.setdefault(flag, []).append(_who(row))
    for row in subjects:
        for flag in row["flags"].split(";"):
            if flag.endswith(f"={VIDEOS_DISAGREE}"):
                carriers.setdefault(flag, []).append(row["subject"])
    return _by_count(carriers)


def _by_count(carriers: Mapping[str, list[str]]) -> list[Finding]:
    counts = Counter({code: len(names) for code, names in sorted(carriers.items())})
    return [
        Finding(code, _explain(code), count, carriers[code][:_EXAMPLES])
        for code, count in counts.most_common()
    ]


def _explain(code: str) -> str:
    """What a code or a flag means: `no_turn`, `no_turn=cannot_tell`, `waist=videos_disagree`."""
    what, _, how = code.partition("=")
    if how == VIDEOS_DISAGREE:
        return "The videos of this subject differ by more than videos of one person do."
    meaning = REJECTION_CODES.get(what, "")
    return f"It cannot be told: {meaning}" if how else meaning


def _who(row: Row) -> str:
    return row["video"] if row["person"] == "1" else f"{row['video']}, person {row['person']}"


def find_distributions(
    measured: Iterable[Row], subjects: Iterable[Row], repeatability: Iterable[Row]
) -> list[Distribution]:
    """The values of each measurement that anybody has, one of each person."""
    people = [*subjects, *(row for row in measured if not row["subject"])]
    found = []
    for row in repeatability:
        column = f"{row['measurement']}_{row['unit']}"
        values = [float(person[column]) for person in people if person[column]]
        if values:
            found.append(Distribution(row["measurement"], row["unit"], values))
    return found


def draw_histograms(distributions: Sequence[Distribution]) -> str:
    """A histogram of each measurement over people, as a `data:` address of an SVG.

    Above each lie the mean and one standard deviation of the body model's women and men.
    """
    figure = Figure(figsize=(2.4 * len(distributions), 2.4), layout="constrained")
    for axes, found in zip(
        np.atleast_1d(figure.subplots(1, len(distributions))), distributions, strict=True
    ):
        bars = np.histogram_bin_edges(found.values, bins=min(_BARS, 2 + len(found.values) // 4))
        heights, _, _ = axes.hist(found.values, bins=bars, color=_COLOURS["people"])
        if norm := find_norm(found.measurement):
            for step, (sex, name) in enumerate((("female", "women"), ("male", "men")), 1):
                factor = _UNITS[found.unit].factor
                axes.errorbar(
                    norm.means[sex] * factor,
                    max(heights) * (1 + 0.12 * step),
                    xerr=norm.sds["nothing"][sex] * factor,
                    fmt="o",
                    markersize=3,
                    capsize=3,
                    color=_COLOURS[name],
                )
        axes.set_title(found.name, fontsize=10)
        axes.set_xlabel(found.unit.replace("_", "/"), fontsize=8)
        axes.tick_params(labelsize=8)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
    return _as_address(figure)


def draw_spreads(repeatability: Sequence[Row]) -> str:
    """Spreads within and between people and of the body model's adults, relative to the mean.

    As a `data:` address of an SVG.
    """
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(repeatability))
    for number, (label, (column, colour)) in enumerate(_SPREADS.items()):
        percent = [
            100 * float(row[column]) / float(row["mean"]) if row[column] else 0.0
            for row in repeatability
        ]
        axes.bar(places + (number - 1) * 0.27, percent, 0.25, label=label, color=colour)
    axes.set_xticks(places, [row["measurement"] for row in repeatability])
    axes.set_ylabel("% of the mean", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    return _as_address(figure)


def _as_address(figure: Figure) -> str:
    """An SVG without date, and the same each time, inlined."""
    text = StringIO()
    with mpl.rc_context({"svg.hashsalt": "tapeless", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    encoded = base64.b64encode(text.getvalue().encode()).decode()
    return f"data:image/svg+xml;base64,{encoded}"
