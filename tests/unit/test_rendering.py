"""Rendered bodies: where they are, what hides what, and that none is too near."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from solids import stack

from tapeless.pictures.rendering import BodyRenderer, Floats, Ints

WIDTH, HEIGHT, SCALE = 300, 400, 200.0
RADIUS_M, HEIGHT_M = 0.3, 1.2


def cylinder(radius_m: float = RADIUS_M, away_m: float = 0.0) -> tuple[Floats, Ints]:
    """An upright one around the origin, or so much behind it; its normals point outwards."""
    vertices, faces = stack(np.linspace(HEIGHT_M, 0, 40), radius_m, radius_m, corners=120)
    return vertices - [0, HEIGHT_M / 2, away_m], np.asarray(faces[:, ::-1], np.int32)


def both(*bodies: tuple[Floats, Ints]) -> tuple[Floats, Ints]:
    (one, faces), (other, more) = bodies
    return np.concatenate([one, other]), np.concatenate([faces, more + len(one)])


def from_afar(vertices: Floats, faces: Ints) -> np.ndarray:
    return BodyRenderer(WIDTH, HEIGHT).seen_from_afar(vertices, faces, SCALE)


def test_a_body_covers_its_own_outline_and_nothing_else() -> None:
    alpha = from_afar(*cylinder())[:, :, 3]

    y, x = np.nonzero(alpha)
    assert set(np.unique(alpha)) == {0, 255}
    assert (x.min(), x.max() + 1) == (150 - 60, 150 + 60)
    assert (y.min(), y.max() + 1) == (200 - 120, 200 + 120)
    assert len(y) == 120 * 240


def test_light_falls_from_the_upper_left_of_the_viewer() -> None:
    layer = from_afar(*cylinder()).astype(int)

    row = layer[200, 91:209, :3].sum(axis=1)
    assert row.argmax() < len(row) / 2
    assert row[10] > row[-10]
    assert (layer[200, 91:209, 2] > layer[200, 91:209, 0]).all()  # it is blue


def test_what_is_nearer_hides_what_is_farther_in_whatever_order_they_come() -> None:
    near, far = cylinder(0.1), cylinder(0.3, away_m=2)
    alone = from_afar(*near)

    seen = alone[:, :, 3] > 0
    for pair in (both(near, far), both(far, near)):
        layer = from_afar(*pair)
        assert (layer[seen] == alone[seen]).all()
        assert (layer[~seen] == from_afar(*far)[~seen]).all()


def test_a_surface_is_seen_from_the_side_that_its_normals_point_to() -> None:
    triangle = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0.5, 0]])

    assert from_afar(triangle, np.array([[0, 1, 2]], np.int32)).any()
    assert not from_afar(triangle, np.array([[0, 2, 1]], np.int32)).any()


def test_a_pinhole_shows_what_is_twice_as_far_half_as_large() -> None:
    vertices, faces = cylinder(0.05)
    wide = []
    for away_m in (2.0, 4.0):
        seen = vertices * [1, -1, -1] + [0, 0, away_m]
        renderer = BodyRenderer(WIDTH, HEIGHT)
        alpha = renderer.seen_by_camera(seen, faces, (400, 400), (150, 200))[:, :, 3]
        wide.append(np.count_nonzero(alpha[200]))

    assert wide[0] == pytest.approx(2 * wide[1], abs=2)


@pytest.mark.parametrize("away_m", [0.0, 0.06, 0.31, -5.0])
def test_a_body_may_be_around_the_camera_or_behind_it(away_m: float) -> None:
    vertices, faces = cylinder()
    seen = vertices * [1, -1, -1] + [0, 0, away_m]
    tracemalloc.start()
    layer = BodyRenderer(900, 1200).seen_by_camera(seen, faces, (1000, 1000), (450, 600))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert layer.shape == (1200, 900, 4)
    assert most < 500e6
    if away_m < 0:
        assert not layer.any()


def test_a_body_out_of_the_picture_leaves_it_empty() -> None:
    vertices, faces = cylinder()
    assert not from_afar(vertices + np.array([50, 0, 0]), faces).any()
