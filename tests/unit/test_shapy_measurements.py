"""SHAPY's own five: closed-form truth on solids, its procedure held to the letter, its files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.special import ellipe
from solids import Solid, as_smplx, blocks, stack, together

from containers.standins.shapy.download import make_download
from containers.standins.shapy.template import make_template
from tapeless.bodies import Body, InvalidBodyError
from tapeless.measurements import MAIN, load_table, measure_body
from tapeless.shape.shapy_bodies import JOINT_NAMES
from tapeless.shapy_landmarks import (
    DEFINITIONS_FILE,
    LANDMARKS_FILE,
    InvalidLandmarksError,
    Landmark,
    find_landmark_files,
    load_landmarks,
)
from tapeless.shapy_measurements import ALGORITHMS, measure_as_shapy
from tapeless.volume import cap_holes, signed_volume

LEVELS = {"bust": 1.3, "navel": 1.1, "crotch": 0.8}
HEIGHTS = np.linspace(0, 1.8, 37)
SHAPY_LEVELS = {"HeadTop": 1.8, "HeelLeft": 0.0, "CW_p": 1.3, "BW_p": 1.1, "IW_p": 0.8}


def landmark_at(body: Body, level: float) -> Landmark:
    """A landmark at the vertex of a face that is nearest to a height."""
    distance = np.abs(body.vertices[body.faces, 1] - level)
    face, corner = np.unravel_index(distance.argmin(), distance.shape)
    weights = [0.0, 0.0, 0.0]
    weights[corner] = 1.0
    return Landmark(int(face), (weights[0], weights[1], weights[2]))


def landmarks_at(body: Body, levels: Mapping[str, float] = SHAPY_LEVELS) -> dict[str, Landmark]:
    return {name: landmark_at(body, level) for name, level in levels.items()}


def measure(
    solid: Solid, levels: Mapping[str, float] = SHAPY_LEVELS, **joints: object
) -> dict[str, float]:
    body = as_smplx(solid, LEVELS, **joints)
    return measure_as_shapy(body, landmarks_at(body, levels))


def ellipse_perimeter(half_width: float, half_depth: float) -> float:
    long, short = max(half_width, half_depth), min(half_width, half_depth)
    return float(4 * long * ellipe(1 - (short / long) ** 2))


# closed-form truth


def test_a_cylinder() -> None:
    result = measure(stack(HEIGHTS, 0.15, 0.15, corners=250))

    for name in ("shapy_chest", "shapy_waist", "shapy_hips"):
        assert result[name] == pytest.approx(2 * np.pi * 0.15, rel=5e-5)
    assert result["shapy_height"] == pytest.approx(1.8)
    assert result["shapy_mass"] == pytest.approx(985 * np.pi * 0.15**2 * 1.8, rel=2e-4)


@pytest.mark.parametrize(("half_width", "half_depth"), [(0.2, 0.1), (0.12, 0.18)])
def test_an_elliptic_cylinder(half_width: float, half_depth: float) -> None:
    result = measure(stack(HEIGHTS, half_width, half_depth, corners=250))

    assert result["shapy_waist"] == pytest.approx(
        ellipse_perimeter(half_width, half_depth), rel=5e-5
    )
    assert result["shapy_mass"] == pytest.approx(
        985 * np.pi * half_width * half_depth * 1.8, rel=2e-4
    )


def test_a_cone_is_cut_at_the_level_of_each_landmark() -> None:
    radius = 0.3 * (1 - HEIGHTS / 2.0)

    result = measure(stack(HEIGHTS, radius, radius, corners=250))

    for name, level in (("shapy_chest", 1.3), ("shapy_waist", 1.1), ("shapy_hips", 0.8)):
        assert result[name] == pytest.approx(2 * np.pi * 0.3 * (1 - level / 2.0), rel=5e-5)


def test_a_box() -> None:
    width, depth = 0.4, 0.2
    box, faces = blocks([np.s_[0:8, 0:36, 0:4]], 0.05)
    result = measure((box - (width / 2, 0, depth / 2), faces))

    for name in ("shapy_chest", "shapy_waist", "shapy_hips"):
        assert result[name] == pytest.approx(2 * (width + depth))
    assert result["shapy_mass"] == pytest.approx(985 * width * depth * 1.8)


def test_a_landmark_lies_within_its_triangle() -> None:
    radius = 0.3 * (1 - HEIGHTS / 2.0)
    body = as_smplx(stack(HEIGHTS, radius, radius, corners=250), LEVELS)
    face = int(np.flatnonzero(np.ptp(body.vertices[body.faces, 1], axis=1) > 0.04)[4000])
    weights = (0.2, 0.3, 0.5)
    level = float(np.asarray(weights) @ body.vertices[body.faces[face], 1])

    result = measure_as_shapy(body, landmarks_at(body) | {"BW_p": Landmark(face, weights)})

    assert result["shapy_waist"] == pytest.approx(2 * np.pi * 0.3 * (1 - level / 2.0), rel=5e-5)


# the procedure


def test_height_goes_from_the_landmark_of_the_head_to_that_of_the_left_heel() -> None:
    result = measure(stack(HEIGHTS, 0.15, 0.15, corners=250), SHAPY_LEVELS | {"HeelLeft": 0.05})

    assert result["shapy_height"] == pytest.approx(1.75)


def test_all_that_the_plane_cuts_lies_in_one_tape() -> None:
    legs = [stack(np.linspace(0, 0.9, 10), 0.08, 0.08, across=x, corners=120) for x in (-0.1, 0.1)]
    trunk = stack(np.linspace(0.91, 1.8, 10), 0.18, 0.1, corners=120)

    result = measure(together(*legs, trunk))

    assert result["shapy_hips"] == pytest.approx(2 * np.pi * 0.08 + 2 * 0.2, rel=2e-4)


def test_hollows_are_bridged() -> None:
    u_shape = [np.s_[10:20, 0:36, 10:12], np.s_[10:12, 0:36, 12:16], np.s_[18:20, 0:36, 12:16]]
    vertices, faces = blocks(u_shape, 0.05)

    result = measure((vertices - (0.75, 0, 0.65), faces))

    assert result["shapy_waist"] == pytest.approx(2 * (0.50 + 0.30))


@pytest.mark.parametrize("shift", [(0.3, 0.0), (0.0, -0.6), (-0.8, 0.8)])
def test_moving_within_the_square_changes_nothing(shift: tuple[float, float]) -> None:
    body = as_smplx(stack(HEIGHTS, 0.15, 0.1, corners=250), LEVELS)
    step = np.array([shift[0], 0, shift[1]])
    moved = replace(body, vertices=body.vertices + step, joints=body.joints + step)

    result = measure_as_shapy(moved, landmarks_at(body))

    assert result == pytest.approx(measure_as_shapy(body, landmarks_at(body)), rel=1e-5)


def test_the_plane_is_a_square_of_two_metres() -> None:
    box, faces = blocks([np.s_[0:34, 0:36, 0:4]], 0.05)  # 1.7 m wide

    result = measure((box - (0.4, 0, 0.1), faces))  # from -0.4 to 1.3 m

    assert result["shapy_waist"] == pytest.approx(2 * (1.4 + 0.2))


def test_nothing_is_measured_beyond_the_square() -> None:
    vertices, faces = stack(HEIGHTS, 0.15, 0.1, corners=250)

    with pytest.raises(InvalidBodyError, match=r"no body at a height of 1\.300 m, 1 m around"):
        measure((vertices + np.array([0, 0, 1.2]), faces))


def test_the_mass_of_an_open_surface_is_the_sum_of_its_tetrahedra() -> None:
    """As SHAPY has it: holes are not closed, so that it depends on where the origin is."""
    radius = np.append(np.full(36, 0.15), 0.015)
    vertices, faces = stack(HEIGHTS, radius, radius, corners=250)
    opened = faces[:-250]
    (cap,) = cap_holes(vertices, opened)

    result = measure((vertices, opened))

    closed = measure((vertices, faces))["shapy_mass"]
    assert closed - result["shapy_mass"] == pytest.approx(985 * signed_volume(cap), rel=1e-3)
    assert measure_body(as_smplx((vertices, opened), LEVELS))["mass"] == pytest.approx(closed)


# beside tapeless' own


def test_both_agree_on_a_torso_without_arms() -> None:
    width = np.interp(HEIGHTS, [0, 0.8, 1.1, 1.3, 1.8], [0.1, 0.19, 0.14, 0.18, 0.08])
    body = as_smplx(stack(HEIGHTS, width, 0.7 * width, corners=250), LEVELS)

    ours, shapys = measure_body(body), measure_as_shapy(body, landmarks_at(body))

    for name in ("height", "chest", "waist", "hips"):
        assert shapys[f"shapy_{name}"] == pytest.approx(ours[name], abs=0.002)
    assert shapys["shapy_mass"] == pytest.approx(ours["mass"], rel=1e-6)


def test_a_body_with_the_open_eyes_of_smplx_is_measured_by_both(tmp_path: Path) -> None:
    data = make_download(tmp_path)
    template = make_template()
    floor = (0, template.vertices[:, 1].min(), 0)
    body = replace(
        as_smplx(stack([0, 1.8], 0.1, 0.1, corners=3), LEVELS),
        vertices=template.vertices - floor,
        faces=template.faces,
        joints=template.joints - floor,
        joint_names=np.array(JOINT_NAMES),
    )

    ours = measure_body(body)
    shapys = measure_as_shapy(body, load_landmarks(*find_landmark_files(data)))

    for name in ("chest", "waist"):  # the landmarks lie up to a centimetre apart
        assert shapys[f"shapy_{name}"] == pytest.approx(ours[name], abs=0.01)
    assert shapys["shapy_mass"] == pytest.approx(ours["mass"], rel=0.005)
    assert shapys["shapy_mass"] != pytest.approx(ours["mass"], rel=0.0005)  # whose eyes are closed


@pytest.mark.parametrize("factor", [0.9, 1.15])
def test_a_rescaled_body_has_scaled_lengths_and_the_cube_of_the_mass(factor: float) -> None:
    body = as_smplx(stack(HEIGHTS, 0.18, 0.12, corners=250), LEVELS)
    landmarks = landmarks_at(body)
    scaled = replace(body, vertices=body.vertices * factor, joints=body.joints * factor)

    before, after = measure_as_shapy(body, landmarks), measure_as_shapy(scaled, landmarks)

    for name in before:
        power = 3 if name == "shapy_mass" else 1
        assert after[name] == pytest.approx(factor**power * before[name], rel=1e-5)


# arms in the tape


def in_a_t_pose(underside_m: float) -> dict[str, float]:
    """A torso of 0.4 m x 0.3 m, with an arm on each side from that height up, 0.7 m long."""
    torso = np.s_[16:24, 0:36, 4:10]
    low = round(underside_m / 0.05)
    arms = np.s_[2:38, low : low + 2, 6:8]
    vertices, faces = blocks([torso, arms], 0.05)
    middle = underside_m + 0.05
    return measure(
        (vertices - (1.0, 0, 0.35), faces), arm=((0.15, middle, 0.0), (0.75, middle, 0.0))
    )


def test_arms_above_the_plane_are_out_of_the_tape(caplog: pytest.LogCaptureFixture) -> None:
    result = in_a_t_pose(underside_m=1.35)

    assert result["shapy_chest"] == pytest.approx(2 * (0.4 + 0.3))
    assert caplog.records == []


def test_arms_that_reach_the_plane_stay_in_the_number_and_are_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    result = in_a_t_pose(underside_m=1.25)

    slope = np.hypot(0.9 - 0.2, 0.15 - 0.05)
    assert result["shapy_chest"] == pytest.approx(2 * (0.4 + 0.1) + 4 * slope)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert message.startswith("shapy_chest of frame_000001 is 3.828 m as SHAPY measures it")
    assert "the torso alone has 1.400 m there" in message
    assert message.endswith("chest leaves arms out.")


def test_what_cannot_be_told_from_the_arms_is_still_measured(
    caplog: pytest.LogCaptureFixture,
) -> None:
    beside = stack(HEIGHTS, 0.05, 0.05, across=0.45, corners=120)  # where an arm would be

    result = measure(beside)

    assert result["shapy_chest"] == pytest.approx(2 * np.pi * 0.05, rel=1e-3)
    assert "no comparing it with the torso alone" in caplog.text


def test_arms_beside_the_torso_are_warned_of_as_well(caplog: pytest.LogCaptureFixture) -> None:
    torso = stack(HEIGHTS, 0.2, 0.12, corners=120)
    arms = [stack([1.25, 1.5], 0.05, 0.05, across=x, corners=60) for x in (-0.6, -0.45, 0.45, 0.6)]

    result = measure(together(torso, *arms))

    assert result["shapy_chest"] > 2.4
    assert ["shapy_chest" in record.getMessage() for record in caplog.records] == [True]


# the records


def test_each_of_the_five_has_a_counterpart_and_an_algorithm() -> None:
    table = load_table()

    names = [record.name for record in table.shapy_measurements]
    assert names == [f"shapy_{name}" for name in MAIN]
    assert {record.kind for record in table.shapy_measurements} == set(ALGORITHMS)
    for own, shapys in zip(table.measurements, table.shapy_measurements, strict=False):
        assert own.unit == shapys.unit
        assert "rescaled, if the height is known" in shapys.definition


# the user's files


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder `data` of a SHAPY download, as far as measurements go."""
    definitions = {
        "CW_p": ["NippleRight", "something else"],
        "BW_p": ["BellyButton"],
        "IW_p": ["Crotch"],
        "unknown": 1,
    }
    names = ("HeadTop", "HeelLeft", "NippleRight", "BellyButton", "Crotch", "Elbow")
    landmarks = {
        name: {"face_idx": number, "bc": [0.25, 0.25, 0.5]} for number, name in enumerate(names)
    }
    write(tmp_path / DEFINITIONS_FILE, yaml.safe_dump(definitions))
    write(tmp_path / LANDMARKS_FILE, yaml.safe_dump(landmarks))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def change(path: Path, **changes: object) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    write(path, yaml.safe_dump(content | changes))


