"""Writes the pages of the documentation that are made from tables of the program.

`python docs/generate.py` writes `measurements.md`, `checks.md` and `rejections.md` beside this file, or into the
folder given as its argument.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tapeless.anatomy import Anatomy, Place, Rule
from tapeless.checks import Check, load_checks
from tapeless.measurements import Measurement, Table, load_table
from tapeless.outcomes import REJECTION_CODES

NOTICE = "<!-- Made by docs/generate.py: edit {source} instead. -->"


def measurements_page(table: Table) -> str:
    """The page that defines every measurement."""
    sections = "\n".join(map(_section, table.measurements))
    shapy_sections = "\n".join(map(_section, table.shapy_measurements))
    places = "\n".join(_places(name, anatomy) for name, anatomy in table.topologies.items())
    return f"""{NOTICE.format(source="scripts/tapeless/data/measurements.yaml")}

# Measurements

Table of definitions, version {table.version}. All are taken on the *unposed* body: the person's own
shape, standing upright as the body model stands (Anny with the arms held away and the legs slightly
apart, SMPL-X with the arms held out). The numbers say what a tape would show on that body, not what
it would show on a person who breathes, slouches or is dressed.

{_definitions(table.measurements)}

*Taut* is the perimeter of the convex hull of the cut: as a tape lies, straight over every hollow.
The contour into every hollow is longer, by 2 to 4 cm at the hips and at a woman's chest.

*Arms excluded*: a plane cuts a body in several closed contours. One that lies around the bones of
an arm, from shoulder to fingers, is left out; the rest is wrapped together (at the crotch, both
thighs). Where an arm and the torso are one contour, the tape ends at the width that the torso has
just below the armpit.

The reports give each value with its 95 % interval, `low` to `high`: [data files](data-files.md)
explains it. In the tables of one video's estimates the same names stand in metres and kilograms.

{sections}
## SHAPY's own

On the bodies of `shape.backend: shapy`, the five numbers that SHAPY itself gives are reported as
well, if your download has its landmark files (`utility_files/measurements/` below
`shape.shapy.data`). They are taken by the procedure that its authors document, on the CPU and
without SHAPY's code, so that they can be compared with what others publish. Where you only want to
know how large somebody is, take the five above.

{_definitions(table.shapy_measurements)}

A landmark of SHAPY's is a triangle of its body model and how much of each corner. `CW_p`, `BW_p`
and `IW_p` are keys of its file `measurement_defitions.yaml`, which name the landmarks of chest,
waist and hips; `smplx_measurements.yaml` says where these are. Both are read when bodies are
measured, and not shipped.

{shapy_sections}
## Landmarks

Of tapeless' own five: vertex numbers on each body model. Of several vertices the mean is taken.

{places}
## Adding a measurement

Add a record to `scripts/tapeless/data/measurements.yaml`: its name becomes a column of every
report. If no kind of algorithm there does it, write one in `scripts/tapeless/measurements.py` and
enter it in `ALGORITHMS`. Add what can be wrong with it, by each shape backend, to
`scripts/tapeless/data/uncertainty.csv`, then run `python docs/generate.py`. A change that moves the
numbers of a measurement raises its version.
"""


def rejections_page(codes: Mapping[str, str]) -> str:
    """The page that lists every code of a rejection."""
    rows = [(f"`{code}`", meaning) for code, meaning in codes.items()]
    return f"""{NOTICE.format(source="REJECTION_CODES in scripts/tapeless/outcomes.py")}

# Rejections

A video that cannot be measured is a result. It has its row in `summary.csv` with the status
`rejected`, one of the codes below, and a reason: a sentence that says what was seen and what to do.
The run goes on with the other videos and ends with exit status 0.

The same codes say in `keypoints.csv` why a single frame was not used. A video is rejected when too
few frames are left, with the code that explains at least half of those that show somebody, or else
with `too_few_frames`. Codes of [checks](checks.md) reject a video only where `checks.reject` names them.

{_markdown_table(("code", "meaning"), rows)}

