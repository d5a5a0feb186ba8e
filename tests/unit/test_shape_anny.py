"""The fit of Anny: derivatives, outlines, and known bodies found again from what a camera sees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh
from numpy.typing import NDArray
from pretended_card import PretendedCard

from tapeless.bodies import Body
from tapeless.gpus import GpuError
from tapeless.keypoints import BODY_25
from tapeless.measurements import measure_body
from tapeless.outcomes import Rejected
from tapeless.shape.anny import Frame, Settings, estimate_bodies
from tapeless.shape.anny_fit import Fitter
from tapeless.shape.anny_posing import Pose, rotation_from_vector, vector_from_rotation
from tapeless.shape.anny_space import ShapeSpace, SpaceError
from tapeless.shape.anny_space_building import build_shape_space
from tapeless.shape.gauss_newton import NormalEquations
from tapeless.shape.outlines import trace_outline

PICTURE = (300, 220)  # height and width, pixels
FOCAL_PX = 300.0
STATURE_M = 1.70
DISTANCE_M = 2.1


@pytest.fixture(scope="module")
def space() -> ShapeSpace:
    return build_shape_space(adults=120, components=12)


@pytest.fixture(scope="module")
def space_file(space: ShapeSpace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("space") / "space.npz"
    space.save(path)
    return path


@pytest.fixture(scope="module")
def true_shape(space: ShapeSpace) -> torch.Tensor:
    """A body of the space other than the mean one, 1.70 m tall."""
    shape = torch.zeros(len(space.basis))
    shape[1:4] = torch.tensor([1.2, -0.8, 0.6])
    body = Fitter(space, "cpu").body
    for _ in range(5):
        height, slope = body.stature(shape)
        shape[0] += (STATURE_M - height) / slope[0]
    return shape


@pytest.fixture(scope="module")
def filmed(space: ShapeSpace, true_shape: torch.Tensor) -> list[Frame]:
    """Six frames of that body turning once, seen exactly."""
    return list(film(space, true_shape, yaws=[60.0 * turn for turn in range(6)]))


@pytest.fixture(scope="module")
def fitted(space_file: Path, filmed: list[Frame]) -> Body:
    (body,) = estimate_bodies(filmed, space_file, Settings(stature_m=STATURE_M, estimates=1))
    return body


def film(space: ShapeSpace, shape: torch.Tensor, yaws: list[float]) -> Iterator[Frame]:
    fitter = Fitter(space, "cpu")
    body = fitter.body
    for number, yaw in enumerate(yaws, start=1):
        placement = body.skeleton.place(standing(space, math.radians(yaw)), shape)
        surface = project(placement.pose(body.surface, shape)[0].numpy())
        points = np.zeros((len(BODY_25), 3))
        points[space.keypoint_slots, :2] = project(placement.pose(body.keypoints, shape)[0].numpy())
        points[space.keypoint_slots, 2] = 1
        yield Frame(f"frame_{number:06d}", points, silhouette_of(surface[space.faces]))


def standing(space: ShapeSpace, yaw: float) -> Pose:
    rotations = torch.eye(3).repeat(1, len(space.joint_names), 1, 1)
    turn = rotation_from_vector(torch.tensor([[0.0, yaw, 0.0]]))
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ turn
    return Pose(rotations, torch.tensor([[0.0, 0.0, DISTANCE_M]]))


def project(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return FOCAL_PX * points[:, :2] / points[:, 2:] + np.array(PICTURE[::-1]) / 2


def silhouette_of(triangles: NDArray[np.float32]) -> NDArray[np.uint8]:
    finer = 4
    drawn = np.zeros([finer * side for side in PICTURE], np.uint8)
    for triangle in np.rint((triangles * finer - 0.5) * 16).astype(np.int32):
        cv2.fillConvexPoly(drawn, triangle, 255, shift=4)
    return cv2.resize(drawn, PICTURE[::-1], interpolation=cv2.INTER_AREA)


# --- the pieces ---------------------------------------------------------------------------------


def test_who_reads_a_space_that_is_made_again_reads_the_old_one_whole(
    space: ShapeSpace, tmp_path: Path
) -> None:
    path = tmp_path / "space.npz"
    space.save(path)
    old = path.read_bytes()
    with path.open("rb") as reader:
        replace(space, mean=space.mean + 1).save(path)
        assert reader.read() == old
    assert np.array_equal(ShapeSpace.load(path).mean, space.mean + 1)
    assert list(tmp_path.iterdir()) == [path]


def test_two_jobs_may_make_a_space_at_once_while_another_reads_it(
    space: ShapeSpace, tmp_path: Path
) -> None:
    path = tmp_path / "space.npz"
    space.save(path)
    makers = [replace(space, mean=np.full_like(space.mean, number)) for number in (1, 2)]

    def make(maker: ShapeSpace) -> None:
        for _ in range(3):
            maker.save(path)

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(make, maker) for maker in makers]
        seen = [ShapeSpace.load(path).mean]
        while not all(job.done() for job in jobs):
            seen.append(ShapeSpace.load(path).mean)
    assert [job.exception() for job in jobs] == [None, None]
    wanted = (space.mean, *(maker.mean for maker in makers))
    assert all(any(np.array_equal(mean, whole) for whole in wanted) for mean in seen)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["a bit", "cut off", "empty", "another version"])
def test_a_damaged_space_is_removed_to_be_made_again(
    space: ShapeSpace, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "space.npz"
    space.save(path)
    content = bytearray(path.read_bytes())
    if damage == "another version":
        np.savez(path, mean=space.mean)
    elif damage == "a bit":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[: len(content) // 2 if damage == "cut off" else 0])
    with pytest.raises(SpaceError, match=r"has been removed: the same .* fits all videos anew"):
        ShapeSpace.load(path)
    with pytest.raises(SpaceError, match=r"is gone.* The same command .* fits all videos anew"):
        ShapeSpace.load(path)


def test_a_rotation_is_its_vector() -> None:
    vectors = torch.tensor([[0.0, 0.0, 0.0], [0.3, -1.2, 0.5], [0.0, 3.0, 0.0]])
    assert torch.allclose(vector_from_rotation(rotation_from_vector(vectors)), vectors, atol=1e-3)


def test_points_move_as_their_derivatives_say(space: ShapeSpace) -> None:
    body = Fitter(space, "cpu").body
    generator = torch.Generator().manual_seed(1)
    pose = standing(space, 0.7)
    pose = pose.moved(
        0.3 * torch.randn(1, len(body.skeleton), 3, generator=generator), torch.zeros(1, 3)
    )
    shape = torch.randn(len(space.basis), generator=generator)
    turn = 1e-3 * torch.randn(1, len(body.skeleton), 3, generator=generator)
    change = 1e-3 * torch.randn(len(shape), generator=generator)

    motion = body.skeleton.place(pose, shape).move(body.keypoints, shape)
    moved = body.skeleton.place(pose.moved(turn, torch.zeros(1, 3)), shape + change)
    actual = moved.pose(body.keypoints, shape + change) - motion.position
    for axis, direction in enumerate(torch.eye(3)):
        by_turn, by_shape = motion.along(direction.expand_as(motion.position))
        expected = by_turn @ turn.flatten() + by_shape @ change
        assert torch.allclose(expected, actual[..., axis], atol=2e-5)
    assert actual.abs().max() > 5e-4


def test_volume_changes_as_its_derivative_says(space: ShapeSpace) -> None:
    body = Fitter(space, "cpu").body
    shape, change = torch.zeros(len(space.basis)), torch.zeros(len(space.basis))
    change[1] = 0.05
    before, slope = body.volume(shape)
    after, _ = body.volume(shape + change)
    assert float(after - before) == pytest.approx(float(slope @ change), rel=0.02)
    solid = trimesh.Trimesh(body.surface.unposed(shape).numpy(), space.faces, process=False)
    assert float(before) == pytest.approx(solid.volume, rel=1e-3)


def test_frames_are_eliminated_without_changing_the_solution() -> None:
    frames, unknowns, shared = 3, 4, 2
    generator = torch.Generator().manual_seed(2)
    by_frame = torch.randn(frames, 9, unknowns, generator=generator)
    by_shared = torch.randn(frames, 9, shared, generator=generator)
    residual = torch.randn(frames, 9, generator=generator)
    equations = NormalEquations.zeros(frames, unknowns, shared, residual)
    equations.add(by_frame, by_shared, residual)
    steps, shared_step = equations.solve()

    jacobian = torch.cat([torch.block_diag(*by_frame), by_shared.reshape(-1, shared)], 1)
    whole = torch.linalg.lstsq(jacobian, -residual.reshape(-1, 1)).solution[:, 0]
    assert torch.allclose(torch.cat([steps.flatten(), shared_step]), whole, atol=1e-4)


def test_an_outline_is_traced_to_a_fraction_of_a_pixel() -> None:
    y, x = np.mgrid[:100, :120] + 0.5  # centres of pixels
    distance = np.hypot(x - 60.3, y - 48.7)
    disc = (255 * np.clip(30.4 - distance + 0.5, 0, 1)).astype(np.uint8)
    points, normals = trace_outline(disc, spacing_px=2)
    radii = np.hypot(*(points - [60.3, 48.7]).T)
    assert np.abs(radii - 30.4).max() < 0.15
    assert np.abs((normals * (points - [60.3, 48.7])).sum(1) / radii - 1).max() < 0.01


def test_an_outline_ends_where_the_picture_ends() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[20:, 20:40] = 255  # runs out of the picture at the bottom
    points, _ = trace_outline(mask, spacing_px=2)
    assert points[:, 1].max() < 59
    assert len(points) > 30


# --- the whole ----------------------------------------------------------------------------------


def test_a_body_is_found_again(
    space: ShapeSpace, true_shape: torch.Tensor, filmed: list[Frame], fitted: Body
) -> None:
    truth = Fitter(space, "cpu").body.surface.unposed(true_shape).numpy()
    truth -= [0, truth[:, 1].min(), 0]
    offset = fitted.vertices - truth
    offset -= offset.mean(0)
    assert fitted.vertices[:, 1].max() == pytest.approx(STATURE_M, abs=0.005)
    assert np.sqrt((offset**2).sum(1).mean()) < 0.008
    assert fitted.scale == "known_height"
    assert list(fitted.frames) == [frame.name for frame in filmed]


def test_the_posed_body_covers_the_silhouette(filmed: list[Frame], fitted: Body) -> None:
    cameras = zip(fitted.camera_focal_px, fitted.camera_center_px, strict=True)
    for frame, posed, (focal, center) in zip(filmed, fitted.posed_vertices, cameras, strict=True):
        seen = silhouette_of((focal * posed[:, :2] / posed[:, 2:] + center)[fitted.faces]) > 127
        true = frame.silhouette > 127
        assert (seen & true).sum() / (seen | true).sum() > 0.93, frame.name


def test_every_group_of_frames_gives_an_estimate(space_file: Path, filmed: list[Frame]) -> None:
    bodies = estimate_bodies(filmed, space_file, Settings(stature_m=STATURE_M, estimates=3))
    assert [list(body.frames) for body in bodies] == [
        [filmed[0].name, filmed[3].name],
        [filmed[1].name, filmed[4].name],
        [filmed[2].name, filmed[5].name],
    ]


def test_the_numbers_do_not_depend_on_the_number_of_workers(
    space_file: Path, filmed: list[Frame]
) -> None:
    settings = Settings(stature_m=STATURE_M, estimates=2)
    alone = estimate_bodies(filmed, space_file, settings, workers=1)
    together = estimate_bodies(filmed, space_file, settings, workers=2)
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.vertices, other.vertices)


def test_without_a_height_the_scale_is_called_estimated(
    space_file: Path, filmed: list[Frame]
) -> None:
    (body,) = estimate_bodies(filmed, space_file, Settings(estimates=1))
    assert body.scale == "estimated"
    assert 1.4 < body.vertices[:, 1].max() < 2.0


@pytest.mark.parametrize(
    ("known", "scale"),
    [
        ({"distance_m": 1.05 * DISTANCE_M}, "known_distance"),
        ({"object_px_per_m": FOCAL_PX / DISTANCE_M / 1.05}, "known_object"),
    ],
)
def test_a_known_distance_or_object_gives_the_scale(
    space_file: Path, filmed: list[Frame], known: dict[str, float], scale: str
) -> None:
    fov = 2 * math.degrees(math.atan(PICTURE[0] / 2 / FOCAL_PX))
    settings = Settings(vertical_fov_degrees=fov, estimates=1, **known)
    (body,) = estimate_bodies(filmed, space_file, settings)
    assert body.scale == scale
    assert body.vertices[:, 1].max() == pytest.approx(1.05 * STATURE_M, rel=0.01)


@pytest.mark.parametrize("lens", [{}, {"vertical_fov_degrees": 60.0, "fov_is_exact": False}])
def test_a_distance_gives_no_scale_through_a_lens_that_nobody_measured(
    space_file: Path, filmed: list[Frame], lens: dict[str, float]
) -> None:
    without, far = (
        estimate_bodies(filmed, space_file, Settings(distance_m=distance_m, estimates=1, **lens))[0]
        for distance_m in (None, 1.2 * DISTANCE_M)
    )
    assert far.scale == "estimated"
    statures = [body.vertices[:, 1].max() for body in (without, far)]
    assert statures[1] == pytest.approx(statures[0], rel=0.01)


def test_a_distance_tells_the_lens_where_the_height_is_given(
    space_file: Path, filmed: list[Frame]
) -> None:
    settings = Settings(stature_m=STATURE_M, distance_m=DISTANCE_M, estimates=1)
    (body,) = estimate_bodies(filmed, space_file, settings)
    assert body.scale == "known_height"
    assert body.camera_focal_px[0] == pytest.approx(FOCAL_PX, rel=0.02)


def test_a_known_mass_is_kept_to(space_file: Path, filmed: list[Frame], fitted: Body) -> None:
    mass = measure_body(fitted)["mass"]
    settings = Settings(stature_m=STATURE_M, mass_kg=1.08 * mass, estimates=1)
    (heavier,) = estimate_bodies(filmed, space_file, settings)
    assert measure_body(heavier)["mass"] == pytest.approx(1.08 * mass, rel=0.03)
    assert measure_body(heavier)["mass"] > 1.04 * mass


def test_a_single_outline_is_rejected(space_file: Path, filmed: list[Frame]) -> None:
    with pytest.raises(Rejected, match="outline"):
        estimate_bodies(filmed[:1], space_file, Settings())


def test_fewer_frames_than_asked_for_are_rejected(space_file: Path, filmed: list[Frame]) -> None:
    with pytest.raises(Rejected) as verdict:
        estimate_bodies(filmed[:5], space_file, Settings(min_frames=6))
    assert verdict.value.code == "too_few_frames"


def test_a_frame_that_shows_something_else_is_left_out(
    space_file: Path, filmed: list[Frame]
) -> None:
    spoilt = replace(filmed[2], silhouette=block_beside(filmed[2].silhouette))
    frames = [*filmed[:2], spoilt, *filmed[3:]]
    (body,) = estimate_bodies(frames, space_file, Settings(stature_m=STATURE_M, estimates=1))
    assert list(body.frames) == [f.name for f in filmed if f.name != spoilt.name]


def test_pictures_that_no_body_explains_are_rejected(space_file: Path, filmed: list[Frame]) -> None:
    frames = [replace(f, silhouette=block_beside(f.silhouette)) for f in filmed[:2]]
    with pytest.raises(Rejected) as verdict:
        estimate_bodies(frames, space_file, Settings(stature_m=STATURE_M, estimates=1))
    assert verdict.value.code == "no_fit"


def block_beside(silhouette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A silhouette of a piece of furniture: as tall as the person, and as wide as tall."""
    rows = np.flatnonzero(silhouette.any(1))
    block = np.zeros_like(silhouette)
    block[rows[0] : rows[-1], 5:-5] = 255
    return block


