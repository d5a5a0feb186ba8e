"""MediaPipe's two models of people, as functions of a picture: a detector, and BlazePose.

The models are those inside the wheel of MediaPipe 0.10.21, run through MediaPipe's own graphs:
nothing is downloaded. `mp.solutions.pose` chains the two and keeps the first detection alone;
here they are apart, so that everybody in view is seen and any region can be looked at.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from google.protobuf import text_format
from mediapipe.framework import calculator_pb2
from mediapipe.framework.formats import rect_pb2
from mediapipe.python.solution_base import SolutionBase
from numpy.typing import NDArray

LANDMARKS = 33
"""How many points BlazePose gives for a person."""

# The number of each point on the other side of the body: nose, eyes, ears and corners of the mouth
# first, then pairs of left and right from the shoulders down.
_FACE = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9]
_OTHER_SIDE = [*_FACE, *(n + 1 if n % 2 else n - 1 for n in range(len(_FACE), LANDMARKS))]

_DETECTOR = """
input_stream: "image"
output_stream: "detections"
node {
  calculator: "PoseDetectionCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
}
"""
_BLAZEPOSE = """
input_stream: "image"
input_stream: "roi"
output_stream: "landmarks"
output_stream: "mask"
node {
  calculator: "ConstantSidePacketCalculator"
  output_side_packet: "PACKET:0:with_mask"
  output_side_packet: "PACKET:1:complexity"
  node_options: {
    [type.googleapis.com/mediapipe.ConstantSidePacketCalculatorOptions]: {
      packet { bool_value: true }
      packet { int_value: 1 }
    }
  }
}
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_side_packet: "ENABLE_SEGMENTATION:with_mask"
  input_side_packet: "MODEL_COMPLEXITY:complexity"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  output_stream: "LANDMARKS:landmarks"
  output_stream: "SEGMENTATION_MASK:mask_image"
}
node {
  calculator: "FromImageCalculator"
  input_stream: "IMAGE:mask_image"
  output_stream: "IMAGE_CPU:mask"
}
"""


@dataclass(frozen=True)
class Region:
    """A square of a picture: centre and side in px, turned by `angle` radians (y down)."""

    x: float
    y: float
    side: float
    angle: float = 0.0


@dataclass(frozen=True, eq=False)
class Sight:
    """What BlazePose sees in a region.

    `points` is (33, 3): x, y in px of the picture, visibility in 0..1. `mask` is the probability
    of belonging to a person, at the size of the picture, float32.
    """

    points: NDArray[np.float64]
    mask: NDArray[np.float32]


class BlazePose:
    """The models, loaded once; a context manager, as they hold threads and memory."""

    def __init__(self) -> None:
        with native_stderr_logged(logging.getLogger(__name__)):
            self._detector = SolutionBase(graph_config=_config(_DETECTOR))
            self._landmarker = SolutionBase(graph_config=_config(_BLAZEPOSE))
            blank = np.zeros((256, 256, 3), np.uint8)
            self.detect(blank)
            self.look(blank, Region(128, 128, 256))

    def __enter__(self) -> BlazePose:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the models."""
        self._detector.close()
        self._landmarker.close()

    def detect(self, picture: NDArray[np.uint8]) -> list[Region]:
        """The region of everybody whom the detector finds in an RGB picture (H, W, 3), best first.

        The region is MediaPipe's own: a square around the middle of the hips, upright along the
        line from there to the second alignment point, 2.5 times as wide as that line is long
        (`pose_detection_to_roi.pbtxt`).
        """
        height, width = picture.shape[:2]
        found = self._detector.process({"image": picture}).detections or []
        regions = []
        for detection in found:
            hips, top = detection.location_data.relative_keypoints[:2]
            dx, dy = (top.x - hips.x) * width, (top.y - hips.y) * height
            side = 2.5 * math.hypot(dx, dy)
            angle = math.pi / 2 - math.atan2(-dy, dx)
            regions.append(Region(hips.x * width, hips.y * height, side, angle))
        return regions

    def look(self, picture: NDArray[np.uint8], region: Region) -> Sight | None:
        """BlazePose's points and mask of the person in a region of an RGB picture, None if none."""
        height, width = picture.shape[:2]
        roi = rect_pb2.NormalizedRect(
            x_center=region.x / width,
            y_center=region.y / height,
            width=region.side / width,
            height=region.side / height,
            rotation=math.remainder(region.angle, 2 * math.pi),
        )
        seen = self._landmarker.process({"image": picture, "roi": roi})
        if seen.landmarks is None or seen.mask is None:
            return None
        points = np.array(
            [(p.x * width, p.y * height, p.visibility) for p in seen.landmarks.landmark]
        )
        return Sight(points[:LANDMARKS], np.array(seen.mask, dtype=np.float32))

    def look_mirrored(self, picture: NDArray[np.uint8], region: Region) -> Sight | None:
        """As `look`, at the mirror image: another opinion on the same picture."""
        width = picture.shape[1]
        flipped = np.ascontiguousarray(picture[:, ::-1])
        sight = self.look(flipped, replace(region, x=width - region.x, angle=-region.angle))
        if sight is None:
            return None
        points = sight.points[_OTHER_SIDE] * (-1, 1, 1) + (width, 0, 0)
        return Sight(points, np.ascontiguousarray(sight.mask[:, ::-1]))


@contextmanager
def native_stderr_logged(log: logging.Logger) -> Iterator[None]:
    """Sends what native code writes to standard error to `log` (Python's own goes there too)."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            sink.seek(0)
            for line in sink.read().decode(errors="replace").splitlines():
                log.info("%s", line)


def _config(text: str) -> object:
    return text_format.Parse(text, calculator_pb2.CalculatorGraphConfig())
