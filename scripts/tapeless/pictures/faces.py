"""Finding every face near the people in a video's frames, also of whom no pose detector found."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import cv2
import mediapipe as mp
import numpy as np

from tapeless.blazepose import BlazePose, Region, native_stderr_logged
from tapeless.keypoints import Person
from tapeless.pictures.heads import Head, Picture, head_of
from tapeless.pictures.surroundings import Part
from tapeless.pose.mediapipe import to_body_25

_SMALLEST_TILE_PX = 320
"""Faces are found from 20 px of width on, next to somebody who fills a picture of 600 px: there
begins what EN 62676-4 holds to be enough to recognise somebody known (125 px/m)."""
_TILE_STEP = 0.75
_TILE_SIZES = (1.0, 0.9, 0.8)
"""How large the tiles are in one frame, the next and the one after, of their usual size."""

_SHORT_RANGE, _FULL_RANGE = 0, 1
# The full-range model hardly ever takes something else for a face, so that doubtful finds count;
# the short-range one does, and is there for faces that fill the picture.
_CONFIDENCE = {_SHORT_RANGE: 0.5, _FULL_RANGE: 0.3}

_MIN_VISIBILITY = 0.5
_HIPS_TO_HEAD = 0.32
_DISAGREEMENT = 0.12
"""From the hips to the middle of the head, and how far from there BlazePose may see it; both of
the side of the region around a person. True heads are off by less than half of that."""

_BODY = ("RShoulder", "LShoulder", "RHip", "LHip", "RKnee", "LKnee", "RAnkle", "LAnkle",
         "RBigToe", "LBigToe", "RHeel", "LHeel")  # fmt: skip
_FACE_SIZES = (0.6, 1.1)
"""Size of a child's or a nearer person's head, of the head of the person behind it."""
_LEAST_BODY = 3
"""Of fewer points of a body there is no outline, and its size is no more than guessed."""

_SMALLEST_PATCH_PX = 4
_SMALL_HEAD = 0.05
"""Half the height of a small head, of the longer side of the picture."""
_AGREEING_FRAMES = 2
_SAME_FACE = 0.75
"""Correlation of two patches from which on they show the same face."""


class FaceFinder:
    """MediaPipe's face detectors, person detector and BlazePose; a context manager.

    The models lie inside MediaPipe's wheel and are loaded once.
    """

    def __init__(self) -> None:
        with native_stderr_logged(logging.getLogger(__name__)):
            self._faces = {
                model: mp.solutions.face_detection.FaceDetection(
                    model_selection=model, min_detection_confidence=confidence
                )
                for model, confidence in _CONFIDENCE.items()
            }
            self._people = BlazePose()
            self.find(np.zeros((64, 64, 3), np.uint8), [Part(0, 0, 64, 64)])

    def __enter__(self) -> FaceFinder:
        return self

    def __exit__(self, *_error: object) -> None:
        for detector in self._faces.values():
            detector.close()
        self._people.close()

    def find(
        self,
        picture: Picture,
        parts: Iterable[Part],
        people: Sequence[Person] = (),
        number: int = 0,
    ) -> list[Head]:
        """The heads of everybody in parts of an RGB picture (H, W, 3) but `people`, some twice.

        And faces that fill the picture, wherever they are.

        The detectors shrink what they are given to 128 or 224 px, in which the face of somebody far
        away is nothing: so overlapping tiles of a half, a quarter ... of a part are searched for
        faces, too. Whether one is found depends on how the tiles happen to lie, and somebody who
        stands still would be missed in every frame: so tiles differ with the frame's `number`.
        """
        heads = self._find_faces(_SHORT_RANGE, picture, 0, 0)
        regions: list[Region] = []
        for part in parts:
            whole = np.ascontiguousarray(picture[part.top : part.bottom, part.left : part.right])
            regions += [
                replace(region, x=region.x + part.left, y=region.y + part.top)
                for region in self._people.detect(whole)
            ]
            for tile in _tiles(part, number):
                piece = np.ascontiguousarray(
                    picture[tile.top : tile.bottom, tile.left : tile.right]
                )
                heads += self._find_faces(_FULL_RANGE, piece, tile.left, tile.top)
        return heads + self._find_people(picture, regions, people)

    def _find_faces(self, model: int, tile: Picture, left: int, top: int) -> list[Head]:
        height, width = tile.shape[:2]
        heads = []
        for detection in self._faces[model].process(tile).detections or []:
            box = detection.location_data.relative_bounding_box
            wide, high = box.width * width, box.height * height
            x, y = left + box.xmin * width + wide / 2, top + box.ymin * height + high / 2
            # The box goes from the brow to the chin.
            heads.append(Head(x, y - 0.1 * high, 0.85 * wide, 1.05 * high))
        return heads

    def _find_people(
        self, picture: Picture, regions: Iterable[Region], people: Sequence[Person]
    ) -> list[Head]:
        """The heads that BlazePose sees where the person detector expects them."""
        height, width = picture.shape[:2]
        known = [head for head in map(head_of, people) if head is not None]
        heads: list[Head] = []
        for region in regions:
            x, y = _expected_head(region)
            if any(head.holds(x, y) for head in known + heads):
                continue
            if any(_depth_in(person, x, y) > 0 for person in people):
                continue
            sight = self._people.look(picture, region)
            if sight is None:
                continue
            head = head_of(to_body_25(sight.points, (width, height), _MIN_VISIBILITY))
            if head and np.hypot(head.x - x, head.y - y) <= _DISAGREEMENT * region.side:
                heads.append(head)
        return heads


def _expected_head(region: Region) -> tuple[float, float]:
    reach = _HIPS_TO_HEAD * region.side
    x, y = region.x + reach * np.sin(region.angle), region.y - reach * np.cos(region.angle)
    return float(x), float(y)


@dataclass(frozen=True, eq=False)
class Sighting:
    """A face found in one frame, and how it looks there.

    `patch` is the RGB picture of the head, whose left upper corner is at (`left`, `top`) px;
    `is_small` says whether the head is so small in its frame that detectors often miss it.
    """

    head: Head
    patch: Picture
    left: int
    top: int
    is_small: bool

    @classmethod
    def of(cls, picture: Picture, head: Head) -> Sighting:
        """Keeps how a head looks in an RGB picture, to find it again in other frames."""
        left, top, right, bottom = _box(head, picture, grown=1.0)
        is_small = head.along <= _SMALL_HEAD * max(picture.shape[:2])
        return cls(head, picture[top:bottom, left:right].copy(), left, top, is_small)

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


def lasting(found: Mapping[str, Sequence[Sighting]]) -> dict[str, list[Sighting]]:
    """Those sightings of each frame that are worth looking for in the other frames.

    A small head is easily missed, and so worth it. A large one is not missed in frame after frame:
    if only one frame has it, it is a trick of the light, and hidden there alone.
    """

    def frames_with(face: Sighting) -> int:
        return sum(any(_is_at(face.head, other.head) for other in seen) for seen in found.values())

    return {
        name: [face for face in faces if face.is_small or frames_with(face) >= _AGREEING_FRAMES]
        for name, faces in found.items()
    }


def _is_at(head: Head, other: Head) -> bool:
    near = np.hypot(head.x - other.x, head.y - other.y) <= head.across / 2
    return bool(near and 0.67 <= head.along / other.along <= 1.5)


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

    Or all of a small person, taken for one face. Unless its size is that of a face there, which may
    be a child who stands in front. Of whom little more than the face was found, nobody knows what
    size that is.
    """
    own = head_of(person)
    if own is None or not len(person.found("Nose", "REye", "LEye")):
        return False
    if len(person.found(*_BODY)) < _LEAST_BODY:
        return False
    smallest, largest = _FACE_SIZES
    is_near_body = _depth_in(person, face.x, face.y) > -own.across / 2
    is_of_a_face = smallest <= face.along / own.along <= largest
    return (is_near_body or own.holds(face.x, face.y)) and not is_of_a_face