The list is closed: a program can rely on it. What is broken about the *machine* (a full disk,
missing memory, a missing package) is no rejection: the job fails, Snakemake says so and ends with
an exit status other than 0, and the same command runs it again.
"""


def checks_page(checks: Mapping[str, Check]) -> str:
    """The page that lists every check."""
    rows = [
        (f"[`{check.code}`](#{check.code})", check.question, _limits(check), _consequence(check))
        for check in checks.values()
    ]
    sections = "\n".join(map(_check_section, checks.values()))
    return f"""{NOTICE.format(source="scripts/tapeless/data/checks.yaml")}

# Checks: when not to believe it

Every video that could be measured is checked. `checks.csv` of the video has a row per person and check, and
`<results>/checks.csv` those of all videos: the verdict, the number that decided, its limit, and what follows. A
check has three verdicts: `pass`, `fail`, and `cannot_tell`, which never passes.

{_markdown_table(("check", "question", "fine is", "if it fails"), rows)}

What can follow:

- *flag*: the code stands in the last column of `summary.csv`, `flags`. One that could not tell, but has
  consequences, stands there as `no_turn=cannot_tell`.
- *widen*: the relative uncertainty of a measurement is multiplied by the factor below, and its interval
  becomes wider. Factors of several checks do not multiply: each stands for an error of its own, and errors
  add in squares. It is flagged, too.
- *reject*: the person has no numbers, but the check's code and a sentence that says what to do. Which checks do so is
  said in the configuration: `checks.reject` is `[not_an_adult]` unless you change it. With `[]` nobody is
  rejected for a check, and what is said below follows instead.

A video that an earlier stage rejected is not checked: its table has no rows. Checks take about two
seconds a video. `camera_moves` and `lens_distortion` are about the whole video, so that their rows name no
person.

{sections}"""


def _limits(check: Check) -> str:
    limits = (("at least", check.at_least), ("at most", check.at_most))
    given = [f"{name} {limit:g}" for name, limit in limits if limit is not None]
    return f"{', '.join(given)} {check.unit}"


def _consequence(check: Check) -> str:
    unsure = "" if check.on_cannot_tell == "none" else f" (cannot tell: {check.on_cannot_tell})"
    return f"{check.on_fail}{unsure}"


def _check_section(check: Check) -> str:
    factors = ", ".join(f"{name} {factor:g}" for name, factor in check.widens.items())
    facts = [
        ("The number", check.value),
        ("Fine is", f"{_limits(check)}. {check.reason}"),
        ("If it fails", _consequence(check)),
        ("Widens", f"{factors} ({check.widens_because})" if factors else "nothing"),
        ("What to do", check.advice),
    ]
    lines = "\n".join(f"- {name}: {text}" for name, text in facts)
    return f"## {check.code}\n\n{check.question}\n\n{lines}\n"


def _definitions(measurements: Iterable[Measurement]) -> str:
    rows = [
        (f"`{record.name}`", record.unit.report, record.definition, _standard(record))
        for record in measurements
    ]
    return _markdown_table(("name", "unit", "definition", "closest published definition"), rows)


def _standard(record: Measurement) -> str:
    return ", ".join(filter(None, (record.standard, record.clause))) or "–"


def _section(record: Measurement) -> str:
    facts = [
        ("Definition", record.definition),
        ("Plane", record.plane),
        ("Landmarks", ", ".join(record.landmarks) or "none"),
        ("Closest published definition", _standard(record)),
        ("Note", record.note),
        ("Version", str(record.version)),
    ]
    lines = "\n".join(f"- {name}: {text}" for name, text in facts)
    return f"## {record.name}\n\n{lines}\n"


def _places(name: str, anatomy: Anatomy) -> str:
    rows = [(f"`{landmark}`", _place(place)) for landmark, place in anatomy.landmarks.items()]
    table = _markdown_table(("landmark", "vertices, or rule"), rows)
    count = f"{anatomy.vertices:,} vertices" if anatomy.vertices else "any mesh"
    return f"**{name}** ({count}). {anatomy.source}\n\n{table}\n"


def _place(place: Place) -> str:
    return place.describe() if isinstance(place, Rule) else ", ".join(map(str, place))


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(folder: Path) -> None:
    """Writes all pages into a folder."""
    pages = {
        "measurements.md": measurements_page(load_table()),
        "checks.md": checks_page(load_checks()),
        "rejections.md": rejections_page(REJECTION_CODES),
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
