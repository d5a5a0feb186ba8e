"""What is known of the camera of a video: what its file says, and what was measured."""

from __future__ import annotations

import json
import math
import shutil
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from video_files import ffmpeg, numbered, set_display_matrix, set_track_metadata, write_clip

from estimate_shape_anny import with_camera
from sample_frames import main
from tapeless.camera import Camera, SheetError
from tapeless.shape.anny import Settings
from tapeless.video import Sampling, probe
from tapeless.video.quicktime import read_track_metadata

APPLE = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
BLACKMAGIC = "com.blackmagic-design.camera.lensType"
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
WIDE, NARROW = 160, 96
ALONG_LONG_SIDE = 2 * math.degrees(math.atan(16.5 / 26))
"""What a lens of 26 mm is taken to show along the longer side, in degrees."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "clip.mov"
    return write_clip(path, numbered(3, WIDE, NARROW), *H264)


@pytest.fixture
def clip(original: Path, tmp_path: Path) -> Path:
    """A clip of 160 x 96 that says nothing of its lens."""
    return Path(shutil.copy(original, tmp_path))


def tagged(clip: Path, name: str, text: str) -> Path:
    """The clip with a tag of the whole file, as ffmpeg writes it."""
    path = clip.with_name("tagged.mov")
    flags = ("-c", "copy", "-movflags", "use_metadata_tags")
    ffmpeg("-i", clip, *flags, "-metadata", f"{name}={text}", path)
    return path


def sampled(clip: Path, sampling: Sampling | None = None) -> Camera:
    """What the stage `sample_frames` writes of the camera."""
    folder = clip.parent
    camera = folder / "camera.json"
    main(clip, folder / "frames", folder / "frames.csv", camera, sampling=sampling or Sampling())
    return Camera.read(camera)


class TestLens:
    def test_a_file_that_names_none_says_nothing(self, clip: Path):
        assert probe(clip).focal_length_mm is None
        assert sampled(clip) == Camera(None, NARROW, NARROW)

    @pytest.mark.parametrize(
        ("name", "text", "length_mm"),
        [
            (APPLE, "26", 26),
            (APPLE, "50.00mm", 50),
            (BLACKMAGIC, "iPhone 16 Pro 24mm", 24),
            (BLACKMAGIC, "iPhone 16 Pro 77 mm", 77),
            (BLACKMAGIC, "iPhone 13", None),
            (APPLE, "4", None),
            (APPLE, "1e9", None),
            (APPLE, "nonsense", None),
            ("com.apple.quicktime.camera.lens_model", "iPhone 13 back camera 5.1mm f/1.6", None),
        ],
    )
    def test_a_tag_of_the_file_names_it(self, clip: Path, name, text, length_mm):
        assert probe(tagged(clip, name, text)).focal_length_mm == length_mm

    @pytest.mark.parametrize("is_quicktime", [True, False])
    @pytest.mark.parametrize("value", [26, "26.00mm"])
    def test_that_of_a_track_too_which_is_where_phones_write_it(
        self, clip: Path, value: str | int, is_quicktime: bool
    ):
        model = {"com.apple.quicktime.camera.lens_model": "iPhone 13 back camera 5.1mm f/1.6"}
        set_track_metadata(clip, model | {APPLE: value}, is_quicktime=is_quicktime)
        assert probe(clip).focal_length_mm == 26
        assert sampled(clip).frame_height_px == NARROW, "it can still be decoded"

    def test_a_file_that_is_damaged_there_is_read_as_far_as_it_goes(self, clip: Path):
        set_track_metadata(clip, {"x": "y", APPLE: 26})
        data = clip.read_bytes()
        places = range(data.index(b"trak") - 4, data.index(APPLE.encode()) + 100, 3)
        generator = np.random.default_rng(1)
        lost = 0
        for place in places:
            broken = bytearray(data)
            broken[place] = generator.integers(256)
            clip.write_bytes(broken)
            lost += APPLE not in read_track_metadata(clip)
        assert 0 < lost < len(places)

    def test_no_number_of_boxes_takes_long(self, tmp_path: Path):
        many = tmp_path / "many.mov"
        boxes = struct.pack(">I4s", 8, b"trak") * (1 << 20)
        many.write_bytes(struct.pack(">I4s", 8 + len(boxes), b"moov") + boxes)
        started_s = time.process_time()
        assert read_track_metadata(many) == {}
        assert time.process_time() - started_s < 0.5


class TestFieldOfView:
    @pytest.mark.parametrize(
        ("turn", "rotate", "is_upright_tall"),
        [(0, 0, False), (90, 0, True), (180, 0, False), (270, 90, False), (0, 90, True)],
    )
    def test_it_is_that_of_the_height_of_the_upright_frame(
        self, clip: Path, turn: int, rotate: int, is_upright_tall: bool
    ):
        lens = tagged(clip, APPLE, "26")
        set_display_matrix(lens, turn)
        camera = sampled(lens, Sampling(rotate=rotate))
        half = math.tan(math.radians(ALONG_LONG_SIDE) / 2) * (
            1 if is_upright_tall else NARROW / WIDE
        )
        assert camera.vertical_fov_degrees == pytest.approx(2 * math.degrees(math.atan(half)))
        assert camera.video_height_px == (WIDE if is_upright_tall else NARROW)

    def test_an_old_tag_turns_it_too(self, clip: Path):
        turned = clip.with_name("turned.mkv")
        ffmpeg("-i", clip, "-c", "copy", "-metadata:s:v", "ROTATE=90", turned)
        assert sampled(turned).video_height_px == WIDE

    def test_of_a_rejected_video_nothing_is_known(self, tmp_path: Path):
        (tmp_path / "bad.mov").write_text("no video")
        assert sampled(tmp_path / "bad.mov") == Camera()
        assert set(json.loads((tmp_path / "camera.json").read_text()).values()) == {None}


class TestObject:
    def test_its_size_in_the_frames_is_that_in_the_video_scaled_as_they_were(self, clip: Path):
        camera = sampled(clip, Sampling(longest_side_px=80))
        assert (camera.video_height_px, camera.frame_height_px) == (96, 48)
        assert camera.frame_px_per_m(200, 80) == pytest.approx(40 / 2)

    @pytest.mark.parametrize("known", [(None, None), (None, 5.0), (200.0, None)])
    def test_without_both_heights_nothing_is_known(self, known):
        assert Camera(None, 96, 48).frame_px_per_m(*known) is None

    def test_one_that_is_higher_than_the_picture_is_a_fault_of_the_sheet(self):
        with pytest.raises(SheetError, match="object_height_px 97, but the video is only 96"):
            Camera(None, 96, 48).frame_px_per_m(200, 97)


class TestWhatTheFitIsTold:
    CAMERA = Camera(50.0, 1000, 500)

    def test_a_lens_that_only_the_file_names_is_a_guess(self):
        told = with_camera(Settings(), self.CAMERA)
        assert (told.vertical_fov_degrees, told.fov_is_exact) == (50.0, False)

    def test_what_was_measured_goes_before_that(self):
        told = with_camera(Settings(vertical_fov_degrees=40.0), self.CAMERA)
        assert (told.vertical_fov_degrees, told.fov_is_exact) == (40.0, True)

    def test_where_nobody_knows_nothing_is_told(self):
        assert with_camera(Settings(), Camera(None, 1000, 500)).vertical_fov_degrees is None

    def test_an_object_says_how_many_pixels_a_metre_is(self):
        told = with_camera(Settings(distance_m=2.5), self.CAMERA, 200, 800)
        assert (told.object_px_per_m, told.distance_m) == (pytest.approx(200), 2.5)
