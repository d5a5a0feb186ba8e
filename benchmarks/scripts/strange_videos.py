"""Makes videos that are whole but strange: of rare formats, sizes, rates, times and contents.

Each is made from a short clip of a person by one command of ffmpeg, or by the few bytes that ffmpeg
cannot be made to write.
"""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from damage_videos import Damaged

X264 = "-c:v libx264 -preset ultrafast"
FFV1 = "-c:v ffv1"

WHOLE = {
    "late.mp4": f"{X264} -g 8 -pix_fmt yuv420p",
    "early.mp4": f"{X264} -g 8 -pix_fmt yuv420p -movflags +faststart",
    "pieces.mp4": f"{X264} -g 4 -pix_fmt yuv420p -movflags +frag_keyframe+empty_moov",
    "phone.mov": f"{X264} -bf 2 -pix_fmt yuv420p -movflags +faststart",
    "phone.3gp": "-c:v mpeg4 -vf scale=176:-2 -b:v 400k",
    "hevc.mp4": "-c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1",
    "screen.mkv": f"{X264} -g 8 -pix_fmt yuv420p",
    "web.webm": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k",
    "old.avi": "-c:v mpeg4 -b:v 800k",
    "tv.ts": "-c:v mpeg2video -b:v 1M -r 25",
    "dvd.mpg": "-c:v mpeg2video -b:v 1M -r 25",
    "windows.wmv": "-c:v wmv2 -b:v 800k",
}
"""The sound files that are damaged, each a format that people have, with options of ffmpeg."""

CUT_OFF = ("early.mp4", "pieces.mp4", "screen.mkv", "old.avi", "tv.ts", "dvd.mpg", "windows.wmv")
"""Those that are cut off at each boundary: one of each layout."""

