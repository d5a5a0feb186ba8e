"""Every kind of measurement: closed-form truth on solids, and properties that hold for any body."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ellipe
from solids import as_body, rod, stack, table_for, together, torus

import measure_landmarks
from tapeless.anatomy import JOINTS, Rule
from tapeless.bodies import Body
from tapeless.definitions import KINDS
from tapeless.measurements import MeasuredBody, load_table, measure
from tapeless.measuring import ALGORITHMS, FLAGS, Subject
from tapeless.tape import HORIZONTAL, Cut, Slicer

GIRTHS = {record.name for record in load_table().measurements if record.quantity == "girth"}
POWERS = {record.name: record.power for record in load_table().measurements}
WIDTH = np.array([0.17, 0.19, 0.14, 0.17, 0.15])
"""Half of the mannequin's torso at these heights, an hourglass; it is half as deep."""
LEVELS = np.array([0.8, 0.9, 1.1, 1.3, 1.5])
LEGS_M = (0.24, 0.12)
"""Half axes of legs that touch, of which a cut is one ellipse."""


def mannequin(
    *,
    arm_degrees: float = 40.0,
    width: np.ndarray = WIDTH,
    arm_m: tuple[float, float] = (0.3, 0.25),
    joined_legs: bool = False,
) -> Body:
    """Round rods around the joints that any topology has: limbs of known girths and lengths."""
    lean = np.radians(arm_degrees)
    joints: dict[str, np.ndarray] = {"pelvis": np.array([0, 0.9, 0]), "neck": np.array([0, 1.5, 0])}
    joints["head"] = np.array([0, 1.62, 0.05])
    parts = [stack(LEVELS, width, width / 2, corners=180)]
    parts.append(rod(joints["neck"], joints["head"], [0.05] * 3))
    parts.append(rod((0, 1.6, 0.03), (0, 1.8, 0.03), [0.03, 0.08, 0.08, 0.03]))
    for side, sign in (("left", 1), ("right", -1)):
        away = np.array([sign * np.sin(lean), -np.cos(lean), 0])
        shoulder = np.array([sign * 0.2, 1.45, 0])
        elbow = shoulder + arm_m[0] * away
        wrist = elbow + arm_m[1] * away
        hip, knee, ankle = ([sign * x, y, 0] for x, y in ((0.1, 0.85), (0.14, 0.47), (0.18, 0.09)))
        parts += [
            rod(shoulder, elbow, [0.05, 0.04]),
            rod(elbow, 2 * wrist - elbow, [0.04, 0.025, 0.025]),
        ]
        if not joined_legs:
            parts.append(rod(hip, knee, [0.09, 0.06]))
        parts += [rod(knee, ankle, [0.06, 0.045, 0.07, 0.03, 0.04])]
        parts.append(rod((sign * 0.18, 0.03, -0.06), (sign * 0.18, 0.03, 0.2), [0.03, 0.03]))
        places = (shoulder, elbow, wrist, hip, knee, ankle)
        names = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        joints |= {f"{side}_{name}": place for name, place in zip(names, places, strict=True)}
    if joined_legs:
        legs = np.array([0.47, 0.8])
        parts.append(stack(legs, np.full(2, LEGS_M[0]), np.full(2, LEGS_M[1]), corners=360))
    vertices, faces = together(*parts)
    return replace(
        as_body((vertices, faces)),
        vertices=vertices,
        faces=faces,
        joints=np.array([joints[name] for name in JOINTS]),
        joint_names=np.array(JOINTS),
        topology="other",
        posed_vertices=np.empty((0, len(vertices), 3)),
    )


@pytest.fixture(scope="module")
def body() -> Body:
    return mannequin()


@pytest.fixture(scope="module")
def measured(body: Body) -> MeasuredBody:
    return measure(body)


def circle(radius: float) -> float:
    return 2 * np.pi * radius


# limbs


@pytest.mark.parametrize("degrees", [0, 40, 90])
def test_a_limb_has_the_girth_of_its_rod_however_it_is_held(degrees: float) -> None:
    values = measure(mannequin(arm_degrees=degrees)).values

    assert values["upper_arm"] == pytest.approx(circle(0.045), rel=1e-3)
    assert values["elbow"] == pytest.approx(circle(0.04), rel=1e-3)
    assert values["wrist"] == pytest.approx(circle(0.025), rel=1e-3)


def test_girths_of_the_leg_are_taken_across_its_bones(body: Body, measured: MeasuredBody) -> None:
    assert measured.values["knee"] == pytest.approx(circle(0.06), rel=2e-3)
    assert measured.values["neck"] == pytest.approx(circle(0.05), rel=1e-3)


