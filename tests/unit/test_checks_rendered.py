"""Checks fire on rendered people whom nobody should believe, and not on the same people else.

The people are those of the tuning seed. Where a fit would stand between the picture and the check,
the true body is taken for the fitted one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import pandas as pd
import pytest
import trimesh
from numpy.typing import NDArray

from tapeless.anny_model import load_model
from tapeless.blazepose import BlazePose
from tapeless.bodies import Body
from tapeless.checks import load_checks
from tapeless.checks.camera import background_motion
from tapeless.checks.clothing import shape_oddness, uncovered_share
from tapeless.checks.findings import Reading, judge
from tapeless.checks.footage import GreyFrames, View
from tapeless.checks.lens import distortion
from tapeless.checks.sharpness import outline_width
from tapeless.checks.size import stature
from tapeless.checks.stance import hidden_waist_share, seen_turn
from tapeless.images import read_grey, write_image
from tapeless.population import Adult, draw_adults, rest_body
from tapeless.pose.mediapipe import find_people
from tapeless.shape.anny_space import ShapeSpace
from tapeless.shape.anny_space_building import build_shape_space
from tapeless.synthetic import Shot, film, film_person, motion
from tapeless.synthetic.clothes import dress

TUNING_SEED = 2
FOCAL_PX, SIZE, DISTANCE_M = 500.0, (480, 270), 2.6  # height and width of a picture

ARMS_ON_THE_BODY = {
    "upperarm01": ((-0.05, 0.62, -0.05), (0.05, 0.66, 0.05)),
    "lowerarm01": ((-0.02, -0.02, -0.05), (0.10, 0.02, 0.05)),
}


@pytest.fixture(scope="module")
def adults() -> list[Adult]:
    return draw_adults(4, TUNING_SEED, varied_beyond_prior=True)


@pytest.fixture(scope="module")
def filmed(adults: list[Adult], tmp_path_factory: pytest.TempPathFactory) -> list[View]:
    """The views of a video of somebody from the front, cut out exactly."""
    folder = tmp_path_factory.mktemp("filmed")
    return [
        View(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.dilate(mask, np.ones((9, 9))) == 0)
        for picture, mask in film_front(adults[0], folder, frames=6)
    ]


def film_front(
    adult: Adult, folder: Path, frames: int
) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """RGB pictures and exact masks of somebody who faces the camera."""
    shot = Shot(width_px=360, height_px=640, seconds=1, frames_per_second=frames, turn_degrees=0)
    film_person(adult, folder / "front.mp4", seed=200, shot=shot, masks=folder / "masks")
    capture, pictures = cv2.VideoCapture(str(folder / "front.mp4")), []
    while (step := capture.read())[0]:
        pictures.append(np.asarray(cv2.cvtColor(step[1], cv2.COLOR_BGR2RGB), np.uint8))
    masks = [read_grey(path) for path in sorted((folder / "masks").iterdir())]
    return list(zip(pictures, masks, strict=True))


def verdict(check: str, reading: Reading) -> str:
    return judge(load_checks()[check], reading, person=1, rejecting=()).verdict


# --- the camera ---------------------------------------------------------------------------------


def test_a_camera_on_a_stand_passes_and_one_in_the_hand_fails(filmed: list[View]) -> None:
    assert verdict("camera_moves", background_motion(filmed)) == "pass"
    sway = [(0, 0), (5, -3), (9, -7), (6, -12), (1, -9), (-4, -2)]
    shaken = [shifted(view, *step) for view, step in zip(filmed, sway, strict=True)]
    assert verdict("camera_moves", background_motion(shaken)) == "fail"


def shifted(view: View, x: float, y: float) -> View:
    shift, size = np.array([[1, 0, x], [0, 1, y]], float), view.picture.shape[::-1]
    picture = cv2.warpAffine(view.picture, shift, size, borderMode=cv2.BORDER_REFLECT)
    background = cv2.warpAffine(view.background.astype(np.uint8), shift, size)
    return View(np.asarray(picture, np.uint8), np.asarray(background, bool))


def test_a_usual_lens_does_not_fail_and_a_barrel_does(filmed: list[View]) -> None:
    assert verdict("lens_distortion", distortion(filmed, is_still=True)) == "pass"
    barrel = [bowed(view, -0.12) for view in filmed]
    assert verdict("lens_distortion", distortion(barrel, is_still=True)) == "fail"


def bowed(view: View, size: float) -> View:
    """A view through a lens that moves the corners by about `size` of their distance."""
    height, width = view.picture.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    straight = 1 / (1 + np.float32(size * 4 / (height**2 + width**2)) * (x**2 + y**2))
    columns, rows = x * straight + (width - 1) / 2, y * straight + (height - 1) / 2
    seen = cv2.remap(view.background.astype(np.uint8), columns, rows, cv2.INTER_NEAREST)
    picture = cv2.remap(view.picture, columns, rows, cv2.INTER_CUBIC)
    return View(np.asarray(picture, np.uint8), np.asarray(seen, bool))


@pytest.mark.parametrize(("blur_px", "expected"), [(1, "pass"), (15, "fail")])
def test_a_video_that_is_blurred_all_the_way_is_found(
    adults: list[Adult], tmp_path: Path, blur_px: int, expected: str
) -> None:
    masks = {}
    for number, (picture, mask) in enumerate(film_front(adults[0], tmp_path, frames=3)):
        blurred = np.asarray(cv2.blur(picture, (blur_px, 1)), np.uint8)
        name = f"frame_{number:06d}"
        write_image(tmp_path / f"{name}.png", blurred)
        masks[name] = mask
    assert verdict("soft_outline", outline_width(GreyFrames(tmp_path), masks)) == expected


# --- the clothes --------------------------------------------------------------------------------


def placed(body: Body, surfaces: list[NDArray[np.float32]]) -> Body:
    """The body as a camera at chest height sees posed surfaces (V, 3) of it in the world."""
    posed = [surface * [1, -1, -1] + [0, 0.9, DISTANCE_M] for surface in surfaces]
    return replace(
        body,
        frames=np.array([f"frame_{number:06d}" for number in range(len(posed))]),
        posed_vertices=np.array(posed, np.float32),
        camera_focal_px=np.full(len(posed), FOCAL_PX, np.float32),
        camera_center_px=np.tile(np.array(SIZE[::-1], np.float32) / 2, (len(posed), 1)),
    )


def drawn(body: Body) -> NDArray[np.uint8]:
    """The silhouette of a placed body in its first frame, face by face."""
    vertices = body.posed_vertices[0]
    places = FOCAL_PX * vertices[:, :2] / vertices[:, 2:] + body.camera_center_px[0]
    mask = np.zeros(SIZE, np.uint8)
    for corners in np.rint((places[body.faces] - 0.5) * 16).astype(np.int32):
        cv2.fillConvexPoly(mask, corners, (255,), shift=4)
    return mask


def test_a_skirt_is_no_part_of_the_body(adults: list[Adult]) -> None:
    body = rest_body(adults[0])
    body = placed(body, [body.vertices])
    mask = drawn(body)
    bare = uncovered_share([body], {"frame_000000": mask})
    rows = np.flatnonzero(mask.any(axis=1))
    waist, hem = (int(rows[0] + share * len(rows)) for share in (0.45, 0.85))
    middle = SIZE[1] // 2
    skirt = np.array(
        [[middle - 25, waist], [middle + 25, waist], [middle + 60, hem], [middle - 60, hem]]
    )
    cv2.fillConvexPoly(mask, skirt, (255,))
    skirted = uncovered_share([body], {"frame_000000": mask})
    assert verdict("unexplained_outline", bare) == "pass"
    assert verdict("unexplained_outline", skirted) == "fail"
    assert uncovered_share([body], {}).value is None


def test_a_body_that_fills_a_large_picture_has_no_holes(
    adults: list[Adult], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SIZE": (1600, 1200), "FOCAL_PX": 4 * FOCAL_PX}.items():
        monkeypatch.setitem(globals(), name, value)
    body = rest_body(adults[0])
    body = placed(body, [body.vertices])
    mask = drawn(body)
    assert np.ptp(np.flatnonzero(mask.any(axis=1))) > 1200
    uncovered = uncovered_share([body], {"frame_000000": mask})
    assert uncovered.value is not None
    assert uncovered.value < 0.5


# --- stance, turn and age -----------------------------------------------------------------------


@pytest.mark.parametrize(("degrees", "expected"), [(360, "pass"), (60, "pass"), (0, "fail")])
def test_somebody_who_does_not_turn_is_found_out(
    adults: list[Adult], degrees: float, expected: str
) -> None:
    shot = Shot(seconds=1, frames_per_second=8, turn_degrees=degrees)
    surfaces = list(film.turn(adults[1], shot, np.random.default_rng(5)))
    reading = seen_turn([placed(rest_body(adults[1]), surfaces)])
    assert verdict("no_turn", reading) == expected


@pytest.mark.parametrize(("stance", "expected"), [({}, "pass"), (ARMS_ON_THE_BODY, "fail")])
def test_arms_on_the_body_hide_the_waist(
    adults: list[Adult],
    stance: dict[str, motion.Bounds],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(motion, "STANCE", MappingProxyType({**motion.STANCE, **stance}))
    seen = film_front(adults[1], tmp_path, frames=3)
    with BlazePose() as models:
        people = [find_people(models, picture, 0.5)[0] for picture, _ in seen]
    frames = [f"frame_{number}" for number in range(len(seen))]
    masks = [mask for _, mask in seen]
    reading = hidden_waist_share(
        dict(zip(frames, people, strict=True)), dict(zip(frames, masks, strict=True))
    )
    assert verdict("waist_hidden", reading) == expected


def test_a_child_of_known_height_is_no_adult(adults: list[Adult]) -> None:
    # Anny's age goes from a newborn, 0, to an old person, 1; a third is about ten years
    child = replace(
        adults[0], phenotypes={**adults[0].phenotypes, "age": 0.33, "height": 0.5}, local_changes={}
    )
    for person, expected in ((adults[0], "pass"), (child, "fail")):
        height_m = float(rest_body(person).vertices[:, 1].max())
        estimates = pd.DataFrame({"height_m": [height_m], "scale": ["known_height"]})
        assert verdict("not_an_adult", stature(estimates)) == expected


# --- clothes that stand off all around -----------------------------------------------------------


@pytest.fixture(scope="module")
def space() -> ShapeSpace:
    return build_shape_space()


@pytest.mark.parametrize("number", range(4))
def test_a_body_in_loose_clothes_is_odd_and_the_same_body_without_them_is_not(
    adults: list[Adult], space: ShapeSpace, number: int
) -> None:
    body = rest_body(adults[number])
    assert verdict("loose_clothing", shape_oddness([body], space)) == "pass"
    assert verdict("loose_clothing", shape_oddness([dressed(body, 0.03)], space)) == "fail"


def dressed(body: Body, looseness_m: float) -> Body:
    """A body as large as it is with its clothes, which is what a fit takes them for."""
    outfit = dress(load_model(), body.vertices, np.random.default_rng(TUNING_SEED))
    normals = trimesh.Trimesh(body.vertices, body.faces, process=False).vertex_normals
    off = outfit.stand_off(body.faces, hair_m=0, looseness_m=looseness_m)
    return replace(body, vertices=(body.vertices + off[:, None] * normals).astype(np.float32))