def _depth_in(person: Person, x: float, y: float) -> float:
    """How deep inside the outline of a person's body a place is, px; below 0 if it is outside."""
    body = person.found(*_BODY)
    if len(body) < _LEAST_BODY:
        return -np.inf
    outline = cv2.convexHull(body.astype(np.float32))
    return float(cv2.pointPolygonTest(outline, (x, y), measureDist=True))


def _covers(known: Head, head: Head) -> bool:
    """Whether hiding `known` makes hiding `head` needless: the same head, seen no larger."""
    near = np.hypot(known.x - head.x, known.y - head.y) <= known.across / 4
    return bool(near and max(head.across, head.along) <= 1.15 * min(known.across, known.along))


def _box(head: Head, picture: Picture, grown: float) -> tuple[int, int, int, int]:
    height, width = picture.shape[:2]
    left, right = (int(np.clip(head.x + s * grown * head.across, 0, width)) for s in (-1, 1))
    top, bottom = (int(np.clip(head.y + s * grown * head.along, 0, height)) for s in (-1, 1))
    return left, top, right, bottom


def _tiles(part: Part, number: int) -> Iterator[Part]:
    """Squares at sides of the whole, a half, a quarter ... of a part, as far as they lie in it."""
    width, height = part.right - part.left, part.bottom - part.top
    whole = side = max(width, height)
    while True:
        size = side if side == whole else round(side * _TILE_SIZES[number % len(_TILE_SIZES)])
        for top in _starts(height, size):
            for left in _starts(width, size):
                right, bottom = min(left + size, width), min(top + size, height)
                yield Part(part.left + left, part.top + top, part.left + right, part.top + bottom)
        if side <= _SMALLEST_TILE_PX:
            return
        side = -(-side // 2)


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = 1 + int(np.ceil((length - side) / (_TILE_STEP * side)))
    return [round(start) for start in np.linspace(0, length - side, count)]