# Options of ffmpeg between the clip and the file.
STRANGE: Mapping[str, str] = {
    "alpha_vp9.webm": "-vf format=yuva420p -c:v libvpx-vp9 -deadline realtime -cpu-used 8",
    "alpha_prores.mov": "-vf format=yuva444p10le -c:v prores_ks -profile:v 4444",
    "alpha_png.mov": "-vf format=rgba -c:v png -frames:v 8",
    "alpha_qtrle.mov": "-vf format=argb -c:v qtrle",
    "grey.mp4": f"-vf format=gray {X264}",
    "grey_10_bit.mp4": f"-vf format=gray10le {X264}",
    "grey_16_bit.mkv": f"-vf format=gray16le {FFV1}",
    "colour_10_bit.mp4": f"-vf format=yuv420p10le {X264}",
    "colour_12_bit.mkv": f"-vf format=yuv422p12le {FFV1}",
    "colour_16_bit.mkv": f"-vf format=rgb48le {FFV1}",
    "colour_444.mp4": f"-vf format=yuv444p {X264}",
    "colour_411.mkv": f"-vf format=yuv411p {FFV1}",
    "palette.avi": "-vf format=pal8 -c:v rawvideo -frames:v 4",
    "two_colours.mov": "-vf format=monob -c:v png",
    "raw.avi": "-vf scale=90:-2,format=bgr24 -c:v rawvideo",
    "bayer_as_grey.mkv": f"-vf format=gray12le {FFV1}",
    "hdr.mp4": "-vf format=yuv420p10le -c:v libx265 -preset ultrafast -x265-params log-level=none "
    "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
    "full_range.mp4": f"-vf format=yuvj420p {X264} -color_range pc",
    "colours_unknown.mp4": f"{X264} -pix_fmt yuv420p -color_primaries 2 -colorspace ycgco",
    "motion_jpeg.avi": "-c:v mjpeg -q:v 4",
    "motion_jpeg.mov": "-c:v mjpeg -q:v 4",
    "lossless.avi": "-c:v huffyuv -pix_fmt yuv422p",
    "av1.mp4": "-c:v libaom-av1 -cpu-used 8 -usage realtime -frames:v 4",
    "vp8.webm": "-c:v libvpx -deadline realtime -cpu-used 8",
    "mpeg1.mpg": "-c:v mpeg1video -r 25",
    "jpeg2000.mov": "-c:v jpeg2000 -frames:v 4",
    "dv.avi": "-vf scale=720:576 -r 25 -c:v dvvideo -pix_fmt yuv420p",
    "tall_pixels.mp4": f"-vf setsar=1/100 {X264}",
    "wide_pixels.mp4": f"-vf setsar=100/1 {X264}",
    "interlaced.mp4": f"-vf interlace {X264} -flags +ildct+ilme",
    "upside_down.mp4": f"-vf vflip,hflip {X264}",
    "one_pixel.mkv": f"-vf scale=1:1 {FFV1}",
    "two_pixels.mp4": f"-vf scale=2:2 {X264}",
    "line_across.mkv": f"-vf scale=4000:1 {FFV1}",
    "line_down.mkv": f"-vf scale=1:4000 {FFV1}",
    "ribbon.mp4": f"-vf scale=4096:16 {X264}",
    "odd_size.mkv": f"-vf scale=359:641 {FFV1}",
    "8k.mp4": f"-vf scale=4320:7680 {X264} -frames:v 2",
    "16k.mkv": f"-vf scale=15360:8640 {X264} -frames:v 1",
    "one_picture.mp4": f"{X264} -frames:v 1",
    "two_pictures.mp4": f"{X264} -frames:v 2",
    "1_fps.mp4": f"-vf setpts=8*PTS {X264} -r 1",
    "240_fps.mp4": f"-vf fps=240 {X264}",
    "1000_fps.mp4": f"-vf setpts=PTS/125 -r 1000 {X264}",
    "an_hour_a_picture.mkv": f"-vf setpts=N*3600/TB -fps_mode vfr {X264}",
    "all_at_once.mkv": f"-vf setpts=0 -fps_mode passthrough {X264}",
    "gap_of_an_hour.mp4": f"-vf setpts=PTS+gte(N\\,8)*3600/TB -fps_mode vfr {X264}",
    "before_zero.mkv": f"-output_ts_offset -1 -avoid_negative_ts disabled {X264}",
    "before_zero.mp4": f"-output_ts_offset -1 -avoid_negative_ts disabled {X264}",
    "before_zero.ts": "-output_ts_offset -1 -avoid_negative_ts disabled -c:v mpeg2video -r 25",
    "late_start.ts": "-output_ts_offset 95000 -c:v mpeg2video -r 25",
    "late_start.mkv": f"-output_ts_offset 1000000 {X264}",
    "only_first_is_key.mp4": f"{X264} -g 100000 -keyint_min 100000 -sc_threshold 0",
    "no_key_pictures.ts": f"{X264} -x264-params intra-refresh=1:keyint=100000 "
    "-bsf:v noise=drop=eq(n\\,0)",
    "pictures_dropped.mkv": f"{X264} -bsf:v noise=drop=not(mod(n\\,3))",
    "pictures_noisy.mkv": f"{X264} -bsf:v noise=amount=200",
    "pictures_noisy_hevc.mp4": "-c:v libx265 -preset ultrafast -x265-params log-level=none "
    "-bsf:v noise=amount=300",
    "no_parameters.mp4": f"{X264} -bsf:v filter_units=remove_types=7|8",
    "encrypted.mp4": f"{X264} -encryption_scheme cenc-aes-ctr "
    f"-encryption_key {'1' * 32} -encryption_kid {'2' * 32}",
    "black.mp4": f"-vf drawbox=t=fill:c=black {X264}",
    "white.mp4": f"-vf drawbox=t=fill:c=white {X264}",
    "noise.mp4": f"-vf noise=alls=100:allf=t {X264}",
    "still.mp4": f"-vf loop=15:1:0 -frames:v 16 {X264}",
    "negative.mp4": f"-vf negate {X264}",
    "side_by_side.mkv": f"{X264} -metadata:s:v:0 stereo_mode=left_right",
    "long_title.mp4": f"{X264} -metadata title={'x' * 60_000}",
    "title_of_html.mkv": f"{X264} -metadata title=<script>alert(1)</script>",
    "no_index.avi": "-c:v mpeg4 -fflags +flush_packets -avoid_negative_ts disabled",
    "bluray.m2ts": "-c:v mpeg2video -r 25 -mpegts_m2ts_mode 1",
    "recording.vob": "-c:v mpeg2video -r 25 -f vob",
    "flash.flv": "-c:v flv",
    "theora.ogv": "-c:v libtheora",
    "bare.h264": f"{X264} -f h264",
    "frames.y4m": "-pix_fmt yuv420p -f yuv4mpegpipe",
    "nut.nut": f"{X264}",
    "animation.gif": "-vf scale=90:-2 -frames:v 8",
    "animation.apng": "-vf scale=90:-2 -frames:v 4 -f apng",
    "picture.jpg": "-frames:v 1",
    "picture.png": "-frames:v 1",
    "mxf.mxf": "-c:v mpeg2video -r 25",
}
"""Strange videos that one command makes of the clip."""


def make_by_ffmpeg(clip: Path, folder: Path, formats: Mapping[str, str]) -> list[Path]:
    """Writes a file for each of some formats: names with options of ffmpeg.

    Raises:
        subprocess.CalledProcessError: if ffmpeg fails.
    """
    return [_encode(["-i", clip], options, folder / name) for name, options in formats.items()]


