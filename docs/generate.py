"""Writes the pages of the documentation that are made from tables of the program.

`python docs/generate.py` writes `measurements.md`, `checks.md` and `rejections.md` beside this
file, or into the folder given as its argument.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tapeless.anatomy import BONES, JOINTS, Anatomy, Place, Rule
from tapeless.checks import Check, load_checks
from tapeless.measurements import TABLE_FILE, Measurement, Table, load_table
from tapeless.measuring import FLAGS
from tapeless.outcomes import REJECTION_CODES

BY_RULE_FILE = TABLE_FILE.with_name("landmarks_by_rule.csv")
"""Made by scripts/measure_landmarks.py."""

NOTICE = "<!-- Made by docs/generate.py: edit {source} instead. -->"

CUSTOM_KEYS = (
    ("`name`", "column in the reports; small letters, digits and underscores"),
    ("`definition`", "one sentence, which is repeated beside every value"),
    (
        "`kind`",
        "`girth`: a taut tape around the torso or a limb. `path`: a taut tape along the surface,"
        " through landmarks that are on the skin. `distance`: straight from landmark to landmark."
        " `height`: of a landmark above the floor, or above another one",
    ),
    (
        "`at`",
        "of a girth: horizontal, at this landmark, around the torso; with `bone`, across that bone,"
        " through it",
    ),
    (
        "`between`, `share`",
        "of a girth: horizontal, at a share (0 to 1) of the height from one landmark to another",
    ),
    (
        "`bone`, `share`",
        f"of a girth: across one of {', '.join(f'`{bone}`' for bone in BONES)}, at a share of its"
        " length",
    ),
    ("`through`", "of all others: the landmarks, in order (two or more; one or two of a height)"),
    ("`quantity`", "of what is no girth: `length`, which is taken to be meant, or `breadth`"),
)
"""The keys of a measurement of the user's own."""

_MOST_IN_A_LINE = 10
"""How many figures of what a check widens are read in a sentence; more are a table."""


def measurements_page(table: Table) -> str:
    """The page that defines every measurement."""
    sections = "\n".join(_section(record, picture=True) for record in table.measurements)
    flags = _markdown_table(("flag", "meaning"), [(f"`{n}`", text) for n, text in FLAGS.items()])
    return f"""{NOTICE.format(source="scripts/tapeless/data/measurements.yaml")}

# Measurements

Table of definitions, version {table.version}. All are taken on the *unposed* body: the person's own
shape, standing upright as the body model stands (Anny with the arms held away and the legs slightly
apart, SMPL-X with the arms held out). The numbers say what a tape would show on that body, not what
it would show on a person who breathes, slouches or is dressed.

{_definitions(table.measurements)}

*Taut* is the perimeter of the convex hull of the cut: as a tape lies, straight over every hollow.
The contour into every hollow is longer, by 2 to 4 cm at the hips and at a woman's chest. With
`measurements.contours: true` it stands beside each girth in the table of one video, as
`<name>_contour_m`.

*Arms excluded*: a plane cuts a body in several closed contours. One that lies around the bones of
an arm, from shoulder to fingers, is left out; the rest is wrapped together (at the crotch, both
thighs). Where an arm and the torso are one contour, the tape ends at the width that the torso has
just below the armpit.

*Across a limb*: girths of the neck, the arms and the legs are taken at right angles to the line
between two joints, not horizontally, for arms hang aslant and legs stand apart. Of the contours in
that plane, the one around that line is the limb's.

*Left and right*: of what there is on both sides, the mean is given. Standards measure the right.

*Clause*: of the standard that the definition is, or comes closest to, as far as we could make sure
of it; without a number, it is the standard's term.

The reports give each value with its 95 % interval, `low` to `high`: [data files](data-files.md)
explains it. In the tables of one video's estimates the same names stand in SI units.

## Flags

What a definition does not say clearly of a body is said beside its value: in the column `flags` of
a video's estimates, and in the reports when at least half of the estimates have it.

{flags}

{sections}
{_shapy_measurements(table)}{_own_measurements()}{_landmarks(table)}"""


def _shapy_measurements(table: Table) -> str:
    sections = "\n".join(_section(record) for record in table.shapy_measurements)
    return f"""## SHAPY's own

On the bodies of `shape.backend: shapy`, the five numbers that SHAPY itself gives are reported as
well, if your download has its landmark files (`utility_files/measurements/` below
`shape.shapy.data`). They are taken by the procedure that its authors document, on the CPU and
without SHAPY's code, so that they can be compared with what others publish. Where you only want to
know how large somebody is, take `height`, `chest`, `waist`, `hips` and `mass` from above.

{_definitions(table.shapy_measurements)}

A landmark of SHAPY's is a triangle of its body model and how much of each corner. `CW_p`, `BW_p`
and `IW_p` are keys of its file `measurement_defitions.yaml`, which name the landmarks of chest,
waist and hips; `smplx_measurements.yaml` says where these are. Both are read when bodies are
measured, and not shipped.

{sections}
"""


