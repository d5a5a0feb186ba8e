"""OpenGL's library, without which OpenCV does not load, though nothing here opens a window."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from tapeless.doctor.findings import Finding, failed, ok, unknown
from tapeless.doctor.situation import Situation

LIBRARY = "libGL.so.1"

_NAME = "OpenGL"
_INSTALL = "sudo apt-get install libgl1"
_LOAD_OPENCV = ("select_keypoints", "segment_person", "blur_faces", "check_video", "draw_video")


def check_opengl(situation: Situation) -> Iterator[Finding]:
    """Whether the library loads; no card, screen or driver is needed for that."""
    by_mediapipe = situation.config["pose"]["backend"] == "mediapipe"  # which loads OpenCV, too
    if not situation.runs(*_LOAD_OPENCV, *(["estimate_pose"] if by_mediapipe else [])):
        return
    if situation.veil:
        yield unknown(_NAME, f"not tried: {situation.veil}")
        return
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        yield failed(_NAME, f"OpenCV cannot be loaded: {error}", _INSTALL)
    else:
        yield ok(_NAME, LIBRARY)
