"""The volume within a surface: known in closed form, whether it has small holes or none."""

from __future__ import annotations

import numpy as np
import pytest
from solids import Solid, stack, together

from tapeless.bodies import InvalidBodyError
from tapeless.volume import LARGEST_HOLE, cap_holes, enclosed_volume, signed_volume

HEIGHT_M = 1.7
CORNERS = 40


def chimney(radius: float, height: float = HEIGHT_M) -> Solid:
    """A tube that is `radius` wide at the top, and closed."""
    return stack([0, height - 0.1, height], [0.15, 0.15, radius], [0.15, 0.15, radius], corners=40)


def without_top(solid: Solid) -> Solid:
    """Without the flat faces that close a stack at its top, which are its last."""
    return solid[0], solid[1][:-CORNERS]


def area_of(solid: Solid) -> float:
    (cap,) = cap_holes(*without_top(solid))
    return (
        float(np.linalg.norm(np.cross(cap[:, 1] - cap[:, 0], cap[:, 2] - cap[:, 0]), axis=1).sum())
        / 2
    )


def test_a_box_has_its_volume_wherever_it_stands() -> None:
    box = stack([0, 2.0], 0.5, 0.5, corners=4)  # a square with a diagonal of 1 m

    for shift in (0.0, 7.0):
        assert enclosed_volume(box[0] + shift, box[1]) == pytest.approx(0.5 * 2.0)


@pytest.mark.parametrize("shift", [(0, 0, 0), (0.3, -1.3, 2.0)])
def test_a_small_hole_costs_nothing(shift: tuple[float, float, float]) -> None:
    vertices, faces = chimney(0.015)
    _, with_hole = without_top((vertices, faces))

    assert enclosed_volume(vertices + shift, with_hole) == pytest.approx(
        enclosed_volume(vertices, faces), rel=1e-12
    )


def test_the_sum_of_tetrahedra_lacks_a_cone_from_the_origin_to_each_hole() -> None:
    """What SHAPY's documented sum and the capped volume differ by."""
    vertices, faces = without_top(chimney(0.015))
    area = area_of(chimney(0.015))

    for origin in (0.0, 0.9, HEIGHT_M):
        total = signed_volume((vertices - (0, origin, 0))[faces])
        lacking = area * (HEIGHT_M - origin) / 3
        assert enclosed_volume(vertices, faces) - total == pytest.approx(lacking, abs=1e-12)


def test_two_holes_that_touch_are_closed_together() -> None:
    vertices, faces = chimney(0.015)
    hourglass = np.delete(faces, [-1, -20], axis=0)  # two faces of the top that share its middle

    assert len(cap_holes(vertices, hourglass)) == 1
    assert enclosed_volume(vertices, hourglass) == pytest.approx(enclosed_volume(vertices, faces))


def test_every_hole_counts_for_itself() -> None:
    towers = [chimney(0.015), chimney(0.018)]
    closed, opened = together(*towers), together(*map(without_top, towers))

    assert len(cap_holes(*opened)) == 2
    assert enclosed_volume(*opened) == pytest.approx(enclosed_volume(*closed))


@pytest.mark.parametrize("height", [1.2, 1.7])
def test_the_largest_hole_that_is_closed_goes_with_the_square_of_the_height(height: float) -> None:
    radius = np.sqrt(LARGEST_HOLE * height**2 / np.pi)

    enclosed_volume(*without_top(chimney(0.98 * radius, height)))
    with pytest.raises(InvalidBodyError, match="holes"):
        enclosed_volume(*without_top(chimney(1.02 * radius, height)))


@pytest.mark.parametrize(
    ("part", "girth_m"), [("thin wrist", 0.14), ("ankle", 0.20), ("torso", 0.90)]
)
def test_where_a_part_of_the_body_is_missing_no_cap_replaces_it(part: str, girth_m: float) -> None:
    stump = without_top(chimney(girth_m / (2 * np.pi)))

    with pytest.raises(InvalidBodyError, match="faces leave holes in the surface, allowed is a"):
        enclosed_volume(*stump)


def test_a_surface_turned_inside_out_is_refused() -> None:
    vertices, faces = chimney(0.1)

    with pytest.raises(InvalidBodyError, match="inside out"):
        enclosed_volume(vertices, faces[:, ::-1])
