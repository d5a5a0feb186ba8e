"""Sampling a video: which pictures, how they look, and what is no video."""

from __future__ import annotations

import errno
import logging
import os
import resource
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from video_files import (
    ffmpeg,
    number_in,
    numbered,
    numbered_picture,
    read,
    set_display_matrix,
    turn_of,
    write_clip,
)

from tapeless.outcomes import Rejected
from tapeless.video import (
    Frame,
    MediaToolError,
    Sampling,
    laplacian_variance,
    probe,
    sample_frames,
    write_table,
)
from tapeless.video.tools import run_tool

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
SHARED_VIDEOS = Path(__file__).parents[2] / "../shared/videos"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of 10 frames a second."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", numbered(120), *H264)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    return folder


def numbers(frames: Path, sampled: list[Frame]) -> list[int]:
    """The numbers that the written pictures say."""
    assert sorted(p.name for p in frames.glob("*.png")) == [f"{f.frame}.png" for f in sampled]
    return [number_in(frames / f"{f.frame}.png") for f in sampled]


def middles(count: int, parts: int) -> list[int]:
    """Which of `count` frames are on the screen in the middle of each of so many equal parts."""
    return [int((part + 0.5) * count / parts) for part in range(parts)]


def rejection(path: Path, frames: Path, sampling: Sampling | None = None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        sample_frames(path, frames, sampling)
    assert list(frames.iterdir()) == []
    assert caught.value.reason.endswith((".", ")."))
    return caught.value


class TestWhichPictures:
    def test_they_are_spread_evenly_over_the_whole_video(self, clip: Path, frames: Path):
        sampled = sample_frames(clip, frames)
        assert numbers(frames, sampled) == middles(120, 24)
        assert [f.source_frame for f in sampled] == middles(120, 24)
        assert [f.time_s for f in sampled] == pytest.approx([n / 10 for n in middles(120, 24)])
        assert sampled[0].frame == "frame_000001"

    @pytest.mark.parametrize("count", [1, 63, 119, 120])
    def test_as_many_as_asked_for(self, clip: Path, frames: Path, count: int):
        sampled = sample_frames(clip, frames, Sampling(frames=count))
        assert numbers(frames, sampled) == middles(120, count)

    def test_only_from_the_chosen_span(self, clip: Path, frames: Path):
        sampled = sample_frames(clip, frames, Sampling(frames=4, start_s=3, end_s=7))
        assert numbers(frames, sampled) == [35, 45, 55, 65]
        assert [f.source_frame for f in sampled] == [35, 45, 55, 65]

    def test_a_span_may_reach_past_the_end(self, clip: Path, frames: Path):
        sampled = sample_frames(clip, frames, Sampling(frames=2, start_s=10, end_s=99))
        assert numbers(frames, sampled) == [105, 115]

    def test_so_many_a_second(self, clip: Path, frames: Path):
        sampled = sample_frames(clip, frames, Sampling(fps=0.5))
        assert numbers(frames, sampled) == middles(120, 6)

    def test_so_many_a_second_but_no_more_than_later_stages_can_bear(
        self, tmp_path: Path, frames: Path, caplog: pytest.LogCaptureFixture
    ):
        """1,100 frames at 100 a second: 11 s."""
        fast = write_clip(tmp_path / "fast.mp4", numbered(1100, 32, 16), *H264, rate=100)
        sampled = sample_frames(fast, frames, Sampling(fps=100, longest_side_px=128))
        assert len(sampled) == 1000
        assert np.diff([f.time_s for f in sampled]) == pytest.approx(0.011, abs=0.0101)
        assert sampled[-1].time_s > 10.97
        assert "100 frames a second would be 1100 pictures" in caplog.text

    def test_a_short_clip_gives_each_frame_once(self, tmp_path: Path, frames: Path):
        short = write_clip(tmp_path / "short.mp4", numbered(7), *H264)
        assert numbers(frames, sample_frames(short, frames)) == list(range(7))

    def test_one_frame_is_one_frame(self, tmp_path: Path, frames: Path):
        still = write_clip(tmp_path / "still.mp4", numbered(1), *H264)
        assert numbers(frames, sample_frames(still, frames)) == [0]

    def test_frames_that_appear_irregularly_are_taken_by_time(self, tmp_path: Path, frames: Path):
        """10 frames a second for 3 s, then 2 a second for 15 s."""
        uneven = write_clip(
            tmp_path / "uneven.mkv", numbered(60), *H264, "-fps_mode", "passthrough",
            "-vf", "setpts='round(if(lt(N,30),N/10,3+(N-30)/2)/TB)'",
        )  # fmt: skip
        sampled = sample_frames(uneven, frames, Sampling(frames=6))
        found = numbers(frames, sampled)
        times = [n / 10 if n < 30 else 3 + (n - 30) / 2 for n in found]
        assert [f.time_s for f in sampled] == pytest.approx(times, abs=2e-3)
        assert [f.source_frame for f in sampled] == found
        assert times == pytest.approx([1.5, 4.5, 7.5, 10.5, 13.5, 16.5], abs=0.5)

    def test_each_of_a_few_irregular_frames_is_taken(self, tmp_path: Path, frames: Path):
        uneven = write_clip(
            tmp_path / "few.mkv", numbered(9), *H264, "-fps_mode", "passthrough",
            "-vf", "setpts='round((N+if(gt(N,4),30,0))/10/TB)'",
        )  # fmt: skip
        assert numbers(frames, sample_frames(uneven, frames)) == list(range(9))

    @pytest.mark.parametrize("ending", ["mkv", "ts"])
    def test_time_stamps_need_not_start_at_0(self, tmp_path: Path, frames: Path, ending: str):
        late = write_clip(
            tmp_path / f"late.{ending}", numbered(120), *H264, "-output_ts_offset", "1000"
        )
        sampled = sample_frames(late, frames)
        assert numbers(frames, sampled) == middles(120, 24)
        assert [f.time_s for f in sampled] == pytest.approx([n / 10 for n in middles(120, 24)])

    def test_the_length_need_not_be_known(self, tmp_path: Path, frames: Path):
        live = write_clip(
            tmp_path / "live.webm", numbered(120), "-c:v", "libvpx", "-deadline", "realtime",
            "-live", "1",
        )  # fmt: skip
        assert probe(live).end_s is None
        assert numbers(frames, sample_frames(live, frames)) == middles(120, 24)

    def test_sound_that_goes_on_longer_does_not_count(self, clip: Path, tmp_path: Path, frames):
        longer = tmp_path / "longer.mp4"
        sound = ("-f", "lavfi", "-i", "sine=d=30")
        ffmpeg("-i", clip, *sound, "-c:v", "copy", "-c:a", "aac", longer)
        assert numbers(frames, sample_frames(longer, frames)) == middles(120, 24)

    def test_cover_art_is_not_the_video(self, clip: Path, tmp_path: Path, frames: Path):
        Image.fromarray(numbered_picture(999, 640, 480)).save(tmp_path / "cover.png")
        film = tmp_path / "film.mp4"
        ffmpeg(
            "-i", tmp_path / "cover.png", "-i", clip, "-map", "0", "-map", "1", "-c", "copy",
            "-disposition:v:0", "attached_pic", film,
        )  # fmt: skip
        assert numbers(frames, sample_frames(film, frames)) == middles(120, 24)

    def test_a_file_cut_short_gives_what_it_has(self, tmp_path: Path, frames: Path):
        """Its index lies in front, and promises frames that are missing."""
        whole = write_clip(tmp_path / "w.mp4", numbered(120), *H264, "-movflags", "+faststart")
        whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        found = numbers(frames, sample_frames(whole, frames))
        assert 20 <= len(found) <= 24
        assert found == sorted(found) and 40 < found[-1] < 80

    def test_nothing_is_left_of_an_earlier_run(self, clip: Path, frames: Path):
        sample_frames(clip, frames, Sampling(frames=9))
        sampled = sample_frames(clip, frames, Sampling(frames=3))
        assert numbers(frames, sampled) == middles(120, 3)

    @pytest.mark.parametrize(
        "fault",
        [
            {"frames": 0},
            {"frames": 1001},
            {"fps": 0.0},
            {"start_s": 4.0, "end_s": 4.0},
            {"end_s": 0.0},
            {"rotate": 45},
            {"longest_side_px": 0},
            {"hwaccel": "magic"},
        ],
    )
    def test_impossible_wishes_are_refused(self, fault: dict):
        with pytest.raises(ValueError, match=next(reversed(fault))):
            Sampling(**fault)


class TestLongVideos:
    """A clip counts as long once one pass would decode 128 frames for each picture wanted."""

    LONG = 300
    FEW = Sampling(frames=2)

    @pytest.mark.parametrize(
        ("ending", "options"),
        [
            ("mp4", H264),
            ("mkv", H264),
            ("ts", (*H264, "-g", "250")),
            ("mpg", ("-r", "10", "-c:v", "mpeg1video", "-strict", "-1", "-q:v", "4", "-bf", "2")),
            ("webm", ("-c:v", "libvpx", "-deadline", "realtime", "-live", "1")),
        ],
    )
    def test_sought_pictures_are_the_same_as_counted_ones(
        self, tmp_path: Path, frames: Path, caplog, ending: str, options: tuple[str, ...]
    ):
        caplog.set_level(logging.INFO)
        long = write_clip(tmp_path / f"long.{ending}", numbered(self.LONG), *options)
        sampled = sample_frames(long, frames, self.FEW)
        assert "seeking each picture" in caplog.text
        assert numbers(frames, sampled) == [f.source_frame for f in sampled]
        assert [f.time_s for f in sampled] == pytest.approx([7.5, 22.5], abs=1)

    def test_pictures_have_one_size_also_where_that_of_the_video_changes(
        self, tmp_path: Path, frames: Path
    ):
        """As later stages take it for granted."""
        for name, size in (("a", (320, 192)), ("b", (160, 96))):
            write_clip(tmp_path / f"{name}.ts", numbered(self.LONG, *size), *H264, "-g", "10")
        (tmp_path / "list").write_text("file a.ts\nfile b.ts\n")
        ffmpeg("-f", "concat", "-i", tmp_path / "list", "-c", "copy", tmp_path / "both.ts")
        sampled = sample_frames(tmp_path / "both.ts", frames, Sampling(frames=4))
        assert [(f.width, f.height) for f in sampled] == [(320, 192)] * 4
        assert {read(frames / f"{f.frame}.png").shape for f in sampled} == {(192, 320, 3)}
        assert [n // self.LONG for n in (f.source_frame for f in sampled)] == [0, 0, 1, 1]
        assert [n % 10 for n in numbers(frames, sampled)] == [f.source_frame % 10 for f in sampled]

    def test_a_short_span_of_it_is_sought_too(self, tmp_path: Path, frames: Path):
        long = write_clip(tmp_path / "long.mp4", numbered(self.LONG), *H264)
        wanted = Sampling(frames=2, start_s=29.4, end_s=29.8)
        assert numbers(frames, sample_frames(long, frames, wanted)) == [295, 297]

    def test_a_picture_that_stays_is_taken_once(self, tmp_path: Path, frames: Path):
        """Frame 200 stays on the screen for 100 of 130 s."""
        held = write_clip(
            tmp_path / "held.mkv", numbered(self.LONG), *H264, "-fps_mode", "passthrough",
            "-vf", "setpts='round((N/10+if(gt(N,200),100,0))/TB)'",
        )  # fmt: skip
        found = numbers(frames, sample_frames(held, frames, self.FEW))
        assert found == [201]

    def test_an_hour_takes_a_few_seconds(self, tmp_path: Path, frames: Path):
        minute = write_clip(tmp_path / "m.mp4", numbered(600, 64, 32), *H264, "-g", "100")
        hour = tmp_path / "hour.mp4"
        ffmpeg("-stream_loop", "59", "-i", minute, "-c", "copy", hour)
        before = os.times()
        sampled = sample_frames(hour, frames, Sampling(frames=8))
        after = os.times()
        assert [f.time_s for f in sampled] == pytest.approx(np.arange(225, 3600, 450), abs=0.2)
        assert after.children_user - before.children_user < 3


class TestHowTheyLook:
    @pytest.mark.parametrize(
        ("asked", "more"), [(0, 0), (90, 0), (180, 0), (270, 0), (0, 90), (0, 180), (90, 270)]
    )
    def test_upright_by_the_display_matrix(self, tmp_path: Path, frames: Path, asked, more):
        phone = write_clip(tmp_path / "phone.mp4", numbered(3), *H264)
        set_display_matrix(phone, asked)
        sampled = sample_frames(phone, frames, Sampling(rotate=more))
        turn = (asked + more) % 360
        assert turn_of(frames / "frame_000001.png") == turn
        size = (sampled[0].width, sampled[0].height)
        assert size == ((96, 160) if turn in (90, 270) else (160, 96))
        assert read(frames / "frame_000001.png").shape[1::-1] == size

    @pytest.mark.parametrize("asked", [90, 180, 270])
    def test_upright_by_the_old_tag(self, tmp_path: Path, frames: Path, asked: int):
        tag = ("-metadata:s:v", f"ROTATE={asked}")
        old = write_clip(tmp_path / "old.mkv", numbered(3), *H264, *tag)
        sample_frames(old, frames)
        assert turn_of(frames / "frame_000001.png") == asked

    @pytest.mark.parametrize(
        ("aspect", "size"), [("2/1", (160, 48)), ("1/2", (80, 96)), ("1/1", (160, 96))]
    )
    def test_pixels_are_square_and_never_stretched(self, tmp_path, frames, aspect, size):
        wide = write_clip(tmp_path / "wide.mp4", numbered(3), *H264, "-vf", f"setsar={aspect}")
        first = sample_frames(wide, frames)[0]
        assert (first.width, first.height) == size

    @pytest.mark.parametrize(
        ("longest", "size"), [(600, (160, 96)), (160, (160, 96)), (80, (80, 48)), (50, (50, 30))]
    )
    def test_the_longest_side_is_limited(self, clip: Path, frames: Path, longest: int, size):
        first = sample_frames(clip, frames, Sampling(frames=1, longest_side_px=longest))[0]
        assert (first.width, first.height) == size
        assert read(frames / "frame_000001.png").shape == (size[1], size[0], 3)

    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("h264.mp4", H264),
            ("h264.m4v", H264),
            ("h264-10bit.mkv", ("-c:v", "libx264", "-pix_fmt", "yuv420p10le")),
            ("hevc.mov", ("-c:v", "libx265", "-x265-params", "log-level=none", "-tag:v", "hvc1")),
            ("hevc-10bit.mp4", ("-c:v", "libx265", "-x265-params", "log-level=none",
                                "-pix_fmt", "yuv420p10le")),
            ("vp8.webm", ("-c:v", "libvpx", "-deadline", "realtime")),
            ("vp9.webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")),
            ("av1.mp4", ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime")),
            ("mjpeg.avi", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")),
            ("mpeg4.avi", ("-c:v", "mpeg4", "-q:v", "3")),
            ("prores.mov", ("-c:v", "prores_ks",)),
            ("prores4444.mov", ("-c:v", "prores_ks", "-pix_fmt", "yuva444p10le")),
            ("mpeg2.mpg", ("-r", "10", "-c:v", "mpeg2video", "-strict", "-1", "-q:v", "3")),
            ("wmv2.wmv", ("-c:v", "wmv2", "-q:v", "3")),
            ("ffv1.mkv", ("-c:v", "ffv1")),
        ],
    )  # fmt: skip
    def test_every_common_kind_of_video(self, tmp_path: Path, frames: Path, name, options):
        video = write_clip(tmp_path / name, numbered(12), "-pix_fmt", "yuv420p", *options)
        sampled = sample_frames(video, frames, Sampling(frames=4))
        assert numbers(frames, sampled) == pytest.approx(middles(12, 4), abs=1)
        assert numbers(frames, sampled) == [f.source_frame for f in sampled]
        red, blue = read(frames / "frame_000003.png")[80, [20, 140]].astype(int)
        assert red == pytest.approx([220, 0, 0], abs=30)
        assert blue == pytest.approx([0, 0, 220], abs=30)

    def test_high_dynamic_range_gives_sane_pictures(self, tmp_path: Path, frames: Path):
        grey = (np.full((96, 160, 3), level, np.uint8) for level in (0, 64, 128, 192, 255))
        film = write_clip(
            tmp_path / "hdr.mp4", grey, "-c:v", "libx265", "-pix_fmt", "yuv420p10le",
            "-x265-params", "log-level=none:colorprim=bt2020:transfer=smpte2084:"
            "colormatrix=bt2020nc", "-vf", "scale=out_color_matrix=bt2020",
        )  # fmt: skip
        means = [read(frames / f"{f.frame}.png").mean() for f in sample_frames(film, frames)]
        assert means == pytest.approx([0, 64, 128, 192, 255], abs=4)

    def test_a_change_of_size_within_the_video(self, tmp_path: Path, frames: Path):
        """As browsers record a call: the network gets worse, and so does the picture."""
        for name, size in (("a", (320, 192)), ("b", (160, 96))):
            write_clip(tmp_path / f"{name}.ts", numbered(60, *size), *H264)
        both = tmp_path / "both.ts"
        both.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
        sampled = sample_frames(both, frames, Sampling(frames=10))
        assert {(f.width, f.height) for f in sampled} == {(320, 192)}
        assert len(numbers(frames, sampled)) <= 10

    def test_real_recordings_come_out_upright_and_evenly_spaced(self, frames: Path):
        if not SHARED_VIDEOS.is_dir():
            pytest.skip("the real recordings are not here")
        sampled = sample_frames(SHARED_VIDEOS / "walk_front.mp4", frames)
        assert {(f.width, f.height) for f in sampled} == {(338, 600)}
        assert np.diff([f.time_s for f in sampled]) == pytest.approx(100 / 60 / 24, abs=1 / 60)


class TestSharpness:
    def test_of_a_checkerboard_in_closed_form(self):
        """Each pixel differs from its four neighbours by 100: the Laplacian is +400 or -400."""
        board = (np.indices((20, 30)).sum(axis=0) % 2 * 100).astype(np.uint8)
        assert laplacian_variance(np.repeat(board[..., None], 3, axis=2)) == pytest.approx(400**2)

    def test_an_even_slope_has_none(self):
        slope = np.broadcast_to(np.arange(50, dtype=np.uint8)[None, :, None], (40, 50, 3))
        assert laplacian_variance(slope) == pytest.approx(0, abs=1e-6)

    def test_a_blurred_frame_has_less(self, tmp_path: Path, frames: Path):
        blur = "gblur=sigma=6:enable='eq(n,2)'"
        video = write_clip(tmp_path / "blur.mp4", numbered(5), *H264, "-vf", blur)
        values = [f.sharpness for f in sample_frames(video, frames)]
        assert np.argmin(values) == 2
        assert values[2] < 0.5 * min(values[:2] + values[3:])

    def test_a_picture_of_one_pixel(self):
        assert laplacian_variance(np.zeros((1, 1, 3), np.uint8)) == 0


class TestNamesAreData:
    NAMES = (
        "with space.mp4",
        'it\'s "quoted".mp4',
        "$(touch pwned) `touch pwned`;touch pwned|cat&.mp4",
        "new\nline.mp4",
        "é ü 中 😀.mp4",
        "-i.mp4",
        "100%06d %s.mp4",
        "pipe:0",
        "concat:a|b.mp4",
        "[0:v]=\\,'.mp4",
        ": Cannot allocate memory",
        "no ending",
    )

    @pytest.mark.parametrize("name", [*NAMES, os.fsdecode(b"latin-\xe9.mp4")])
    def test_whatever_a_file_and_its_folder_are_called(
        self, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ):
        monkeypatch.chdir(tmp_path)
        Path("videos").mkdir()
        Path(name).symlink_to(clip)
        frames = Path("videos") / name
        frames.mkdir()
        sampled = sample_frames(Path(name), frames, Sampling(frames=3))
        assert numbers(frames, sampled) == middles(120, 3)
        assert {p.name for p in tmp_path.iterdir()} == {"videos", name}

    def test_a_bad_file_with_a_name_like_a_fault_of_the_machine(self, tmp_path: Path, frames):
        bad = tmp_path / ": Cannot allocate memory"
        bad.write_text("no video")
        assert rejection(bad, frames).code == "not_a_video"


class TestWhatIsNoVideo:
    def test_zero_bytes(self, tmp_path: Path, frames: Path):
        empty = tmp_path / "empty.mp4"
        empty.touch()
        verdict = rejection(empty, frames)
        assert verdict.code == "not_a_video"
        assert "empty" in verdict.reason

    @pytest.mark.parametrize("content", [b"Dear diary,\n" * 50, bytes(99_999), b"\x00", b"ftyp"])
    def test_something_else_named_mp4(self, tmp_path: Path, frames: Path, content: bytes):
        other = tmp_path / "other.mp4"
        other.write_bytes(content)
        assert rejection(other, frames).code == "not_a_video"

    def test_a_half_copied_file(self, clip: Path, tmp_path: Path, frames: Path):
        half = tmp_path / "half.mp4"
        half.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
        verdict = rejection(half, frames)
        assert verdict.code == "not_a_video"
        assert "copy it again" in verdict.reason

    def test_a_matroska_file_cut_within_its_header(self, tmp_path: Path, frames: Path):
        """ffprobe calls it an input/output error, as it does when the disk fails."""
        cut = write_clip(tmp_path / "cut.mkv", numbered(10), *H264)
        cut.write_bytes(cut.read_bytes()[:500])
        assert rejection(cut, frames).code == "not_a_video"

    @pytest.mark.parametrize("name", ["sound.mp4", "sound.mkv", "sound.wav", "cover.m4a"])
    def test_only_sound(self, tmp_path: Path, frames: Path, name: str):
        sound = tmp_path / name
        source = ["-f", "lavfi", "-i", "sine=d=1"]
        if name.startswith("cover"):
            Image.fromarray(numbered_picture(1)).save(tmp_path / "art.png")
            source += ["-i", str(tmp_path / "art.png"), "-map", "0", "-map", "1", "-c:v", "copy"]
            source += ["-disposition:v", "attached_pic"]
        ffmpeg(*source, sound)
        verdict = rejection(sound, frames)
        assert verdict.code == "not_a_video"
        assert "sound" in verdict.reason

    def test_a_picture(self, tmp_path: Path, frames: Path):
        Image.fromarray(numbered_picture(1)).save(tmp_path / "picture.png")
        assert rejection(tmp_path / "picture.png", frames).code == "not_a_video"

    def test_a_folder(self, tmp_path: Path, frames: Path):
        assert rejection(tmp_path, frames).code == "not_a_video"

    def test_a_pipe_does_not_keep_it_waiting(self, tmp_path: Path, frames: Path):
        os.mkfifo(tmp_path / "pipe.mp4")
        assert rejection(tmp_path / "pipe.mp4", frames).code == "not_a_video"

    def test_a_device(self, frames: Path):
        assert rejection(Path("/dev/zero"), frames).code == "not_a_video"

    def test_pictures_too_large_for_the_memory(self, tmp_path: Path, frames: Path):
        huge = tmp_path / "huge.avi"
        ffmpeg("-f", "lavfi", "-i", "color=s=8000x6000:d=0.2:r=10", "-c:v", "mjpeg", huge)
        verdict = rejection(huge, frames)
        assert verdict.code == "not_a_video"
        assert "megapixels" in verdict.reason

    def test_no_picture_in_the_chosen_span(self, clip: Path, frames: Path):
        verdict = rejection(clip, frames, Sampling(start_s=12.5))
        assert verdict.code == "no_frames"
        assert "12.00 s" in verdict.reason and "start_s" in verdict.reason

    def test_no_picture_that_can_be_decoded(self, tmp_path: Path, frames: Path):
        """The index is whole, every picture is noise."""
        broken = write_clip(tmp_path / "b.mp4", numbered(50), *H264, "-movflags", "+faststart")
        data = bytearray(broken.read_bytes())
        start = data.index(b"mdat") + 4
        data[start:] = np.random.default_rng(1).bytes(len(data) - start)
        broken.write_bytes(data)
        assert rejection(broken, frames).code == "no_frames"

    @pytest.mark.parametrize("target", ["gone.mp4", "clip.mp4", "file/clip.mp4"])
    def test_a_link_that_leads_nowhere(self, tmp_path: Path, frames: Path, target: str):
        """To a file that is gone, to itself, or into what is no folder."""
        (tmp_path / "file").touch()
        (tmp_path / "clip.mp4").symlink_to(target)
        verdict = rejection(tmp_path / "clip.mp4", frames)
        assert verdict.code == "unreadable"
        assert "link" in verdict.reason

    @pytest.mark.parametrize("closed", ["", "clip.mp4"])
    def test_forbidden_by_its_permissions(self, clip: Path, closed: str):
        with tempfile.TemporaryDirectory() as name:
            (frames := Path(name) / "frames").mkdir()
            (videos := Path(name) / "videos").mkdir()
            shutil.copy(clip, videos / "clip.mp4")
            (videos / closed).chmod(0)
            Path(name).chmod(0o755)
            with no_privileges():
                assert rejection(videos / "clip.mp4", frames).code == "unreadable"


@contextmanager
def no_privileges() -> Iterator[None]:
    """Has permissions hold for root too."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


SCRIPTS = {
    "concat": "ffconcat version 1.0\nfile {target}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT10S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "subtitle": "1\n00:00:00,000 --> 00:00:09,000\n{target}\n",
    "asx": '<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
}


class TestNothingElseIsOpened:
    """A script that names other files or hosts opens none of them."""

    @pytest.mark.parametrize("kind", SCRIPTS)
    def test_a_script_in_disguise(self, clip: Path, tmp_path: Path, frames: Path, kind: str):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            url = f"http://127.0.0.1:{server.getsockname()[1]}/clip.mp4"
            for name, target in (("a.mp4", clip), ("b.m3u8", f"file:{clip}"), ("c.avi", url)):
                script = tmp_path / name
                script.write_text(SCRIPTS[kind].format(target=target))
                assert rejection(script, frames).code == "not_a_video"
            with pytest.raises(BlockingIOError):
                server.accept()

    def test_the_reason_says_so(self, clip: Path, tmp_path: Path, frames: Path):
        script = tmp_path / "list.mp4"
        script.write_text(SCRIPTS["concat"].format(target=clip))
        assert "playlist" in rejection(script, frames).reason


class TestFaultsOfTheMachine:
    """They are no verdict about the video, so that it is tried again."""

    @pytest.fixture
    def broken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Puts a shell script in the place of ffmpeg or ffprobe."""

        def replace(tool: str, script: str) -> None:
            stand_in = tmp_path / "bin" / tool
            stand_in.parent.mkdir(exist_ok=True)
            stand_in.write_text(f"#!/bin/sh\n{script}\n")
            stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
            monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")

        return replace

    def test_ffmpeg_is_not_installed(self, clip, frames, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MediaToolError, match="install ffmpeg"):
            sample_frames(clip, frames)

    @pytest.mark.parametrize("tool", ["ffprobe", "ffmpeg"])
    @pytest.mark.parametrize(
        ("script", "message"),
        [
            ("kill -9 $$", "SIGKILL.*memory"),
            ('echo "Stream mapping:" >&2; echo "x: No space left on device" >&2; exit 1', "space"),
            ("echo 'libx264.so.1: cannot open shared object file' >&2; exit 127", "libx264"),
            ("echo \"Unrecognized option 'fps_mode'.\" >&2; exit 1", "fps_mode"),
        ],
    )
    def test_ffmpeg_fails(self, clip, frames, broken, tool: str, script: str, message: str):
        broken(tool, script)
        with pytest.raises(MediaToolError, match=message):
            sample_frames(clip, frames)

    def test_what_a_file_makes_ffmpeg_say_is_no_code_for_a_terminal(self, clip, frames, broken):
        broken("ffmpeg", r"printf 'title: \033]0;owned\007 \302\233 caf\303\251\n' >&2; exit 1")
        with pytest.raises(MediaToolError) as caught:
            sample_frames(clip, frames)
        assert r"title: \x1b]0;owned\x07 \x9b café" in str(caught.value)

    @pytest.mark.parametrize("tool", ["ffprobe", "ffmpeg"])
    def test_ffmpeg_runs_out_of_memory(self, clip, frames, broken, tool: str):
        broken(tool, 'echo "Stream mapping:" >&2; echo "x: Cannot allocate memory" >&2; exit 1')
        with memory_limit(), pytest.raises(MediaToolError, match="memory"):
            sample_frames(clip, frames)

    def test_a_damaged_file_that_asks_for_all_memory_gives_what_it_has(self, tmp_path, frames):
        """The table of sample sizes (ISO/IEC 14496-12, 8.7.3) has one of 600 MB."""
        damaged = write_clip(tmp_path / "d.mp4", numbered(30), *H264, "-movflags", "+faststart")
        data = bytearray(damaged.read_bytes())
        sizes = data.index(b"stsz") + 16
        data[sizes + 4 * 20 : sizes + 4 * 21] = bytes([38, 0, 0, 0])
        damaged.write_bytes(data)
        assert 0 < len(sample_frames(damaged, frames)) < 24

    def test_ffprobe_cannot_open_a_file_that_we_can(self, clip, frames, broken):
        """As a confined ffprobe of a snap: -13 is "permission denied"."""
        broken("ffprobe", """echo '{"error": {"code": -13, "string": "x"}}'; exit 1""")
        with pytest.raises(MediaToolError, match="Permission denied"):
            sample_frames(clip, frames)

    def test_a_missing_file(self, tmp_path: Path, frames: Path):
        with pytest.raises(FileNotFoundError):
            sample_frames(tmp_path / "gone.mp4", frames)

    def test_a_full_disk(self, clip: Path, frames: Path, monkeypatch: pytest.MonkeyPatch):
        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(Image.Image, "save", fail)
        with pytest.raises(OSError, match="No space left"):
            sample_frames(clip, frames)

    def test_there_is_no_cuda_device(self, clip, frames, broken, tmp_path, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # which is a lie
        monkeypatch.setenv("TAPELESS_GPU_SLOTS", str(tmp_path / "slots"))
        broken(
            "ffmpeg", 'echo "Device creation failed: -1." >&2; echo "Stream mapping:" >&2; false'
        )
        with pytest.raises(MediaToolError, match="hwaccel"):
            sample_frames(clip, frames, Sampling(hwaccel="cuda"))

    def test_a_decoder_on_the_card_that_cannot_is_replaced(self, clip, frames, broken):
        real = subprocess.run(["which", "ffmpeg"], capture_output=True, text=True, check=True)
        broken(
            "ffmpeg",
            f'case "$*" in *hwaccel*) echo "Stream mapping:" >&2; exit 1;; esac\n'
            f'exec {real.stdout.strip()} "$@"',
        )
        sampled = sample_frames(clip, frames, Sampling(hwaccel="auto"))
        assert numbers(frames, sampled) == middles(120, 24)

    def test_hardware_decoding_gives_the_same_pictures(self, clip: Path, frames: Path):
        sampled = sample_frames(clip, frames, Sampling(hwaccel="auto"))
        assert numbers(frames, sampled) == middles(120, 24)

    def test_a_tool_that_hangs_is_stopped_with_its_children(self):
        sleep = f"sleep 77.{os.getpid()}1"
        started = time.monotonic()
        with (
            run_tool(["sh", "-c", f"{sleep} & wait"], 0.5) as run,
            pytest.raises(MediaToolError, match="stopped after"),
        ):
            wait_until(lambda: is_running(sleep))
            run.finish()
        assert time.monotonic() - started < 10
        wait_until(lambda: not is_running(sleep))

    def test_nothing_is_left_running_after_an_error(self):
        sleep = f"sleep 77.{os.getpid()}2"
        command = ["sh", "-c", f"{sleep} & echo ready; wait"]
        with pytest.raises(KeyError), run_tool(command, 60) as run:
            assert run.stdout.readline() == b"ready\n"
            wait_until(lambda: is_running(sleep))
            raise KeyError
        wait_until(lambda: not is_running(sleep))


@contextmanager
def memory_limit() -> Iterator[None]:
    """Leaves this process, and each that it starts, half a GiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + (1 << 29)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def is_running(command: str) -> bool:
    """Whether a process of just this command line runs, within a namespace too."""
    words = command.split()
    return any(process.info["cmdline"] == words for process in psutil.process_iter(["cmdline"]))


def wait_until(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 5
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_the_table_has_a_row_for_each_frame(tmp_path: Path):
    write_table(tmp_path / "frames.csv", [Frame("frame_000001", 0.1234567, 3, 600, 338, 12.34567)])
    assert (tmp_path / "frames.csv").read_text() == (
        "frame,time_s,source_frame,width,height,sharpness\nframe_000001,0.123457,3,600,338,12.346\n"
    )