def load(data: Path) -> dict[str, Landmark]:
    return load_landmarks(data / DEFINITIONS_FILE, data / LANDMARKS_FILE)


def test_rings_are_found_through_the_definitions(data: Path) -> None:
    landmarks = load(data)

    assert {name: landmark.face for name, landmark in landmarks.items()} == {
        "HeadTop": 0,
        "HeelLeft": 1,
        "CW_p": 2,
        "BW_p": 3,
        "IW_p": 4,
    }
    assert landmarks["CW_p"].weights == (0.25, 0.25, 0.5)


def test_numbers_without_a_point_are_numbers(data: Path) -> None:
    write(
        data / LANDMARKS_FILE,
        (data / LANDMARKS_FILE).read_text().replace("0.25", "1e-05").replace("0.5", "0.99998"),
    )

    assert load(data)["HeadTop"].weights == pytest.approx((1e-5, 1e-5, 0.99998))


def test_rounded_weights_add_up_to_one(data: Path) -> None:
    change(data / LANDMARKS_FILE, HeadTop={"face_idx": 0, "bc": [0.33, 0.33, 0.33]})

    assert load(data)["HeadTop"].weights == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_both_files_are_found_or_none(data: Path, tmp_path: Path) -> None:
    assert find_landmark_files(data) == [data / DEFINITIONS_FILE, data / LANDMARKS_FILE]

    (data / LANDMARKS_FILE).unlink()

    assert find_landmark_files(data) == []
    assert find_landmark_files(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        (DEFINITIONS_FILE, {"BW_p": None}, "BW_p is None, allowed is a list that starts"),
        (DEFINITIONS_FILE, {"IW_p": [3]}, r"IW_p is \[3\], allowed"),
        (DEFINITIONS_FILE, {"CW_p": ["Nose"]}, "landmark Nose is None, allowed are face_idx"),
        (LANDMARKS_FILE, {"HeadTop": {"bc": [1, 0, 0]}}, "landmark HeadTop is {'bc'"),
        (LANDMARKS_FILE, {"HeadTop": {"face_idx": 1.5, "bc": [1, 0, 0]}}, "a whole number"),
        (LANDMARKS_FILE, {"Crotch": {"face_idx": 1, "bc": [1, 0]}}, "three numbers"),
        (LANDMARKS_FILE, {"Crotch": {"face_idx": 1, "bc": [1, 1, 0]}}, "that add up to 1"),
        (LANDMARKS_FILE, {"Crotch": {"face_idx": -1, "bc": [1, 0, 0]}}, "has face_idx -1"),
    ],
)
def test_a_faulty_file_is_refused_by_name(
    data: Path, file: str, changes: dict[str, object], message: str
) -> None:
    change(data / file, **changes)

    with pytest.raises(InvalidLandmarksError, match=message) as caught:
        load(data)
    assert ".yaml: " in str(caught.value)
    assert "Unpack the file again from SHAPY's download" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["a: [", "just text", "", "- a\n- b", "a: !!python/object:os.x {}"]
)
def test_what_is_no_table_of_landmarks_is_refused(data: Path, text: str) -> None:
    write(data / LANDMARKS_FILE, text)

    with pytest.raises(InvalidLandmarksError, match=r"smplx_measurements\.yaml: it (is|holds)"):
        load(data)


def test_every_fault_is_told_at_once(data: Path) -> None:
    change(data / LANDMARKS_FILE, HeadTop=None, Crotch=None)

    with pytest.raises(InvalidLandmarksError, match=r"HeadTop is None.*; landmark Crotch is None"):
        load(data)


def test_landmarks_of_another_body_model_are_refused() -> None:
    body = as_smplx(stack(HEIGHTS, 0.15, 0.15, corners=120), LEVELS)
    landmarks = landmarks_at(body) | {"HeadTop": Landmark(20_000, (1.0, 0.0, 0.0))}

    with pytest.raises(InvalidLandmarksError, match="HeadTop is on triangle 20000, but the body"):
        measure_as_shapy(body, landmarks)