def _own_measurements() -> str:
    return f"""## Your own

`measurements.custom` of the configuration is a list of records. Each becomes a column of all
reports, with an interval as wide as that of other measurements of its quantity.

```yaml
measurements:
  custom:
    - name: belly
      definition: Taut girth of the torso, a third of the way from the navel up to the underbust.
      kind: girth
      between: [navel, underbust]
      share: 0.33
    - name: forearm
      definition: Taut girth of the forearm, across it, 30 % of the way from the elbow to the wrist.
      kind: girth
      bone: forearm
      share: 0.3
    - name: across_shoulders
      definition: Taut tape from one acromion over the cervicale to the other.
      kind: path
      through: [left_acromion, cervicale, right_acromion]
```

{_markdown_table(("key", "what it holds"), CUSTOM_KEYS)}

Landmarks are those [below](#landmarks), and the joints {_listed(JOINTS)}. One that there is on the
left and the right can be named without its side; both are measured then, and the mean is the value.

A girth without `bone` is that of the torso. Below the crotch there is none: write `bone` for the
girth of a leg, or it is `cannot_tell`. A `path` lies on the skin, and joints are inside the body: a
path through a joint is a mistake, and one through a landmark that a body model has as a point
inside (such as `bust` of *other*) is `cannot_tell` there. So is a value of nothing, such as the
height of one acromion above the other where both are equally high.

A mistake in a record is reported before anything runs. The name of a record, and every column that
it makes in any table, must be its own: `waist_contour` is refused, as the raw contour of `waist`
has its column, and so is what begins with `shapy_`.

"""


def _landmarks(table: Table) -> str:
    places = "\n".join(_places(name, anatomy) for name, anatomy in table.topologies.items())
    adults, by_rule = _by_rule(BY_RULE_FILE)
    return f"""## Landmarks

Vertex numbers on each body model; of several vertices the mean is taken. Where a model has no
vertex for a landmark, a rule finds it from joints and geometry. Of some landmarks the rule is the
definition (exact). All others are approximate, and what rests on one has the flag `approximate`.

{places}
What the rules cost was measured on {adults} adults of Anny, drawn at random, each with Anny's own
landmarks and with the rules: how much longer or shorter that makes a value on average, by how much
it differs from person to person (standard deviation), and the largest change of all, in per cent.

{by_rule}

This says nothing of the vertices that others chose on SMPL-X, nor of its shape: no body of real
SMPL-X was measured here, as its licence does not let us ship one. Tests measure a mannequin with
its numbers of vertices, landmarks and joints.

A body file of topology `other` is any closed mesh, x to the person's left, y up, z to the front,
with joints of the names above; what rests on a joint that it lacks cannot be told. It is measured
less surely than the two body models: girths of the torso lie where most people have bust and navel,
and not where this person has them.

A change that moves the numbers of a measurement raises its version. How one is added to tapeless
itself is in [CONTRIBUTING](../CONTRIBUTING.md#adding-a-measurement).
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
with `too_few_frames`. Codes of [checks](checks.md) reject a video only where `checks.reject` names
them.

Where nobody was found, the contact sheet shows but colours, for only people are kept sharp;
`blur_faces: false` shows all that was filmed.

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

Every video that could be measured is checked. `checks.csv` of the video has a row per person and
check, and `<results>/checks.csv` those of all videos: the verdict, the number that decided, its
limit, and what follows. A check has three verdicts: `pass`, `fail`, and `cannot_tell`, which never
passes.

{_markdown_table(("check", "question", "fine is", "if it fails"), rows)}

What can follow:

- *flag*: the code stands in the last column of `summary.csv`, `flags`. One that could not tell, but
  has consequences, stands there as `no_turn=cannot_tell`.
- *widen*: the interval becomes wider, by the error given below: a relative standard deviation, in
  per cent of the value, or, where it was measured or assumed so, how many times the usual relative
  uncertainty (that of a body fitted to a known height) it makes of it. Errors of several checks,
  and those that are there anyway, add in squares. So where the scale is uncertain, that is not
  multiplied: clothes make girths wrong, not the scale. It is flagged, too.
- *reject*: the person has no numbers, but the check's code and a sentence that says what to do.
  Which checks do so is said in the configuration: `checks.reject` is
  `[not_an_adult, impossible_stature]` unless you change it. With `[]` nobody is rejected for a
  check, and what is said below follows instead.

A video that an earlier stage rejected is not checked: its table has no rows. Checks take about two
seconds a video. `camera_moves` and `lens_distortion` are about the whole video, so that their rows
name no person.

## What stays silent

Checks find what is far out. No flag does not say that all is well:

- *Loose clothes of ordinary kind.* Where shirt and trousers stood off by 2 cm, chest, waist and
  hips of four rendered people came out 6 to 22 % too large, by 3 cm 10 to 33 %; `loose_clothing`
  finds one of the first and all of the second. What hangs off the body, such as a skirt, is found,
  too. Where nothing is found, the interval does not hold the clothes: only close-fitting ones help.
- *A wrong number in the sheet* that makes a possible adult: a height that is 5 cm off, an object
  that stands behind the person, a distance to another place.
- *Children without a height.* Nothing tells them from adults far away: they come out as adults.
- *A lens that bows*, in a room without long straight edges (`cannot_tell`, nothing follows).
- *A moving camera* before a plain wall (`cannot_tell`; flagged only where a distance gives the
  scale).
- *With SHAPY*: whatever says "cannot tell" below. Of no shape of SHAPY's is it known how common it
  is, so loose clothes show by the outline (`unexplained_outline`) only.

{sections}"""


