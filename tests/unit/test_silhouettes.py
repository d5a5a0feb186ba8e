"""The silhouette is the chosen person's, at the frame's size, with its border where it belongs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from filmed import turn
from puppets import standing

from segment_person import main
from tapeless.blazepose import BlazePose
from tapeless.images import read_grey, write_image
from tapeless.keypoints import Person, write_people
from tapeless.outcomes import Outcome
from tapeless.pose.mediapipe import find_people
from tapeless.silhouettes import cut_out, keep_person


@pytest.fixture(scope="module")
def models():
    with BlazePose() as loaded:
        yield loaded


def only_person(models: BlazePose, picture: np.ndarray) -> Person:
    (person,) = find_people(models, picture, 0.5)
    return person


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    one, other = mask > 0.5, truth > 127
    return (one & other).sum() / (one | other).sum()


def outward_px(mask: np.ndarray, truth: np.ndarray) -> float:
    """How far the border lies outside the true one, mean: surplus area over length of border."""
    contours, _ = cv2.findContours(
        (truth > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_TC89_L1
    )
    length = sum(cv2.arcLength(contour, closed=True) for contour in contours)
    return (mask.sum() - truth.sum() / 255) / length


@pytest.mark.parametrize("seed", [1, 2])
def test_the_border_is_where_it_belongs(models, seed):
    shifts = []
    for picture, truth in zip(*turn(seed), strict=True):
        mask = cut_out(models, picture, only_person(models, picture))
        assert mask.shape == truth.shape
        assert overlap(mask, truth) > 0.95
        shifts.append(outward_px(mask, truth))
    assert abs(np.mean(shifts)) < 0.35


def test_somebody_who_leans_is_cut_out_as_well(models):
    pictures, truths = turn(1)
    height, width = truths[0].shape
    wide = cv2.copyMakeBorder(pictures[0], 0, 0, 120, 120, cv2.BORDER_REPLICATE)
    wide_truth = cv2.copyMakeBorder(truths[0], 0, 0, 120, 120, cv2.BORDER_CONSTANT)
    turned = cv2.getRotationMatrix2D((width / 2 + 120, height / 2), 35, 0.8)
    size = (width + 240, height)
    picture = cv2.warpAffine(wide, turned, size, borderMode=cv2.BORDER_REPLICATE)
    truth = cv2.warpAffine(wide_truth, turned, size)
    mask = cut_out(models, picture, only_person(models, picture))
    assert overlap(mask, truth) > 0.94


def test_the_other_person_in_the_picture_is_not_part_of_it(models):
    (one, other), (truth, other_truth) = zip(
        *((pictures[0], masks[0]) for pictures, masks in (turn(1), turn(2))), strict=True
    )
    picture = np.hstack([one[:, 60:360], other[:, 60:360]])
    left, right = sorted(find_people(models, picture, 0.5), key=lambda p: p.box[0])
    nobody = np.zeros((600, 300), np.uint8)
    left_truth = np.hstack([truth[:, 60:360], nobody])
    right_truth = np.hstack([nobody, other_truth[:, 60:360]])
    assert overlap(cut_out(models, picture, left), left_truth) > 0.94
    assert overlap(cut_out(models, picture, right), right_truth) > 0.94


def test_where_nobody_is_nothing_is_cut_out(models):
    blank = np.full((600, 338, 3), 120, np.uint8)
    assert cut_out(models, blank, standing()) is None


def test_what_is_not_joined_to_the_body_is_cleared():
    person = standing()
    mask = np.zeros((600, 338), np.float32)
    mask[100:570, 110:230] = 1
    mask[300:360, 260:300] = 0.9
    kept = keep_person(mask, person)
    assert (kept[100:570, 110:230] == 1).all()
    assert kept[:, 250:].max() == 0


def test_what_is_joined_but_out_of_reach_is_cleared_too():
    person = standing(x=120, stature=300)
    mask = np.zeros((600, 338), np.float32)
    mask[270:570, 80:160] = 1
    mask[540:560, 160:338] = 1
    kept = keep_person(mask, person)
    assert (kept[270:570, 80:160] == 1).all()
    assert kept[:, 260:].max() == 0


def test_the_soft_rim_of_the_body_stays():
    person = standing()
    mask = np.zeros((600, 338), np.float32)
    mask[98:572, 108:232] = 0.3
    mask[100:570, 110:230] = 1
    assert (keep_person(mask, person) == mask).all()


@pytest.fixture
def stages(models, tmp_path):
    """frames/ and keypoints/ with two frames kept, as the stages before leave them."""
    frames, keypoints = tmp_path / "frames", tmp_path / "keypoints"
    frames.mkdir()
    keypoints.mkdir()
    Outcome().write(keypoints)
    for number, picture in enumerate(turn(1)[0][:2], start=1):
        write_image(frames / f"frame_{number:06d}.png", picture)
        write_people(keypoints / f"frame_{number:06d}.json", [only_person(models, picture)])
    return frames, keypoints, tmp_path / "silhouettes"


def test_every_frame_kept_gets_a_grey_picture_of_its_size(stages):
    main(*stages)
    assert Outcome.read(stages[2]) == Outcome(counts={"frames_kept": 2, "silhouettes": 2})
    for number in (1, 2):
        silhouette = read_grey(stages[2] / f"frame_{number:06d}.png")
        assert silhouette.shape == (600, 420)
        assert overlap(silhouette / 255, turn(1)[1][number - 1]) > 0.9
        assert ((silhouette > 20) & (silhouette < 235)).any()


def test_people_who_cannot_be_cut_out_reject_the_video(stages):
    frames, keypoints, silhouettes = stages
    for path in frames.glob("*.png"):
        write_image(path, np.full((600, 420, 3), 128, np.uint8))
    main(frames, keypoints, silhouettes)
    outcome = Outcome.read(silhouettes)
    assert outcome.code == "no_silhouette"
    assert "only 0 of 2 frames" in outcome.reason
    assert outcome.counts == {"frames_kept": 2, "silhouettes": 0}


def test_a_verdict_from_before_is_handed_on(stages):
    frames, keypoints, silhouettes = stages
    Outcome("too_small", "The person is too small.").write(keypoints)
    main(frames, keypoints, silhouettes)
    assert Outcome.read(silhouettes) == Outcome("too_small", "The person is too small.")