def make_others(clip: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """Writes the strange videos that take more than options; each with what is strange about it."""
    for what, make in _MADE.items():
        yield make(clip, folder), what


def _encode(inputs: Sequence[str | Path], options: str, path: Path) -> Path:
    """Runs ffmpeg.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, inputs), *options.split()]
    sound = [] if "-c:a" in options else ["-an"]
    deterministic = ["-threads", "1", "-fflags", "+bitexact", "-flags", "+bitexact"]
    if "-flags" in options or "-fflags" in options:
        deterministic = deterministic[:2]
    subprocess.run([*command, *sound, *deterministic, path], check=True, capture_output=True)
    return path


def _many_streams(clip: Path, folder: Path) -> Path:
    return _encode(["-i", clip], f"{'-map 0:v ' * 100}-c copy", folder / "100_streams.mp4")


def _text_before_pictures(clip: Path, folder: Path) -> Path:
    """As many streams as Matroska's writer allows; it is the same clip that they all belong to."""
    text = folder / ".line.srt"
    text.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n", encoding="utf-8")
    options = f"{'-map 1 ' * 990}-map 0:v -c copy"
    made = _encode(["-i", clip, "-i", text], options, folder / "990_streams_of_text.mkv")
    text.unlink()
    return made


def _sizes_change(clip: Path, folder: Path) -> Path:
    parts = [folder / ".one.ts", folder / ".two.ts", folder / ".three.ts"]
    for part, size in zip(parts, ("360:640", "640:360", "64:64"), strict=True):
        _encode(["-i", clip], f"-vf scale={size} -c:v mpeg2video -r 25", part)
    path = folder / "sizes_change.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
    return path


def _two_sizes(clip: Path, folder: Path) -> Path:
    options = f"-map 0:v -map 0:v -filter:v:0 scale=90:160 -filter:v:1 scale=720:1280 {X264}"
    return _encode(["-i", clip], options, folder / "two_sizes.mp4")


def _sound(_: Path, folder: Path) -> Path:
    return _encode(["-f", "lavfi", "-i", "sine=duration=1"], "-c:a aac -vn", folder / "sound.m4a")


def _cover(clip: Path, folder: Path) -> Path:
    inputs = ["-f", "lavfi", "-i", "sine=duration=1", "-i", str(clip)]
    options = "-map 0 -map 1:v -c:a aac -c:v mjpeg -frames:v 1 -disposition:v attached_pic"
    return _encode(inputs, options, folder / "cover.m4a")


def _hours_of_black(_: Path, folder: Path) -> Path:
    """Five hours at one picture a second: little to store, much to go through."""
    inputs = ["-f", "lavfi", "-i", "color=black:s=64x64:r=1:d=18000"]
    return _encode(inputs, f"{X264} -g 1000", folder / "5_hours_of_black.mp4")


def _bomb(_: Path, folder: Path) -> Path:
    """Large pictures that take next to nothing to store, and as long as any to decode."""
    inputs = ["-f", "lavfi", "-i", "color=gray:s=7680x4320:r=60:d=0.5"]
    return _encode(inputs, f"{X264} -g 600", folder / "30_of_8k.mp4")


def _zip(clip: Path, folder: Path) -> Path:
    path = folder / "zipped.mp4"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("walk.mp4"), clip.read_bytes())
    return path


def _sparse(clip: Path, folder: Path) -> Path:
    """A video and then nothing: half a terabyte of it, which takes no room."""
    path = folder / "half_a_terabyte.mp4"
    path.write_bytes(clip.read_bytes())
    with path.open("r+b") as file:
        file.truncate(1 << 39)
    return path


def _nothing(_: Path, folder: Path) -> Path:
    path = folder / "8_gib_of_zeros.mp4"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    return path


def _text(_: Path, folder: Path) -> Path:
    path = folder / "text.mp4"
    path.write_text("I am no video.\n" * 1000, encoding="utf-8")
    return path


def _empty(_: Path, folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


_MADE: Mapping[str, Callable[[Path, Path], Path]] = {
    "100 streams of pictures": _many_streams,
    "990 streams of text before the pictures": _text_before_pictures,
    "pictures change their size": _sizes_change,
    "two streams of pictures, the second larger": _two_sizes,
    "only sound": _sound,
    "sound with a cover": _cover,
    "five hours of black": _hours_of_black,
    "30 pictures of 8K in a small file": _bomb,
    "a ZIP archive": _zip,
    "a video and then half a terabyte of nothing": _sparse,
    "8 GiB of zeros": _nothing,
    "text": _text,
    "zero bytes": _empty,
}
"""Strange files that take more than options, by what they are."""


def joined(files: Mapping[str, bytes]) -> Iterator[Damaged]:
    """Two sound files, one after the other."""
    for first, second in (
        ("late.mp4", "late.mp4"), ("late.mp4", "screen.mkv"), ("tv.ts", "tv.ts"),
        ("screen.mkv", "screen.mkv"), ("old.avi", "dvd.mpg"), ("pieces.mp4", "early.mp4"),
    ):  # fmt: skip
        name = f"{Path(first).stem}_then_{second}" if first != second else f"twice_{second}"
        yield Damaged(name, f"{first}, and {second} behind it", files[first] + files[second])