def _limits(check: Check) -> str:
    limits = (("at least", check.at_least), ("at most", check.at_most))
    given = [f"{name} {limit:g}" for name, limit in limits if limit is not None]
    return f"{', '.join(given)} {check.unit}"


def _consequence(check: Check) -> str:
    elsewhere = "".join(
        f"; with scale `{scale}`: {_follows(follows['on_fail'], follows['on_cannot_tell'])}"
        for scale, follows in check.where_scale.items()
    )
    return _follows(check.on_fail, check.on_cannot_tell) + elsewhere


def _follows(on_fail: str, on_cannot_tell: str) -> str:
    unsure = "" if on_cannot_tell == "none" else f" (cannot tell: {on_cannot_tell})"
    return f"{on_fail}{unsure}"


def _check_section(check: Check) -> str:
    errors = _errors(check)
    is_long = len(errors) > _MOST_IN_A_LINE
    widens = "as the table below says" if is_long else ", ".join(map(" ".join, errors))
    facts = [
        ("The number", check.value),
        ("Fine is", f"{_limits(check)}. {check.reason}"),
        ("If it fails", _consequence(check)),
        ("Widens", f"{widens} ({check.widens_because})" if errors else "nothing"),
        ("Bodies of SHAPY", f"{check.shapy or 'as those of Anny'}."),
        ("What to do", check.advice),
    ]
    lines = "\n".join(f"- {name}: {text}" for name, text in facts)
    table = f"\n{_errors_by_quantity(errors)}\n" if is_long else ""
    return f"## {check.code}\n\n{check.question}\n\n{lines}\n{table}"


def _errors(check: Check) -> list[tuple[str, str]]:
    """What is widened, measurements or quantities, and how much."""
    errors = [(name, f"by {100 * added:g} %") for name, added in check.adds.items() if added]
    return errors + [(name, f"{factor:g} times") for name, factor in check.widens.items()]


def _errors_by_quantity(errors: Iterable[tuple[str, str]]) -> str:
    """A row for each quantity, with those of its measurements that have a figure of their own."""
    quantities = {record.name: record.quantity for record in load_table().measurements}
    of_quantity = {name: text for name, text in errors if name in quantities.values()}
    of_its_own = [(name, text) for name, text in errors if name not in of_quantity]
    rows = [
        (
            quantity,
            of_quantity.get(quantity, "as usual"),
            ", ".join(f"{name} {text}" for name, text in of_its_own if quantities[name] == quantity)
            or "–",
        )
        for quantity in dict.fromkeys([*of_quantity, *(quantities[name] for name, _ in of_its_own)])
    ]
    return _markdown_table(("quantity", "wider", "but of these measurements"), rows)


def _definitions(measurements: Iterable[Measurement]) -> str:
    rows = [
        (f"`{record.name}`", record.unit.report, record.definition, _standard(record))
        for record in measurements
    ]
    return _markdown_table(("name", "unit", "definition", "closest published definition"), rows)


def _standard(record: Measurement) -> str:
    return ", ".join(filter(None, (record.standard, record.clause))) or "–"


def _section(record: Measurement, *, picture: bool = False) -> str:
    rests_on = [*record.landmarks, *record.bones, *record.parts]
    facts = [
        ("Definition", record.definition),
        ("Plane", record.plane),
        ("Rests on", ", ".join(rests_on) or "the whole surface"),
        ("Closest published definition", _standard(record)),
        ("Note", record.note or "–"),
        ("Quantity, unit, version", f"{record.quantity}, {record.unit.report}, {record.version}"),
    ]
    lines = "\n".join(f"- {name}: {text}" for name, text in facts)
    image = f"![{record.name}](images/measurements/{record.name}.png)\n\n" if picture else ""
    return f"## {record.name}\n\n{image}{lines}\n"


def _by_rule(path: Path) -> tuple[int, str]:
    """How many adults were measured by rules, and what that changed, as a table."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    numbers = ("bias_percent", "sd_percent", "largest_percent")
    cells = [
        (row["topology"], f"`{row['measurement']}`", *(row[name] for name in numbers))
        for row in rows
    ]
    head = ("rules of", "measurement", "mean change", "standard deviation", "largest")
    return int(rows[0]["adults"]), _markdown_table(head, cells)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


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
