"""What a video's own file tells of the camera, for the frames that were sampled from it."""

from __future__ import annotations

from tapeless.camera import Camera
from tapeless.video.lens import guess_vertical_fov_degrees
from tapeless.video.probe import Clip
from tapeless.video.sample import Frame


def describe_camera(clip: Clip, frame: Frame, rotate: int = 0) -> Camera:
    """The camera of a video, of which one frame was sampled after a further turn by `rotate`."""
    is_on_its_side = clip.is_on_its_side != (rotate % 180 == 90)
    focal_length_mm = clip.focal_length_mm
    return Camera(
        vertical_fov_degrees=focal_length_mm
        and guess_vertical_fov_degrees(focal_length_mm, frame.width, frame.height),
        video_height_px=clip.width if is_on_its_side else clip.height,
        frame_height_px=frame.height,
    )