@pytest.mark.parametrize(("name", "share"), [("thigh", 0.05), ("mid_thigh", 0.5)])
def test_girths_of_the_thigh_lie_between_the_bones_point_nearest_the_crotch_and_the_knee(
    body: Body, measured: MeasuredBody, name: str, share: float
) -> None:
    crotch = Subject(body, load_table().topologies["other"]).places.find("crotch")
    hip, knee = (body.joints[JOINTS.index(f"left_{joint}")] for joint in ("hip", "knee"))
    along_bone = np.linspace(hip, knee, 4001)
    nearest = along_bone[np.linalg.norm(along_bone - crotch, axis=1).argmin()]
    place = nearest + share * (knee - nearest)
    radius = np.interp(place[1], (knee[1], hip[1]), (0.06, 0.09))

    assert measured.values[name] == pytest.approx(circle(float(radius)), rel=2e-3)
    ring = measured.lines[name][0]
    assert np.linalg.norm(ring - place, axis=1) == pytest.approx(radius, rel=3e-3)


def test_the_tape_around_a_knee_goes_through_the_middle_of_the_kneecap(
    adult: Body, of_adult: MeasuredBody
) -> None:
    landmarks = load_table().topologies["anny"].landmarks
    for side, ring in zip(("left", "right"), of_adult.lines["knee"], strict=True):
        kneecap = adult.vertices[list(landmarks[f"{side}_kneecap"])].mean(axis=0)
        across = np.linalg.svd(ring - ring.mean(axis=0))[2][2]
        assert abs((kneecap - ring.mean(axis=0)) @ across) < 1e-5


def test_the_calf_is_where_the_lower_leg_is_widest_and_the_ankle_where_it_is_narrowest(
    measured: MeasuredBody,
) -> None:
    assert measured.values["calf"] == pytest.approx(circle(0.07), rel=3e-3)
    assert measured.values["ankle"] == pytest.approx(circle(0.03), rel=5e-3)


def test_of_both_sides_the_mean_is_taken(body: Body) -> None:
    vertices = body.vertices.copy()
    is_right_arm = (vertices[:, 0] < -0.22) & (vertices[:, 1] > 0.95)
    along = vertices[is_right_arm] - body.joints[JOINTS.index("right_shoulder")]
    direction = np.array([-np.sin(np.radians(40)), -np.cos(np.radians(40)), 0])
    across = along - np.outer(along @ direction, direction)
    vertices[is_right_arm] += across  # twice as thick

    value = measure(replace(body, vertices=vertices)).values["wrist"]

    assert value == pytest.approx(1.5 * circle(0.025), rel=2e-3)


def test_of_legs_that_touch_each_half_is_measured_and_flagged() -> None:
    table = load_table()
    (thigh,) = (record for record in table.measurements if record.name == "thigh")
    thigh = replace(thigh, landmarks=(), shares=(0.3,))
    measured = measure(mannequin(joined_legs=True), replace(table, measurements=(thigh,)))
    across, along = LEGS_M
    half = 2 * across * float(ellipe(1 - (along / across) ** 2)) + 2 * along
    assert measured.values["thigh"] == pytest.approx(half, rel=0.02)
    assert measured.flags["thigh"] == ("limbs_touch",)


def test_a_limb_that_is_not_there_has_no_value_and_a_flag(body: Body) -> None:
    joints = body.joints.copy()
    for side in ("left", "right"):
        joints[JOINTS.index(f"{side}_wrist")] = joints[JOINTS.index(f"{side}_elbow")]

    measured = measure(replace(body, joints=joints))

    assert "wrist" not in measured.values
    assert {measured.flags[name] for name in ("wrist", "elbow")} == {("cannot_tell",)}
    assert measured.values["knee"] > 0


# lengths


def test_lengths_of_the_arm_are_those_of_its_bones(body: Body, measured: MeasuredBody) -> None:
    values = measured.values

    assert values["forearm_length"] == pytest.approx(0.25, rel=1e-5)
    assert values["arm_length"] == pytest.approx(
        values["upper_arm_length"] + values["forearm_length"]
    )
    # The acromion lies on the skin above the joint, which here is the end of the rod.
    assert values["upper_arm_length"] == pytest.approx(0.3, rel=1e-5)


def test_heights_are_vertical(measured: MeasuredBody) -> None:
    values = measured.values

    assert values["height"] == pytest.approx(1.8, abs=1e-6)
    assert values["torso_height"] == pytest.approx(1.5 - values["inside_leg"], abs=2e-3)


