"""Finding every face in a video's frames, also of people whom no pose detector found."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from types import TracebackType

import cv2
import mediapipe as mp
import numpy as np

from tapeless.blazepose import native_stderr_logged
from tapeless.keypoints import Person
from tapeless.pictures.heads import Head, Picture, head_of

_SMALLEST_TILE_PX = 240
_TILE_STEP = 0.75
_SMALLEST_PATCH_PX = 4
_SHORT_RANGE, _FULL_RANGE = 0, 1
# The full-range model hardly ever takes something else for a face, so that doubtful finds count;
# the short-range one does, and is there for faces that fill the picture.
_CONFIDENCE = {_SHORT_RANGE: 0.5, _FULL_RANGE: 0.3}
_BODY = ("RShoulder", "LShoulder", "RHip", "LHip", "RKnee", "LKnee", "RAnkle", "LAnkle",
         "RBigToe", "LBigToe", "RHeel", "LHeel")  # fmt: skip
_FACE_SIZES = (0.6, 1.1)
"""Size of a child's or a nearer person's head, of the head of the person behind it."""
_SAME_FACE = 0.75
"""Correlation of two patches from which on they show the same face."""


class FaceFinder:
    """MediaPipe's two face detectors (models inside its wheel), loaded once; a context manager."""

    def __init__(self) -> None:
        with native_stderr_logged(logging.getLogger(__name__)):
            self._detectors = {
                model: mp.solutions.face_detection.FaceDetection(
                    model_selection=model, min_detection_confidence=confidence
                )
                for model, confidence in _CONFIDENCE.items()
            }
            self.find(np.zeros((64, 64, 3), np.uint8))

    def __enter__(self) -> FaceFinder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for detector in self._detectors.values():
            detector.close()

    def find(self, picture: Picture) -> list[Head]:
        """The heads around all faces in an RGB picture (H, W, 3), in no order, some found twice.

        The detectors shrink what they are given to 128 or 192 px, in which a face far away is
        nothing: so the picture is also searched in overlapping tiles of a half, a quarter ...
        """
        height, width = picture.shape[:2]
        heads = self._find(_SHORT_RANGE, picture, 0, 0)
        for left, top, side in _tiles(width, height):
            tile = np.ascontiguousarray(picture[top : top + side, left : left + side])
            heads += self._find(_FULL_RANGE, tile, left, top)
        return heads

    def _find(self, model: int, tile: Picture, left: int, top: int) -> list[Head]:
        height, width = tile.shape[:2]
        heads = []
        for detection in self._detectors[model].process(tile).detections or []:
            box = detection.location_data.relative_bounding_box
            wide, high = box.width * width, box.height * height
            x, y = left + box.xmin * width + wide / 2, top + box.ymin * height + high / 2
            # The box goes from the brow to the chin.
            heads.append(Head(x, y - 0.1 * high, 0.85 * wide, 1.05 * high))
        return heads


@dataclass(frozen=True, eq=False)
class Sighting:
    """A face found in one frame, and how it looks there.

    `patch` is the RGB picture of the head, whose left upper corner is at (`left`, `top`) px.
    """

    head: Head
    patch: Picture
    left: int
    top: int

    @classmethod
    def of(cls, picture: Picture, head: Head) -> Sighting:
        """Keeps how a head looks in an RGB picture, to find it again in other frames."""
        left, top, right, bottom = _box(head, picture, grown=1.0)
        return cls(head, picture[top:bottom, left:right].copy(), left, top)

    def again(self, picture: Picture) -> Head | None:
        """This head in another RGB picture of the same size, if it is there at about its old place.

        A detector finds a bystander in some frames and misses the same face in the next. Whoever
        stands about is still there: where the surroundings of the old place hold a patch that
        correlates with the old face, there is a head.
        """
        left, top, right, bottom = _box(self.head, picture, grown=1.6)
        if min(self.patch.shape[:2]) < _SMALLEST_PATCH_PX:
            return None
        around = picture[top:bottom, left:right]
        match = cv2.matchTemplate(around, self.patch, cv2.TM_CCOEFF_NORMED)
        _, likeness, _, (x, y) = cv2.minMaxLoc(match)
        if likeness < _SAME_FACE:
            return None
        moved_x, moved_y = left + x - self.left, top + y - self.top
        return replace(self.head, x=self.head.x + moved_x, y=self.head.y + moved_y)


def find_heads(
    picture: Picture, people: Iterable[Person], found: Iterable[Head], seen: Iterable[Sighting]
) -> list[Head]:
    """All heads to hide in a frame (RGB), as few ellipses as cover them.

    From the points of everybody whom the pose detector found; the faces that a `FaceFinder` found
    in this frame; and those seen in other frames that are still at their place.
    """
    people = list(people)
    heads: list[Head] = []
    faces = chain(found, (other.again(picture) for other in seen))
    believed = (
        face
        for face in faces
        if face is not None and not any(_is_body_part(face, person) for person in people)
    )
    for head in chain((head_of(person) for person in people), believed):
        if head is not None and not any(_covers(known, head) for known in heads):
            heads.append(head)
    return heads


def _is_body_part(face: Head, person: Person) -> bool:
    """Whether a "face" is a bare chest or a foot: on the body of somebody whose own face is seen.

    Unless its size is that of a face there, which may be a child who stands in front.
    """
    own = head_of(person)
    body = person.found(*_BODY)
    if own is None or not len(person.found("Nose", "REye", "LEye")) or len(body) < 3:
        return False
    outline = cv2.convexHull(body.astype(np.float32))
    depth = cv2.pointPolygonTest(outline, (face.x, face.y), measureDist=True)
    smallest, largest = _FACE_SIZES
    return depth > -own.across / 2 and not smallest <= face.along / own.along <= largest


def _covers(known: Head, head: Head) -> bool:
    """Whether hiding `known` makes hiding `head` needless."""
    distance = np.hypot(known.x - head.x, known.y - head.y)
    return bool(distance + max(head.across, head.along) <= 1.2 * min(known.across, known.along))


def _box(head: Head, picture: Picture, grown: float) -> tuple[int, int, int, int]:
    height, width = picture.shape[:2]
    left, right = (int(np.clip(head.x + s * grown * head.across, 0, width)) for s in (-1, 1))
    top, bottom = (int(np.clip(head.y + s * grown * head.along, 0, height)) for s in (-1, 1))
    return left, top, right, bottom


def _tiles(width: int, height: int) -> Iterator[tuple[int, int, int]]:
    """Squares (left, top, side) at sides of the whole, a half, a quarter ... of the picture."""
    side = max(width, height)
    while True:
        for top in _starts(height, side):
            for left in _starts(width, side):
                yield left, top, side
        if side <= _SMALLEST_TILE_PX:
            return
        side = -(-side // 2)


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = 1 + int(np.ceil((length - side) / (_TILE_STEP * side)))
    return [round(start) for start in np.linspace(0, length - side, count)]
