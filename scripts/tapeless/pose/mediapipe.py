"""The MediaPipe backend: everybody in a frame, as BODY_25 points."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapeless.blazepose import BlazePose, Region, Sight
from tapeless.images import read_rgb
from tapeless.keypoints import (
    BODY_25,
    MIN_POINTS,
    POSE_SUFFIX,
    Person,
    frame_names,
    write_people,
)
from tapeless.logs import progress

log = logging.getLogger(__name__)

# BlazePose's point for each BODY_25 slot; a pair is a mean, with the smaller visibility. BlazePose
# has no small toes. Its numbers: developers.google.com/mediapipe, "Pose landmark detection".
_SOURCES: Mapping[str, tuple[int, ...]] = {
    "Nose": (0,),
    "Neck": (11, 12),
    "RShoulder": (12,),
    "RElbow": (14,),
    "RWrist": (16,),
    "LShoulder": (11,),
    "LElbow": (13,),
    "LWrist": (15,),
    "MidHip": (23, 24),
    "RHip": (24,),
    "RKnee": (26,),
    "RAnkle": (28,),
    "LHip": (23,),
    "LKnee": (25,),
    "LAnkle": (27,),
    "REye": (5,),
    "LEye": (2,),
    "REar": (8,),
    "LEar": (7,),
    "LBigToe": (31,),
    "LHeel": (29,),
    "RBigToe": (32,),
    "RHeel": (30,),
}
_ZOOMS = (1.0, 0.9)  # of the detector's region
# Upright parts of a picture: as high as it and half as wide, each half way into the next. Tried on
# rendered rows of three to six people, all of whom were found in them.
_PART_ASPECT = 0.5
_PART_STEP = 0.5
_SAME_REGION = 0.12  # of the larger of two regions' sides, within which both show one person
_SAME_PERSON_OVERLAP = 0.5  # of the smaller of two masks, above which both show one person


def to_body_25(points: NDArray[np.float64], size: tuple[int, int], min_visibility: float) -> Person:
    """Turns BlazePose's points into BODY_25.

    Args:
        points: (33, 3), x and y in px and visibility in 0..1.
        size: width and height of the picture, px.
        min_visibility: points below it are absent, and so are points outside the picture, which
            BlazePose guesses.
    """
    width, height = size
    body = np.zeros((len(BODY_25), 3))
    for name, sources in _SOURCES.items():
        x, y = points[list(sources), :2].mean(axis=0)
        visibility = points[list(sources), 2].min()
        if visibility >= min_visibility and 0 <= x < width and 0 <= y < height:
            body[BODY_25.index(name)] = x, y, min(visibility, 1.0)
    return Person(body)


def find_people(
    models: BlazePose,
    picture: NDArray[np.uint8],
    min_visibility: float,
    *,
    everybody: bool = False,
) -> list[Person]:
    """Those whom MediaPipe finds in an RGB picture (H, W, 3); the order has no meaning.

    Of three people in a row it leaves out one or two, of six all, unless it looks for `everybody`,
    part by part.
    """
    regions = models.detect(picture)
    if everybody:
        regions = _distinct_regions([*regions, *_detect_in_parts(models, picture)])
    sights = [_look_well(models, picture, region) for region in regions]
    size = (picture.shape[1], picture.shape[0])
    people = []
    for sight in _distinct([sight for sight in sights if sight is not None]):
        person = to_body_25(sight.points, size, min_visibility)
        if person.present.sum() >= MIN_POINTS:
            people.append(person)
    return people


def estimate_pose(
    frames: Path, pose: Path, *, min_visibility: float, everybody: bool = False
) -> Mapping[str, int]:
    """Writes a pose file for every frame of a video; returns what it counted.

    Raises:
        OSError: if a frame cannot be read.
    """
    names = frame_names(frames)
    seen = 0
    with BlazePose() as models:
        for name in progress(names, "frames", len(names), log):
            picture = read_rgb(frames / f"{name}.png")
            people = find_people(models, picture, min_visibility, everybody=everybody)
            write_people(pose / f"{name}{POSE_SUFFIX}", people)
            seen += bool(people)
    return {"frames_sampled": len(names), "frames_with_people": seen}


def _detect_in_parts(models: BlazePose, picture: NDArray[np.uint8]) -> Iterator[Region]:
    """The regions of people found in upright parts of a picture that is wider than one of them."""
    height, width = picture.shape[:2]
    part = round(_PART_ASPECT * height)
    if part >= width:
        return
    count = math.ceil((width - part) / (_PART_STEP * part)) + 1
    for left in np.linspace(0, width - part, count).astype(int).tolist():
        crop = np.ascontiguousarray(picture[:, left : left + part])
        for region in models.detect(crop):
            yield replace(region, x=region.x + left)


def _distinct_regions(regions: Iterable[Region]) -> list[Region]:
    """Leaves the first of the regions about one person's hips."""
    kept: list[Region] = []
    for region in regions:
        if all(
            math.hypot(region.x - other.x, region.y - other.y)
            > _SAME_REGION * max(region.side, other.side)
            for other in kept
        ):
            kept.append(region)
    return kept


def _look_well(models: BlazePose, picture: NDArray[np.uint8], region: Region) -> Sight | None:
    """The median of four looks; from frame to frame it trembles 40 % less than one of them."""
    looks = [
        look(picture, replace(region, side=region.side * zoom))
        for zoom in _ZOOMS
        for look in (models.look, models.look_mirrored)
    ]
    sights = [sight for sight in looks if sight is not None]
    if not sights:
        return None
    return replace(sights[0], points=np.median([sight.points for sight in sights], axis=0))


def _distinct(sights: list[Sight]) -> list[Sight]:
    """Leaves the most visible of the sights that show the same person."""
    kept: list[Sight] = []
    for sight in sorted(sights, key=lambda s: -float(s.points[:, 2].mean())):
        mask = sight.mask > 0.5
        if not mask.any():
            continue
        others = (other.mask > 0.5 for other in kept)
        if all(_overlap(mask, other) <= _SAME_PERSON_OVERLAP for other in others):
            kept.append(sight)
    return kept


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / min(one.sum(), other.sum()))