def test_the_foot_is_as_long_as_its_farthest_points_are_apart(measured: MeasuredBody) -> None:
    assert measured.values["foot_length"] == pytest.approx(np.hypot(0.26, 0.06), rel=2e-3)


def test_the_side_is_taped_over_the_widest_place_and_then_straight_down() -> None:
    width = np.array([0.18, 0.2, 0.14, 0.17, 0.15])

    value = measure(mannequin(width=width)).values["outside_leg"]

    navel = 0.85 + 0.27 * (1.45 - 0.85)  # of the way from the hips to the shoulders
    reach = np.interp(navel, LEVELS, width)
    assert value == pytest.approx(np.hypot(0.2 - reach, navel - 0.9) + 0.9, abs=2e-3)


@pytest.mark.parametrize("degrees", [30, 100])
def test_a_path_around_a_tube_is_an_arc(degrees: float) -> None:
    half = np.radians(degrees) / 2
    value = _path(
        stack(np.linspace(0, 1.8, 19), 0.15, 0.15, corners=720),
        [(0.15 * np.sin(s * half), 0.9, 0.15 * np.cos(s * half)) for s in (-1, 1)],
    )

    assert value == pytest.approx(0.15 * 2 * half, rel=1e-3)


def test_a_path_over_a_hollow_is_straight() -> None:
    heights = np.linspace(0, 1.8, 19)
    waisted = stack(heights, 0.2, 0.2 - 0.1 * np.sin(np.pi * heights / 1.8), corners=360)

    value = _path(waisted, [(0, 0.2, 0.2 - 0.1 * np.sin(np.pi / 9)), (0, 1.6, 0.2 - 0.0342)])

    assert value == pytest.approx(1.4, rel=1e-3)


def _path(solid, ends) -> float:
    """The length of a path between the vertices of a solid that are nearest to two places."""
    body = as_body(solid)
    nearest = [int(((body.vertices - end) ** 2).sum(axis=1).argmin()) for end in ends]
    table = table_for(body, {})
    anatomy = replace(
        table.topologies["anny"], landmarks={"one": (nearest[0],), "other": (nearest[1],)}
    )
    record = next(record for record in table.measurements if record.kind == "path")
    only = replace(record, landmarks=("one", "other"))
    table = replace(table, measurements=(only,), topologies={"anny": anatomy})
    return measure(body, table).values[record.name]


# the torso


def test_the_natural_waist_is_where_the_torso_is_narrowest(measured: MeasuredBody) -> None:
    long, short = 0.14, 0.07

    assert measured.values["natural_waist"] == pytest.approx(
        4 * long * ellipe(1 - (short / long) ** 2), rel=2e-3
    )
    assert "no_distinct_waist" not in measured.flags["natural_waist"]
    assert measured.values["natural_waist"] <= measured.values["waist"] + 1e-9


def test_a_torso_without_a_waist_has_a_value_and_a_flag() -> None:
    straight = measure(mannequin(width=np.full(5, 0.17)))

    assert "no_distinct_waist" in straight.flags["natural_waist"]
    assert straight.values["natural_waist"] > 0.5


def test_a_belly_wider_than_the_hips_is_flagged() -> None:
    belly = measure(mannequin(width=np.array([0.15, 0.16, 0.26, 0.18, 0.15])))

    assert "largest_at_navel" in belly.flags["hips"]
    assert belly.values["hips"] == pytest.approx(belly.values["waist"])


# the whole


def test_a_tube_has_the_area_of_its_wall_and_its_ends() -> None:
    tube = stack(np.linspace(0, 1.8, 10), 0.15, 0.15)
    record = next(r for r in load_table().measurements if r.name == "body_surface_area")
    body = as_body(tube)
    table = replace(table_for(body, {}), measurements=(record,))

    area = measure(body, table).values["body_surface_area"]

    assert area == pytest.approx(2 * np.pi * 0.15 * 1.8 + 2 * np.pi * 0.15**2, rel=1e-4)


def test_what_is_computed_from_others_is(measured: MeasuredBody) -> None:
    values = measured.values

    assert values["bmi"] == values["mass"] / values["height"] ** 2
    assert values["waist_to_hip"] == values["waist"] / values["hips"]
    assert values["waist_to_height"] == values["waist"] / values["height"]
    assert values["mass"] == values["volume"] * 985


def test_a_ring_is_bridged_by_the_tape() -> None:
    lying = Slicer(*torus(0.3, 0.1), HORIZONTAL)

    loops = lying.loops(1e-9)
    both = Cut(np.concatenate([loop.segments for loop in loops]))

    assert sorted(loop.taut for loop in loops) == pytest.approx(
        [circle(0.2), circle(0.4)], rel=1e-4
    )
    assert both.raw == pytest.approx(circle(0.2) + circle(0.4), rel=1e-4)
    assert both.taut == pytest.approx(circle(0.4), rel=1e-4)


