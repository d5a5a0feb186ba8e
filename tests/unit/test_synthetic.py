"""Synthetic people on video: seen whole, turning, the same again, and gone from an empty room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tapeless.population import Adult, draw_adults, rest_body
from tapeless.synthetic import Camera, Shot, film_empty_room, film_person
from tapeless.synthetic.crowd import Walker, film_crowd

SMALL = Shot(width_px=180, height_px=320, seconds=1.0, frames_per_second=8)
FACING, SIDEWAYS = 0, 2
Pictures = npt.NDArray[np.uint8]


def read(video: Path) -> Pictures:
    """(N, H, W, 3) BGR."""
    capture, frames = cv2.VideoCapture(str(video)), []
    while (step := capture.read())[0]:
        frames.append(step[1])
    return np.array(frames)


def read_masks(folder: Path) -> Pictures:
    """(N, H, W), 0 or 255."""
    masks = [cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in sorted(folder.iterdir())]
    return np.array(masks)


@pytest.fixture(scope="module")
def adult() -> Adult:
    return draw_adults(1, seed=20)[0]


@pytest.fixture(scope="module")
def filmed(adult: Adult, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Camera]:
    """A folder with `person.mp4` and `masks/`, and the camera."""
    folder = tmp_path_factory.mktemp("filmed")
    masks = folder / "masks"
    return folder, film_person(adult, folder / "person.mp4", seed=1, shot=SMALL, masks=masks)


def test_the_video_has_the_size_and_length_asked_for(filmed: tuple[Path, Camera]) -> None:
    assert read(filmed[0] / "person.mp4").shape == (8, 320, 180, 3)
    assert len(read_masks(filmed[0] / "masks")) == 8


def test_the_person_is_in_the_picture_from_head_to_foot(filmed: tuple[Path, Camera]) -> None:
    for mask in read_masks(filmed[0] / "masks"):
        inside = mask[2:-2, 2:-2]
        assert inside.astype(bool).sum() == mask.astype(bool).sum()


def test_the_person_is_as_tall_in_the_picture_as_the_camera_makes_them(
    adult: Adult, filmed: tuple[Path, Camera]
) -> None:
    folder, camera = filmed
    rows = np.flatnonzero((read_masks(folder / "masks")[FACING] > 127).any(axis=1))
    stature = rest_body(adult).vertices[:, 1].max()
    expected = stature * camera.focal_px / camera.distance_m
    assert rows[-1] - rows[0] + 1 == pytest.approx(expected, rel=0.08)


def test_the_person_turns(filmed: tuple[Path, Camera]) -> None:
    areas = (read_masks(filmed[0] / "masks") > 127).sum(axis=(1, 2))
    assert areas[SIDEWAYS] < 0.85 * areas[FACING]


def test_without_a_turn_the_person_keeps_facing_the_camera(adult: Adult, tmp_path: Path) -> None:
    shot = replace(SMALL, turn_degrees=0)
    film_person(adult, tmp_path / "front.mp4", seed=1, shot=shot, masks=tmp_path / "masks")
    areas = (read_masks(tmp_path / "masks") > 127).sum(axis=(1, 2))
    assert areas.min() > 0.95 * areas.max()


def test_held_poses_are_shown_again_but_the_noise_is_new(adult: Adult, tmp_path: Path) -> None:
    shot = replace(SMALL, seconds=0.5, held=2, turn_degrees=90)
    film_person(adult, tmp_path / "held.mp4", seed=1, shot=shot, masks=tmp_path / "masks")
    masks = read_masks(tmp_path / "masks").astype(int)
    changes = np.abs(np.diff(masks, axis=0)).sum(axis=(1, 2))
    assert len(masks) == 4
    assert changes[0] == changes[2] == 0 < changes[1]


def test_the_same_seed_films_the_same_video(
    adult: Adult, filmed: tuple[Path, Camera], tmp_path: Path
) -> None:
    film_person(adult, tmp_path / "again.mp4", seed=1, shot=SMALL)
    assert (tmp_path / "again.mp4").read_bytes() == (filmed[0] / "person.mp4").read_bytes()


def test_another_seed_films_another_room_camera_and_clothes(
    adult: Adult, filmed: tuple[Path, Camera], tmp_path: Path
) -> None:
    folder, camera = filmed
    other = film_person(adult, tmp_path / "other.mp4", seed=2, shot=SMALL)
    assert other != camera
    differences = np.abs(
        read(tmp_path / "other.mp4")[0].astype(int) - read(folder / "person.mp4")[0]
    )
    assert differences.mean() > 10


def test_clothes_stand_out_in_colour(filmed: tuple[Path, Camera]) -> None:
    folder, _ = filmed
    frame = read(folder / "person.mp4")[FACING].astype(int)
    mask = read_masks(folder / "masks")[FACING] == 255
    rows = np.flatnonzero(mask.any(axis=1))
    chest = rows[0] + int(0.3 * len(rows))
    shin = rows[0] + int(0.7 * len(rows))
    shirt, trousers = (np.median(frame[row][mask[row]], axis=0) for row in (chest, shin))
    assert np.abs(shirt - trousers).max() > 15


def silhouette(adult: Adult, folder: Path, **differently: float) -> npt.NDArray[np.bool_]:
    """(H, W) of the person facing the camera, filmed as `filmed` but for some things."""
    shot = replace(SMALL, seconds=1 / 8, **differently)
    film_person(adult, folder / "shell.mp4", seed=1, shot=shot, masks=folder / "shell")
    return read_masks(folder / "shell")[0] > 127


def test_hair_stands_off_the_head_and_nothing_else(
    adult: Adult, filmed: tuple[Path, Camera], tmp_path: Path
) -> None:
    bald = read_masks(filmed[0] / "masks")[FACING] > 127
    haired = silhouette(adult, tmp_path, hair_m=0.06)
    top, bottom = np.flatnonzero(bald.any(axis=1))[[0, -1]]
    below_the_head = top + (bottom - top) // 6
    assert np.flatnonzero(haired.any(axis=1))[0] < top
    assert (haired[below_the_head:] == bald[below_the_head:]).all()


def test_loose_clothes_hide_the_outline_of_the_body(
    adult: Adult, filmed: tuple[Path, Camera], tmp_path: Path
) -> None:
    tight = read_masks(filmed[0] / "masks")[FACING] > 127
    loose = silhouette(adult, tmp_path, looseness_m=0.03)
    assert (loose | tight == loose).mean() > 0.999
    assert loose.sum() > 1.1 * tight.sum()


def test_who_stands_farther_away_is_smaller_in_the_picture(adult: Adult, tmp_path: Path) -> None:
    far = silhouette(adult, tmp_path, fill=(0.4, 0.41))
    assert np.ptp(np.flatnonzero(far.any(axis=1))) == pytest.approx(0.405 * 320, rel=0.1)


def test_a_cluttered_room_is_full_of_edges(adult: Adult, tmp_path: Path) -> None:
    edges = []
    for clutter in (False, True):
        shot = replace(SMALL, seconds=1 / 8, clutter=clutter)
        film_empty_room(tmp_path / "room.mp4", seed=1, shot=shot)
        grey = cv2.cvtColor(read(tmp_path / "room.mp4")[0], cv2.COLOR_BGR2GRAY)
        edges.append(np.mean(cv2.Canny(grey, 40, 80) > 0))
    assert edges[1] > 3 * edges[0]


def test_an_empty_room_holds_still(tmp_path: Path) -> None:
    film_empty_room(tmp_path / "empty.mp4", seed=3, shot=SMALL)
    frames = read(tmp_path / "empty.mp4").astype(int)
    assert frames.shape == (8, 320, 180, 3)
    assert np.abs(frames[0] - frames[-1]).mean() < 5


def test_of_people_who_cross_the_nearer_hides_the_farther(adult: Adult, tmp_path: Path) -> None:
    far, near = ((-0.5, -0.6), (0.5, -0.6)), ((0.5, 0.0), (-0.5, 0.0))
    walkers = [Walker(adult, far, clothes_seed=1), Walker(adult, near, clothes_seed=2)]
    shot = replace(SMALL, width_px=320, turn_degrees=0)
    film_crowd(walkers, tmp_path / "crowd.mp4", seed=1, shot=shot, masks=tmp_path / "masks")
    behind, before = (read_masks(tmp_path / "masks" / f"person_{n}") > 127 for n in (1, 2))
    assert read(tmp_path / "crowd.mp4").shape == (len(behind), 320, 320, 3)
    assert not (behind & before).any()
    seen = behind.sum(axis=(1, 2)) / behind[0].sum()
    assert seen.min() < 0.4  # where they meet
    assert seen[-1] > 0.8
    middles = [[np.nonzero(mask)[1].mean() for mask in masks] for masks in (behind, before)]
    assert middles[0][0] < middles[1][0]
    assert middles[0][-1] > middles[1][-1]


def test_somebody_may_come_late_and_leave_early(adult: Adult, tmp_path: Path) -> None:
    guest = Walker(adult, [(0.0, 0.0)] * 2, clothes_seed=1, presence=(0.25, 0.75))
    film_crowd([guest], tmp_path / "v.mp4", seed=1, shot=SMALL, masks=tmp_path / "masks")
    there = read_masks(tmp_path / "masks/person_1").any(axis=(1, 2))
    assert there.tolist() == [False] * 2 + [True] * 4 + [False] * 2