# --- graphics cards -----------------------------------------------------------------------------


def test_everything_that_the_fit_computes_stays_on_the_card(
    space_file: Path, filmed: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("tapeless.shape.anny_fit.ThreadPoolExecutor", OneAfterAnother)
    known = Settings(stature_m=STATURE_M, mass_kg=65.0, estimates=2)
    with PretendedCard() as card:
        on_card = estimate_bodies(filmed[:4], space_file, replace(known, device="cuda"), workers=2)
    assert card.calls > 10_000
    for body, other in zip(on_card, estimate_bodies(filmed[:4], space_file, known), strict=True):
        assert np.array_equal(body.vertices, other.vertices)
        assert np.array_equal(body.posed_vertices, other.posed_vertices)


def test_a_torch_without_cuda_says_how_to_get_one_with_it(
    space_file: Path, filmed: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(GpuError, match="TORCH=cuda tools/setup"):
        estimate_bodies(filmed, space_file, Settings(device="cuda"))


class OneAfterAnother:
    """In place of a pool of threads, which would not see the pretended card."""

    def __init__(self, workers: int) -> None:
        assert workers == 1, "torch's solver for CUDA cannot begin in several threads at once"

    def __enter__(self) -> OneAfterAnother:
        return self

    def __exit__(self, *error: object) -> None: ...

    map = staticmethod(map)