def test_a_ring_cut_across_has_two_round_cuts() -> None:
    standing = Slicer(*torus(0.3, 0.1), np.roll(HORIZONTAL, 1, axis=0)[[0, 2, 1]])

    assert [loop.taut for loop in standing.loops(1e-9)] == pytest.approx(
        [circle(0.1)] * 2, rel=1e-4
    )


# properties


@pytest.fixture(scope="module")
def adult() -> Body:
    """A woman of Anny's."""
    from tapeless.population import draw_adults, rest_body

    return rest_body(draw_adults(1, seed=5, varied_beyond_prior=True)[0])


@pytest.fixture(scope="module")
def of_adult(adult: Body) -> MeasuredBody:
    return measure(adult)


def test_everything_can_be_told_of_a_body_of_anny(of_adult: MeasuredBody) -> None:
    assert list(of_adult.values) == [record.name for record in load_table().measurements]
    assert {flag for flags in of_adult.flags.values() for flag in flags} <= {
        "no_distinct_waist",
        "largest_at_navel",
    }
    assert set(of_adult.contours) == GIRTHS


def test_at_least_25_measurements_can_be_told_of_any_mesh_with_joints(
    measured: MeasuredBody,
) -> None:
    assert len(measured.values) == len(load_table().measurements) >= 25


@pytest.mark.parametrize("factor", [0.9, 1.15])
def test_each_value_goes_with_its_power_of_the_scale(
    adult: Body, of_adult: MeasuredBody, factor: float
) -> None:
    scaled = measure(replace(adult, vertices=adult.vertices * factor, joints=adult.joints * factor))

    for name, value in of_adult.values.items():
        assert scaled.values[name] == pytest.approx(
            factor ** POWERS[name] * value, rel=1e-3, abs=5e-4
        ), name
    assert scaled.flags == of_adult.flags


@pytest.mark.parametrize("degrees", [90, 200])
def test_moving_on_the_floor_and_turning_changes_no_value(
    adult: Body, of_adult: MeasuredBody, degrees: float
) -> None:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    moved = [points @ turn.T + (0.7, 0, -2.0) for points in (adult.vertices, adult.joints)]

    result = measure(replace(adult, vertices=moved[0], joints=moved[1]))

    assert dict(result.values) == pytest.approx(dict(of_adult.values), rel=1e-3)


def test_a_taut_tape_is_never_longer_than_the_contour(of_adult: MeasuredBody) -> None:
    for name, contour in of_adult.contours.items():
        assert of_adult.values[name] <= contour + 1e-9, name
    assert of_adult.contours["chest"] > of_adult.values["chest"] + 0.005


def test_lines_are_as_long_as_the_values_say(of_adult: MeasuredBody) -> None:
    for name in GIRTHS | {"arm_length", "back_length", "foot_length", "shoulder_breadth"}:
        lengths = [np.linalg.norm(np.diff(x, axis=0), axis=1).sum() for x in of_adult.lines[name]]
        assert np.mean(lengths) == pytest.approx(of_adult.values[name], rel=1e-6), name


def test_what_is_not_flagged_is_the_same_with_landmarks_by_rule(
    adult: Body, of_adult: MeasuredBody
) -> None:
    own_names = {own: name for name, own in load_table().topologies["anny"].joints.items()}
    named = np.array([own_names.get(name, name) for name in adult.joint_names.tolist()])

    by_rule = measure(replace(adult, topology="other", joint_names=named))

    assert by_rule.values.keys() == of_adult.values.keys()
    for name, value in by_rule.values.items():
        if "approximate" not in by_rule.flags.get(name, ()):
            assert value == pytest.approx(of_adult.values[name], rel=1e-6), name


def as_smplx(body: Body) -> Body:
    """A mannequin with the numbers of vertices, landmarks and joints of SMPL-X.

    Vertices that are landmarks lie where the mannequin's are; they and those left over belong to no
    face.
    """
    table = load_table()
    anatomy = table.topologies["smplx"]
    places = Subject(body, table.topologies["other"]).places
    vertices = np.tile(body.vertices[0], (anatomy.vertices, 1))
    taken: list[int] = []
    for name, numbers in anatomy.landmarks.items():
        if not isinstance(numbers, Rule):
            vertices[list(numbers)] = places.find(name)
            taken += numbers
    free = np.setdiff1d(np.arange(anatomy.vertices), taken)[: len(body.vertices)]
    vertices[free] = body.vertices
    return replace(
        body,
        vertices=vertices,
        faces=free[body.faces],
        topology="smplx",
        posed_vertices=np.empty((0, anatomy.vertices, 3)),
    )


