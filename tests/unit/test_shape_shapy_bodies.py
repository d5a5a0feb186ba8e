"""From SHAPY's result to a body: what is read, what is refused, size, joints, and the camera."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from containers.standins.shapy.download import BODY_MODEL, make_download
from containers.standins.shapy.template import make_template
from tapeless.bodies import Body
from tapeless.measurements import load_table, measure_body
from tapeless.outcomes import Rejected
from tapeless.shape.shapy_bodies import (
    JOINT_NAMES,
    BodyModel,
    Estimate,
    make_body,
    read_body_model,
    read_estimate,
)
from tapeless.shape.shapy_files import ShapyError

CENTER, BOX_PX, FOCAL_PX = np.array([170.0, 310.0]), 540.0, 5000.0
WEAK_SCALE, SHIFT = 0.95, np.array([0.03, -0.2])
MODEL = BodyModel(make_template().regressor, len(make_template().faces))
FACES = MODEL.face_count
FACING = np.array([1, -1, -1])  # from a body that faces the viewer to the camera's axes

Content = dict[str, object]


class Bomb:
    """What SHAPY leaves in its results: to read it runs code."""

    def __reduce__(self):
        return importlib.import_module, ("code_that_nobody_should_run",)


@pytest.fixture
def content() -> Content:
    """What SHAPY writes of one frame, by its documented formulas."""
    template = make_template()
    depth = 2 * FOCAL_PX / (WEAK_SCALE * BOX_PX)
    return {
        "fname": "frame_000001.png",
        "betas": np.zeros(10, np.float32),
        "v_shaped": template.vertices.astype(np.float32),
        "vertices": (template.vertices * FACING).astype(np.float32),
        "faces": template.faces.astype(np.int64),
        "transl": np.array([*SHIFT, depth]),
        "center": CENTER.astype(np.float32),
        "focal_length_in_px": 5000,
        "measurements": np.array({"height": Bomb()}, dtype=object),
    }


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Content], Path]:
    def write(content: Content) -> Path:
        path = tmp_path / "frame_000001.npz"
        np.savez_compressed(path, **content)
        return path

    return write


@pytest.fixture
def estimate(content: Content, save: Callable[[Content], Path]) -> Estimate:
    return read_estimate(save(content), MODEL)


def body_of(estimate: Estimate, stature_m: float | None = None) -> Body:
    return make_body(estimate, MODEL, "frame_000001", stature_m)


# what is read


def test_what_is_pickled_in_a_result_is_never_touched(content, save):
    path = save(content)
    assert read_estimate(path, MODEL).height_m == pytest.approx(1.723, abs=0.001)
    with np.load(path, allow_pickle=True) as archive, pytest.raises(ModuleNotFoundError):
        _ = archive["measurements"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"v_shaped": None}, "v_shaped is missing"),
        ({"v_shaped": np.zeros((6890, 3), np.float32)}, r"of shape \(6890, 3\), allowed is"),
        ({"v_shaped": np.zeros((10475, 3), np.int64)}, "v_shaped is int64"),
        ({"v_shaped": np.array({"a": 1}, dtype=object)}, "Object arrays cannot be loaded"),
        ({"faces": np.full((FACES, 3), 10475)}, "faces names vertices 10475 to 10475"),
        ({"faces": np.full((FACES, 3), -1)}, "faces names vertices -1 to -1"),
        ({"faces": np.zeros((FACES, 3))}, "faces is float64"),
        ({"faces": np.zeros((FACES - 1, 3), int)}, rf"allowed is \({FACES}, 3\)"),
        ({"center": np.array(["a", "b"])}, "center is <U1"),
        ({"focal_length_in_px": -1}, "focal_length_in_px is -1"),
        ({"focal_length_in_px": np.nan}, "focal_length_in_px is nan"),
        ({"transl": None, "center": None}, "transl is missing; center is missing"),
    ],
)
def test_what_shapy_does_not_write_is_refused_by_name(content, save, changes, words):
    changed = {k: v for k, v in {**content, **changes}.items() if v is not None}
    with pytest.raises(ShapyError, match=f"frame_000001 is no result: .*{words}"):
        read_estimate(save(changed), MODEL)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"v_shaped": np.full((10475, 3), np.nan)}, "v_shaped has values that are not finite"),
        ({"vertices": np.full((10475, 3), np.inf)}, "vertices has values that are not finite"),
        ({"center": np.array([0, np.nan])}, "center has values that are not finite"),
        ({"transl": np.zeros(3)}, "the body is not before the camera"),
    ],
)
def test_numbers_that_are_no_body_are_a_fault_of_the_frame(content, save, changes, words):
    with pytest.raises(Rejected, match=words) as verdict:
        read_estimate(save(content | changes), MODEL)
    assert verdict.value.code == "no_fit"


@pytest.mark.parametrize("spoil", ["cut", "empty", "text", "npy", "missing", "flipped"])
def test_files_that_are_no_archives_are_refused(content, save, spoil):
    path = save(content)
    whole = path.read_bytes()
    if spoil == "npy":
        with path.open("wb") as stream:
            np.save(stream, content["v_shaped"])
    elif spoil == "missing":
        path.unlink()
    else:
        flipped = bytearray(whole)
        flipped[len(whole) // 3 : len(whole) // 3 + 50] = bytes(50)
        path.write_bytes({"cut": whole[:5000], "empty": b"", "text": b"hello"}.get(spoil, flipped))
    with pytest.raises(ShapyError, match=r"no result: it cannot be read.*Start again"):
        read_estimate(path, MODEL)


def test_an_array_that_says_to_be_endless_is_refused(content, save):
    path = save(content)
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999, 3), }\n"
    lie = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with ZipFile(path, "w") as archive:
        archive.writestr("v_shaped.npy", lie)
    with pytest.raises(ShapyError, match="it cannot be read"):
        read_estimate(path, MODEL)


# the body model


def test_joints_and_triangles_are_those_of_the_body_model_which_holds_pickles_too(tmp_path):
    make_download(tmp_path)
    template = make_template()
    model = read_body_model(tmp_path / BODY_MODEL)
    assert model.face_count == len(template.faces)
    assert model.joint_regressor @ template.vertices == pytest.approx(template.joints, abs=1e-6)
    with np.load(tmp_path / BODY_MODEL, allow_pickle=True) as archive:
        assert "joint2num" in archive
        with pytest.raises(ModuleNotFoundError):
            _ = archive["joint2num"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"J_regressor": np.zeros((24, 6890)), "f": np.zeros((13776, 3), int)}, r"\(24, 6890\)"),
        ({"J_regressor": np.zeros((55, 10475))}, "f is missing"),
        ({"J_regressor": np.zeros((55, 10475)), "f": np.zeros((9, 4), int)}, r"is \('any', 3\)"),
    ],
)
def test_another_body_model_is_refused(tmp_path, content, words):
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **content)
    with pytest.raises(ShapyError, match=rf"no body model of SMPL-X.*{words}.*Download it"):
        read_body_model(tmp_path / "SMPLX_NEUTRAL.npz")


def test_a_result_has_as_many_triangles_as_its_body_model(content, save):
    fewer = BodyModel(MODEL.joint_regressor, 20)
    content["faces"] = content["faces"][:20]
    assert read_estimate(save(content), fewer).faces.shape == (20, 3)


# the body


def test_the_body_stands_on_the_floor_with_its_joints_in_it(estimate):
    body = body_of(estimate)
    place = dict(zip(body.joint_names.tolist(), body.joints, strict=True))
    assert body.vertices[:, 1].min() == pytest.approx(0, abs=1e-6)
    assert len(place) == 55
    assert place["left_shoulder"] == pytest.approx([0.175, 1.4, -0.02], abs=1e-3)
    assert place["right_knee"] == pytest.approx([-0.1, 0.48, 0], abs=1e-3)
    assert place["left_wrist"][0] > place["left_elbow"][0] > place["left_shoulder"][0] > 0


def test_the_joints_have_all_the_names_that_the_tape_asks_for():
    anatomy = load_table().topologies["smplx"]
    assert {name for chain in (*anatomy.arms, *anatomy.trunk) for name in chain} <= set(JOINT_NAMES)
    assert len(set(JOINT_NAMES)) == 55


def test_without_a_known_stature_the_size_is_that_of_shapy(estimate):
    body = body_of(estimate)
    assert body.scale == "estimated"
    assert np.ptp(body.vertices[:, 1]) == pytest.approx(estimate.height_m, abs=1e-6)


def test_a_known_stature_scales_each_measurement_by_its_power_of_k(estimate):
    own, scaled = body_of(estimate), body_of(estimate, stature_m=1.2 * estimate.height_m)
    before, after = measure_body(own), measure_body(scaled)
    assert scaled.scale == "known_height"
    powers = {record.name: record.power for record in load_table().measurements}
    assert powers["mass"] == 3
    expected = {name: 1.2 ** powers[name] * value for name, value in before.items()}
    assert after == pytest.approx(expected, rel=2e-3)
    assert scaled.joints == pytest.approx(1.2 * own.joints, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("stature_m", [None, 1.95])
def test_a_point_is_seen_where_shapys_own_camera_sees_it(estimate, stature_m):
    """Its camera has a weak perspective: half the box times s (x + t), around the box's centre."""
    body = body_of(estimate, stature_m)
    points = body.posed_vertices[0].astype(float)
    seen = points[:, :2] * body.camera_focal_px[0] / points[:, 2:] + body.camera_center_px[0]
    flat = (estimate.vertices[:, :2] + SHIFT) * WEAK_SCALE * BOX_PX / 2 + CENTER
    middling = np.abs(estimate.vertices[:, 2]) < 0.01
    assert seen[middling] == pytest.approx(flat[middling], abs=0.2)
    assert seen == pytest.approx(flat, abs=3)


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_body_of_no_plausible_size_is_rejected_also_if_the_stature_is_known(
    content, save, factor
):
    changed = {**content, "v_shaped": content["v_shaped"] * factor}
    estimate = read_estimate(save(changed), MODEL)
    with pytest.raises(Rejected, match="m tall, plausible is") as verdict:
        body_of(estimate, stature_m=1.8)
    assert verdict.value.code == "no_fit"
