"""The tape: closed-form truth on solids, properties that hold for any body, and the definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
import yaml
from scipy.spatial import ConvexHull
from scipy.special import ellipe
from solids import as_body, blocks, stack, table_for, together

from tapeless.bodies import Body, InvalidBodyError
from tapeless.measurements import TABLE_FILE, Table, load_table, measure_body
from tapeless.tape import Cut, Tape, loops_at

LEVELS = {"bust": 1.3, "navel": 1.1, "crotch": 0.8}
HEIGHTS = np.linspace(0, 1.8, 37)


def measure(body: Body, levels: dict[str, float] | None = None) -> dict[str, float]:
    return measure_body(body, _the_five(table_for(body, levels or LEVELS)))


def _the_five(table: Table) -> Table:
    """test_measuring.py is about all others."""
    return replace(table, measurements=table.measurements[:5])


def ellipse_perimeter(half_width: float, half_depth: float) -> float:
    long, short = max(half_width, half_depth), min(half_width, half_depth)
    return float(4 * long * ellipe(1 - (short / long) ** 2))


@pytest.fixture
def person() -> Body:
    """An hourglass with two arms that hang free, hands at hip height."""
    width = np.interp(HEIGHTS, [0, 0.9, 1.1, 1.3, 1.8], [0.1, 0.19, 0.14, 0.18, 0.08])
    torso = stack(HEIGHTS, width, 0.7 * width, corners=90)
    drop = np.linspace(1.0, 1.4, 9)
    arms = [stack(drop, 0.05, 0.05, across=s * (1.65 - drop), corners=20) for s in (-1, 1)]
    return as_body(together(torso, *arms))


# closed-form truth


def test_a_cylinder_has_the_girth_of_its_circle() -> None:
    result = measure(as_body(stack(HEIGHTS, 0.15, 0.15)))

    for name in ("chest", "waist", "hips"):
        assert result[name] == pytest.approx(2 * np.pi * 0.15, rel=1e-5)
    assert result["height"] == pytest.approx(1.8, abs=1e-6)
    assert result["mass"] == pytest.approx(985 * np.pi * 0.15**2 * 1.8, rel=2e-5)


@pytest.mark.parametrize(("half_width", "half_depth"), [(0.2, 0.1), (0.12, 0.18)])
def test_an_elliptic_tube_has_the_girth_of_its_ellipse(
    half_width: float, half_depth: float
) -> None:
    result = measure(as_body(stack(HEIGHTS, half_width, half_depth)))

    assert result["waist"] == pytest.approx(ellipse_perimeter(half_width, half_depth), rel=1e-5)


def test_an_ellipsoid_has_its_volume_and_the_girth_of_each_level() -> None:
    a, b, c = 0.25, 0.9, 0.15
    angle = np.linspace(-np.pi / 2, np.pi / 2, 401)[1:-1]
    shrink = np.cos(angle)
    result = measure(
        as_body(stack(b * np.sin(angle) + b * np.sin(angle[-1]), a * shrink, c * shrink))
    )

    at_navel = np.sqrt(1 - ((1.1 - b) / b) ** 2)
    assert result["mass"] == pytest.approx(985 * 4 / 3 * np.pi * a * b * c, rel=5e-4)
    assert result["waist"] == pytest.approx(ellipse_perimeter(a * at_navel, c * at_navel), rel=1e-3)
    assert result["hips"] == pytest.approx(ellipse_perimeter(a, c), rel=2e-4)  # 0.9 lies between


def test_hips_are_found_where_they_are_largest() -> None:
    heights = np.sort(np.append(HEIGHTS, 0.933))
    width = np.interp(heights, [0, 0.933, 1.8], [0.1, 0.2, 0.1])

    result = measure(as_body(stack(heights, width, 0.15)))

    assert result["hips"] == pytest.approx(ellipse_perimeter(0.2, 0.15), abs=0.0005)


def test_a_tape_bridges_hollows_and_the_raw_contour_does_not() -> None:
    u_shape = blocks(
        [np.s_[10:20, 1:10, 10:12], np.s_[10:12, 1:10, 12:16], np.s_[18:20, 1:10, 12:16]], 0.01
    )

    (cut,) = loops_at(*u_shape, level=0.055)

    assert cut.taut == pytest.approx(2 * (0.10 + 0.06))
    assert cut.raw == pytest.approx(2 * (0.10 + 0.06) + 2 * 0.04)


# arms


def test_hanging_arms_and_hands_are_left_out(person: Body) -> None:
    torso_only = replace(person, faces=person.faces[: 2 * 90 * 36 + 2 * 90])

    with_arms, without = measure(person), Tape(torso_only, [], [("head", "root")])

    assert with_arms["chest"] == pytest.approx(without.torso(1.3).taut, rel=1e-6)
    assert with_arms["waist"] == pytest.approx(without.torso(1.1).taut, rel=1e-6)
    assert with_arms["hips"] == pytest.approx(without.torso(0.9).taut, abs=0.001)


@pytest.mark.parametrize("bust_level", [0.5, 0.55, 0.58])
def test_an_arm_that_joins_the_torso_is_cut_off_at_the_width_below_the_armpit(
    bust_level: float,
) -> None:
    torso, arms = np.s_[10:20, 0:36, 10:16], np.s_[1:29, 26:30, 11:15]  # arms held out
    solid = blocks([torso, arms], 0.02)
    solid = (solid[0] - (0.30, 0, 0.26), solid[1])
    body = as_body(
        solid,
        arm=((0.08, 0.56, 0), (0.16, 0.56, 0), (0.26, 0.56, 0)),
        spine=((0, 0.7, 0), (0, 0.1, 0)),
    )

    cut = Tape(body, *_chains()).torso(bust_level)

    assert cut.taut == pytest.approx(2 * (0.20 + 0.12))


def _chains() -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    arms = [tuple(f"{s}_{n}" for n in ("shoulder", "elbow", "hand")) for s in ("left", "right")]
    return arms, [("head", "root")]


def test_both_thighs_are_wrapped_together() -> None:
    legs = [stack(np.linspace(0, 0.9, 10), 0.08, 0.08, across=x) for x in (-0.1, 0.1)]
    body = as_body(together(*legs, stack(np.linspace(0.91, 1.8, 10), 0.18, 0.1)))

    cut = Tape(body, _chains()[0], [("head", "root")]).torso(0.85)

    assert cut.taut == pytest.approx(2 * np.pi * 0.08 + 2 * 0.2, rel=1e-5)


# properties


@pytest.mark.parametrize("factor", [0.8, 1.1])
def test_scaling_scales_lengths_and_cubes_mass(person: Body, factor: float) -> None:
    scaled = replace(person, vertices=person.vertices * factor, joints=person.joints * factor)

    before, after = measure(person), measure(scaled, {k: y * factor for k, y in LEVELS.items()})

    for name in ("height", "chest", "waist"):
        assert after[name] == pytest.approx(factor * before[name], rel=1e-5)
    assert after["hips"] == pytest.approx(factor * before["hips"], abs=0.0005)
    assert after["mass"] == pytest.approx(factor**3 * before["mass"], rel=1e-5)


@pytest.mark.parametrize("degrees", [0, 30, 90, 200])
def test_moving_on_the_floor_and_turning_changes_nothing(person: Body, degrees: float) -> None:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    moved = replace(
        person,
        vertices=person.vertices @ turn.T + (0.7, 0, -2.0),
        joints=person.joints @ turn.T + (0.7, 0, -2.0),
    )

    assert measure(moved) == pytest.approx(measure(person), rel=1e-4)


@pytest.mark.parametrize("level", [0.31, 0.85, 1.1, 1.249])
def test_the_tape_is_never_longer_than_the_contour(person: Body, level: float) -> None:
    for loop in loops_at(person.vertices.astype(float), person.faces, level):
        assert loop.taut <= loop.raw + 1e-9


@pytest.mark.parametrize("level", [0.31, 0.85, 1.1, 1.249])
def test_a_second_implementation_agrees(person: Body, level: float) -> None:
    mesh = trimesh.Trimesh(person.vertices, person.faces, process=False)
    outline = mesh.section([0, 1, 0], [0, level, 0])
    expected = sorted(ConvexHull(np.asarray(loop)[:, [0, 2]]).area for loop in outline.discrete)

    loops = loops_at(person.vertices.astype(float), person.faces, level)

    assert sorted(loop.taut for loop in loops) == pytest.approx(expected, abs=1e-5)


def test_a_second_implementation_agrees_on_the_volume(person: Body) -> None:
    mesh = trimesh.Trimesh(person.vertices, person.faces, process=False)

    assert measure(person)["mass"] == pytest.approx(985 * mesh.volume, rel=1e-6)


def test_cutting_a_contour_short_keeps_what_lies_inside() -> None:
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
    cut = Cut(np.stack([square, np.roll(square, -1, axis=0)], axis=1))

    assert cut.within(np.array([1.0, 0.0]), 0.5).taut == pytest.approx(2 * (0.5 + 2))


# what cannot be measured is refused


def test_a_surface_with_a_large_hole_has_no_mass(person: Body) -> None:
    without_shoulder = replace(person, faces=person.faces[:-20])

    with pytest.raises(InvalidBodyError, match=r"holes .* closed one \(.* 77 cm2; up to 13 cm2"):
        measure(without_shoulder)


def test_a_small_hole_is_closed(person: Body) -> None:
    assert measure(replace(person, faces=person.faces[:-1])) == pytest.approx(measure(person))


def test_a_surface_turned_inside_out_has_no_mass(person: Body) -> None:
    with pytest.raises(InvalidBodyError, match="inside out"):
        measure(replace(person, faces=person.faces[:, ::-1]))


def test_a_body_of_another_topology_is_refused(person: Body) -> None:
    with pytest.raises(InvalidBodyError, match="allowed for topology 'anny' is 13718"):
        measure_body(person)


def test_a_body_without_arm_joints_is_refused_rather_than_measured_with_arms(person: Body) -> None:
    nameless = replace(person, joint_names=[f"joint_{i}" for i in range(len(person.joints))])

    with pytest.raises(InvalidBodyError, match="joint_names has 0 of left_shoulder"):
        measure(nameless)


def test_a_level_without_torso_is_refused(person: Body) -> None:
    with pytest.raises(InvalidBodyError, match=r"no torso at a height of 2\.500 m"):
        Tape(person, *_chains()).torso(2.5)


# real bodies


@pytest.fixture(scope="module")
def adults() -> list[tuple[Body, dict[str, float]]]:
    """Two women and two men of Anny, with their measurements."""
    from tapeless.population import draw_adults, rest_body

    bodies = [rest_body(adult) for adult in draw_adults(4, seed=5, varied_beyond_prior=True)]
    return [(body, measure_body(body)) for body in bodies]


def test_landmarks_of_anny_lie_where_anatomy_has_them(adults) -> None:
    landmarks = load_table().topologies["anny"].landmarks
    allowed = {
        "bust": (0.68, 0.76), "navel": (0.55, 0.64), "crotch": (0.42, 0.51),
        "underbust": (0.65, 0.72), "larynx": (0.83, 0.87), "cervicale": (0.84, 0.88),
        "menton": (0.85, 0.89),
    }  # fmt: skip

    for body, result in adults:
        for name, (low, high) in allowed.items():
            place = body.vertices[list(landmarks[name])].mean(axis=0)
            assert low < place[1] / result["height"] < high, name
            assert abs(place[0]) < 0.01, name
        front = body.vertices[list(landmarks["bust"])]
        assert front[:16, 0].max() < 0 < front[16:, 0].min()  # right, then left
        spine = body.joints[body.joint_names.tolist().index("spine01")]
        assert front[:, 2].min() > spine[2] + 0.05


def test_a_second_implementation_agrees_on_bodies_of_anny_within_2_mm(adults) -> None:
    """Sections by trimesh, hulls by OpenCV; arms are what lies far from the middle."""
    landmarks = load_table().topologies["anny"].landmarks
    for body, result in adults:
        mesh = trimesh.Trimesh(body.vertices, body.faces, process=False)

        def girth(level: float, mesh=mesh) -> float:
            loops = mesh.section([0, 1, 0], [0, level, 0]).discrete
            torso = [loop for loop in loops if abs(np.mean(loop[:, 0])) < 0.15]
            points = np.concatenate(torso)[:, [0, 2]].astype(np.float32)
            return cv2.arcLength(cv2.convexHull(points), closed=True)

        heights = {n: body.vertices[list(landmarks[n]), 1].mean() for n in LEVELS}
        between = np.arange(heights["crotch"], heights["navel"], 0.003)
        expected = {
            "height": np.ptp(body.vertices[:, 1]),
            "chest": girth(heights["bust"]),
            "waist": girth(heights["navel"]),
            "hips": max(map(girth, [*between, heights["navel"]])),
        }
        for name, value in expected.items():
            assert result[name] == pytest.approx(value, abs=0.002), name
        assert result["mass"] == pytest.approx(985 * mesh.volume, rel=1e-4)


def test_a_second_implementation_agrees_where_the_arms_join_the_torso(adults) -> None:
    """Above the armpits an adult is one contour: the tape keeps to the width just below them."""
    landmarks = load_table().topologies["anny"].landmarks
    for body, _ in adults[:2]:
        mesh = trimesh.Trimesh(body.vertices, body.faces, process=False)

        def outlines(level: float, mesh=mesh) -> list[np.ndarray]:
            section = mesh.section([0, 1, 0], [0, level, 0])
            return [np.asarray(line)[:, [0, 2]] for line in section.discrete]

        bust, cervicale = (
            body.vertices[list(landmarks[name]), 1].mean() for name in ("bust", "cervicale")
        )
        level = bust + 0.3 * (cervicale - bust)
        (joined,) = outlines(level)
        free = next(lines for y in np.arange(level, bust, -0.002) if len(lines := outlines(y)) == 3)
        torso = min(free, key=lambda line: abs(line[:, 0].mean()))
        along = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(joined)])
        within = along[(along[:, 0] >= torso[:, 0].min()) & (along[:, 0] <= torso[:, 0].max())]
        expected = cv2.arcLength(cv2.convexHull(within.astype(np.float32)), closed=True)

        own = Tape(body, *_chains_of(load_table())).torso(level)

        assert own.taut == pytest.approx(expected, abs=0.002)
        assert own.taut < 0.9 * ConvexHull(joined).area  # else no arm was in the way


def _chains_of(table: Table) -> tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]]:
    anatomy = table.topologies["anny"]
    return anatomy.arms, anatomy.trunk


def test_adults_of_anny_have_the_girths_of_adults(adults) -> None:
    for _, result in adults:
        assert 1.4 < result["height"] < 2.05
        assert 0.70 < result["chest"] < 1.35
        assert 0.55 < result["waist"] < 1.30
        assert 0.80 < result["hips"] < 1.40
        assert 17 < result["mass"] / result["height"] ** 2 < 38.5


def test_no_arm_of_anny_gets_into_a_girth(adults) -> None:
    for body, result in adults:
        place = dict(zip(body.joint_names.tolist(), body.joints[:, 0].tolist(), strict=True))
        room = place["lowerarm01.L"] - place["lowerarm01.R"]  # between the elbows
        for name in ("chest", "waist", "hips"):
            assert result[name] < 2 * room, name


def standing(adult, arms_raised_degrees: float) -> Body:
    """An adult of Anny in its own stance, but for the arms."""
    import roma
    import torch

    from tapeless.anny_model import load_model
    from tapeless.population import parameters_of, rest_body

    model = load_model()
    labels = list(model.bone_labels)
    pose = torch.eye(4).repeat(1, len(labels), 1, 1)
    for side, bone in ((-1, "upperarm01.L"), (1, "upperarm01.R")):
        turn = torch.tensor([0.0, side * np.radians(arms_raised_degrees), 0.0])
        pose[0, labels.index(bone), :3, :3] = roma.rotvec_to_rotmat(turn)
    phenotypes, local_changes = parameters_of([adult])
    with torch.inference_mode():
        posed = model(pose, phenotypes, local_changes)
    vertices, joints = posed["vertices"][0].numpy(), posed["bone_poses"][0, :, :3, 3].numpy()
    floor = vertices[:, 2].min()
    y_up = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    vertices, joints = ((points - (0, 0, floor)) @ y_up for points in (vertices, joints))
    return replace(rest_body(adult), vertices=vertices, joints=joints)


def test_arms_held_out_as_smplx_has_them_stay_out_of_the_tape() -> None:
    """The chest grows a little, as the chest muscle goes along with the arm; an arm adds 20 cm."""
    from tapeless.population import draw_adults

    for adult in draw_adults(4, seed=5, varied_beyond_prior=True):
        down, out = (
            measure_body(standing(adult, degrees), _the_five(load_table())) for degrees in (0, 40)
        )

        for name in ("height", "waist", "hips"):
            assert out[name] == pytest.approx(down[name], rel=1e-4)
        assert down["chest"] - 1e-3 < out["chest"] < 1.06 * down["chest"]
        assert out["mass"] == pytest.approx(down["mass"], rel=0.01)


# the table


def test_the_five_of_old_come_first_in_the_reports() -> None:
    names = [record.name for record in load_table().measurements]

    assert names[:5] == ["height", "chest", "waist", "hips", "mass"]


def test_columns_carry_their_unit() -> None:
    height, _, _, _, mass = load_table().measurements[:5]

    assert (height.si_column, height.report_column) == ("height_m", "height_cm")
    assert (mass.si_column, mass.report_column) == ("mass_kg", "mass_kg")


def test_a_new_measurement_is_a_record(person: Body) -> None:
    table = table_for(person, LEVELS)
    chest = table.measurements[1]
    at_navel = replace(chest, name="belly", landmarks=("navel",))

    result = measure_body(person, replace(table, measurements=(*table.measurements, at_navel)))

    assert result["belly"] == result["waist"]
    assert list(result)[-1] == "belly"


def two_heights(table) -> None:
    table["shapy_measurements"].append(table["measurements"][0])


def no_algorithm(table) -> None:
    table["measurements"][1]["kind"] = "guess"


def no_navel(table) -> None:
    del table["topologies"]["anny"]["landmarks"]["navel"]


def a_vertex_too_far(table) -> None:
    table["topologies"]["smplx"]["landmarks"]["navel"] = [10475]


def a_strange_topology(table) -> None:
    table["topologies"]["smpl"] = table["topologies"]["anny"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (two_heights, "measurement height is there 2 times"),
        (no_algorithm, "measurement chest has kind 'guess', allowed is area, bmi, distance"),
        (no_navel, "topology anny lacks landmark navel of measurement waist"),
        (a_vertex_too_far, "landmark navel of smplx is not among its 10475 vertices"),
        (a_strange_topology, "topology smpl is unknown, allowed is anny, smplx"),
    ],
)
def test_a_faulty_table_is_refused_by_name(tmp_path: Path, spoil, message: str) -> None:
    content = yaml.safe_load(TABLE_FILE.read_text(encoding="utf-8"))
    spoil(content)
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")

    with pytest.raises(ValueError, match=message) as caught:
        load_table(path)
    assert str(path) in str(caught.value)