def test_every_measurement_can_be_told_of_a_mannequin_numbered_as_smplx(
    body: Body, measured: MeasuredBody
) -> None:
    result = measure(as_smplx(body))

    assert result.values.keys() == measured.values.keys() == set(POWERS)
    assert {name for name, flags in result.flags.items() if "approximate" in flags} == {
        "underbust",
        "natural_waist",
        "knee",
        "back_length",
        "torso_height",
        "head_height",
    }
    assert dict(result.values) == pytest.approx(dict(measured.values), rel=1e-5)


LIMITS = {"chest": (3, 4), "waist": (1, 3), "underbust": (1, 2), "neck": (3, 6)} | {
    "shoulder_breadth": (7, 4), "arm_length": (2, 1.5), "upper_arm_length": (4, 2),
    "back_length": (4, 5), "knee": (4, 2.5),
}  # fmt: skip
"""Largest bias and spread, in per cent, that a rule may bring; of all others 1 and 2.5."""


@pytest.mark.parametrize("topology", ["smplx", "other"])
def test_what_rules_change_is_little_and_as_the_documentation_says(topology: str) -> None:
    published = {
        row["measurement"]: row
        for row in csv.DictReader(measure_landmarks.FILE.open(encoding="utf-8"))
        if row["topology"] == topology
    }

    found = measure_landmarks.differences(6, topology)

    assert found.keys() == published.keys()
    for name, changes in found.items():
        bias, sd = (float(published[name][f"{number}_percent"]) for number in ("bias", "sd"))
        most_bias, most_sd = LIMITS.get(name, (1, 2.5))
        assert abs(bias) <= most_bias, name
        assert sd <= most_sd, name
        # Of six adults, as their number lets one expect, and to what the table is rounded.
        assert abs(100 * np.mean(changes) - bias) < 4 * (sd + 0.05) / np.sqrt(6) + 0.05, name
        assert 100 * np.std(changes, ddof=1) < 2.5 * (sd + 0.05), name


def test_a_rule_says_its_share_to_a_tenth_of_a_per_cent() -> None:
    rule = load_table().topologies["other"].landmarks["underbust"]

    assert rule.describe() == "28.5 % of the way from bust to navel"


def test_shares_in_rules_are_those_of_adults_of_anny() -> None:
    from tapeless.population import draw_adults, rest_body

    topologies = load_table().topologies
    rules = {name: topologies["other"].landmarks[name] for name in ("bust", "navel", "underbust")}
    shares: dict[str, list[float]] = {name: [] for name in rules}
    for adult in draw_adults(8, seed=5, varied_beyond_prior=True):
        subject = Subject(rest_body(adult), topologies["anny"])
        for name, rule in rules.items():
            start, end = map(subject.height_of, rule.of)
            shares[name].append((subject.height_of(name) - start) / (end - start))

    for name, rule in rules.items():
        assert rule.share == pytest.approx(np.mean(shares[name]), abs=0.01), name
    assert topologies["smplx"].landmarks["underbust"] == rules["underbust"]


def test_a_mesh_with_other_names_for_its_joints_is_measured(
    body: Body, measured: MeasuredBody
) -> None:
    table = load_table()
    names = {name: f"my {name}" for name in JOINTS}
    anatomy = table.topologies["other"].renamed(names)
    renamed = replace(body, joint_names=np.array([names[name] for name in JOINTS]))

    result = measure(renamed, replace(table, topologies={"other": anatomy}))

    assert result.values == measured.values


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        ("ankle", {"knee", "calf", "ankle", "foot_length"}),
        (
            "hip",
            {"chest", "waist", "hips", "underbust", "natural_waist", "thigh", "mid_thigh", "knee"}
            | {"back_length", "outside_leg", "waist_to_hip", "waist_to_height"},
        ),
    ],
)
def test_without_a_joint_what_rests_on_it_cannot_be_told(
    body: Body, lacking: str, expected: set[str]
) -> None:
    kept = [name for name in JOINTS if not name.endswith(lacking)]
    places = [JOINTS.index(name) for name in kept]

    result = measure(replace(body, joints=body.joints[places], joint_names=np.array(kept)))

    untold = {name for name, flag in result.flags.items() if flag == ("cannot_tell",)}
    assert untold == expected


def test_every_kind_has_an_algorithm_and_every_flag_a_meaning() -> None:
    assert set(KINDS) == set(ALGORITHMS)
    assert all(meaning.endswith(".") for meaning in FLAGS.values())
