"""What a video file holds: its picture stream, size, rate and span of time."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from tapeless.outcomes import Rejected
from tapeless.video.lens import FOCAL_LENGTH_TAGS, find_focal_length_mm
from tapeless.video.programs import HOST_TOOLS, MediaToolError, Tools
from tapeless.video.quicktime import read_track_metadata
from tapeless.video.tools import (
    INPUT_GUARDS,
    MAX_PIXELS,
    ToolRun,
    blaming_the_video,
    run_tool,
    source_url,
)

_PROBE_LIMIT_S = 120
_SCAN_LIMIT_S = 1200
_PROBED_BYTES = 1 << 16
_LENS = ",".join(FOCAL_LENGTH_TAGS)
_ENTRIES = (
    f"format=format_name,start_time,duration:format_tags={_LENS}:"
    "stream=index,codec_type,codec_name,width,height,"
    "avg_frame_rate,r_frame_rate,start_time,duration:"
    f"stream_tags=rotate,ROTATE,DURATION,{_LENS}:"
    "stream_disposition=attached_pic,timed_thumbnails:stream_side_data=rotation"
)
_MACHINE_ERRORS = (errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENOENT)
_UNKNOWN_RATE_HZ = 25.0
_SAID_BY_A_DECODER = re.compile(r"\[\w+ @ 0x[0-9a-f]+\] ")
"""Of a decoder that cannot even start, ffprobe 5.1 makes an end, with no word in its answer."""


@dataclass(frozen=True)
class Clip:
    """The picture stream of a video file.

    Times are in seconds from the start of the file, as a player shows them. `end_s` is when the
    last picture goes off, None where the file does not say. `width` and `height` are the pixels
    as stored, before any turn. `turn_deg` is the clockwise turn that an old `rotate` tag asks
    for; a display matrix is not in it, since ffmpeg applies that itself. `is_on_its_side` says
    whether either of them turns it by a quarter. `focal_length_mm` is that of the lens which the
    file names, converted to film of 35 mm. `frame_times_s` is known after `scan`: 8 bytes a frame.
    """

    path: Path
    container: str
    codec: str
    stream: int
    width: int
    height: int
    rate_hz: float
    file_start_s: float
    start_s: float
    end_s: float | None
    turn_deg: int
    is_on_its_side: bool = False
    focal_length_mm: float | None = None
    frame_times_s: array[float] | None = None


def probe(path: Path, tools: Tools = HOST_TOOLS) -> Clip:
    """Reads from a file's header what video it holds.

    Raises:
        Rejected: `unreadable` or `not_a_video`, with what to do about it; `no_frames` if ffprobe
            crashes on it.
        OSError: if the file is missing, but for a link to nothing, or its disk fails.
        MediaToolError: if ffprobe is missing or fails for a reason other than the file.
        ContainerError: if it is to run in a container, and cannot.
    """
    head = _read_head(path)
    command = ["ffprobe", "-v", "error", *_guards(), "-show_error", "-show_entries", _ENTRIES]
    # ffmpeg.probe() has no time limit, so ffprobe is run here.
    command += ["-of", "json", "-i", source_url(path)]
    with blaming_the_video(), run_tool(command, _PROBE_LIMIT_S, tools=tools, video=path) as run:
        answer = run.stdout.read()
        status = run.finish()
    try:
        content = json.loads(answer)
    except ValueError as error:
        if status == 1 and any(map(_SAID_BY_A_DECODER.match, run.messages)):
            raise _no_good_pictures() from error
        raise run.failure(status) from error
    if "error" in content:
        if -content["error"]["code"] == errno.EIO:
            _read_through(path)
        raise _verdict(-content["error"]["code"], run, head)
    if status != 0:
        raise run.failure(status)
    return _clip(path, content)


def scan(clip: Clip, until_s: float = math.inf, tools: Tools = HOST_TOOLS) -> Clip:
    """The clip with the times of its frames as they are, not as the header has them.

    Reads the file's packets, up to `until_s`, without decoding. Serves for headers that lack the
    duration or the rate, and for files that end before their header says.

    Raises:
        Rejected: `no_frames` if there is no picture, or ffprobe crashes on it.
        MediaToolError: if ffprobe fails.
        ContainerError: if it is to run in a container, and cannot.
    """
    command = ["ffprobe", "-v", "error", *_guards(), "-select_streams", str(clip.stream)]
    command += ["-show_entries", "packet=pts_time,dts_time,duration_time,flags", "-of", "compact"]
    command += ["-i", source_url(clip.path)]
    times, end_s = array("d"), -math.inf
    with blaming_the_video(), run_tool(command, _SCAN_LIMIT_S, tools=tools, video=clip.path) as run:
        for time_s, duration_s in _packets(run):
            if time_s - clip.file_start_s > until_s + 1:  # frames are stored out of order
                break
            times.append(time_s - clip.file_start_s)
            end_s = max(end_s, times[-1] + duration_s)
        else:
            run.finish()
    if not times:
        raise Rejected("no_frames", "It holds no picture: record or export the video again.")
    times = array("d", sorted(times))
    span_s = times[-1] - times[0]
    rate_hz = (len(times) - 1) / span_s if span_s > 0 else clip.rate_hz
    return replace(
        clip,
        rate_hz=rate_hz,
        start_s=times[0],
        end_s=end_s if end_s > times[-1] else times[-1] + 1 / rate_hz,
        frame_times_s=times,
    )


def _read_head(path: Path) -> bytes:
    """The first bytes of a file, once it is known to be one that can be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Rejected("not_a_video", "It is a folder or a device: give a video file.")
        with path.open("rb") as file:
            head = file.read(_PROBED_BYTES)
            file.seek(-min(_PROBED_BYTES, os.fstat(file.fileno()).st_size), os.SEEK_END)
            file.read()
    except PermissionError as error:
        raise Rejected(
            "unreadable",
            "Its permissions, or its folder's, forbid reading it: allow it (chmod u+r).",
        ) from error
    except OSError as error:
        # A link to nothing stays so however often the job runs; a file that is gone is listed no
        # more in the next run, and the disk may work again.
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) or not path.is_symlink():
            raise
        raise Rejected(
            "unreadable",
            "It is a link to a file that is not there: put that file back, or the video itself in "
            "the place of the link.",
        ) from error
    if not head:
        raise Rejected("not_a_video", "It is empty (zero bytes): copy or record it again.")
    return head


def _read_through(path: Path) -> None:
    """Raises OSError if the disk fails; ffprobe also calls a damaged file an input/output error."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def _guards() -> list[str]:
    return [word for name, value in INPUT_GUARDS.items() for word in (f"-{name}", value)]


def _verdict(error_number: int, run: ToolRun, head: bytes) -> Exception:
    """What ffprobe's refusal to open a file means."""
    said = "\n".join(run.messages)
    if error_number in _MACHINE_ERRORS:
        return MediaToolError(f"ffprobe cannot read the file: {os.strerror(error_number)}")
    if "Format not on whitelist" in said:
        reason = (
            "It is a playlist, a script, sound, a picture or a rare format, and was not opened: "
            "give the recording itself, as mp4, mov, avi, mkv, webm, mpg or wmv."
        )
    elif "moov atom not found" in said and head[4:8] in (b"ftyp", b"mdat", b"wide", b"free"):
        reason = "It breaks off before its index, as a half-copied file does: copy it again."
    else:
        reason = (
            "It is not a video, whatever its name says, or it is damaged: check that it plays, "
            "then copy or export it again, as mp4 for instance."
        )
    return Rejected("not_a_video", reason)


def _clip(path: Path, content: Mapping[str, Any]) -> Clip:
    """The clip that ffprobe's answer describes."""
    stream = _picture_stream(content.get("streams", []))
    file_start_s = _number(content["format"].get("start_time")) or 0.0
    start_s = _number(stream.get("start_time"))
    clip = Clip(
        path=path,
        container=content["format"]["format_name"],
        codec=stream["codec_name"],
        stream=int(stream["index"]),
        width=int(stream["width"]),
        height=int(stream["height"]),
        rate_hz=_rate(stream),
        file_start_s=file_start_s,
        start_s=0.0 if start_s is None else start_s - file_start_s,
        end_s=None,
        turn_deg=_turn(stream),
        is_on_its_side=_is_on_its_side(stream),
        focal_length_mm=_focal_length_mm(path, stream, content["format"]),
    )
    duration_s = _duration(stream, content["format"])
    return clip if duration_s is None else replace(clip, end_s=clip.start_s + duration_s)


def _picture_stream(streams: list[dict[str, Any]]) -> dict[str, Any]:
    """The stream with the largest pictures, cover art and thumbnails apart."""
    videos = [
        s
        for s in streams
        if s.get("codec_type") == "video" and not any(s.get("disposition", {}).values())
    ]
    if not videos:
        raise Rejected("not_a_video", "It holds no moving picture, only sound or the like.")
    videos = [s for s in videos if s.get("codec_name") not in (None, "unknown", "none")]
    if not videos:
        raise Rejected(
            "not_a_video",
            "Its pictures are coded in a way that ffmpeg does not know: export it as H.264.",
        )
    stream = max(videos, key=lambda s: _pixels(s))
    if not 0 < _pixels(stream) <= MAX_PIXELS:
        raise _no_good_pictures()
    return stream


def _no_good_pictures() -> Rejected:
    return Rejected(
        "not_a_video",
        f"Its pictures are damaged or larger than {MAX_PIXELS // 10**6} megapixels: "
        "export it again, at 4K or less.",
    )


def _pixels(stream: Mapping[str, Any]) -> int:
    return int(stream.get("width", 0)) * int(stream.get("height", 0))


def _rate(stream: Mapping[str, Any]) -> float:
    """Frames a second, on average where the header knows it."""
    for name in ("avg_frame_rate", "r_frame_rate"):
        above, _, below = stream.get(name, "0/0").partition("/")
        if int(above) > 0 and int(below) > 0:
            return float(Fraction(int(above), int(below)))
    return _UNKNOWN_RATE_HZ


def _turn(stream: Mapping[str, Any]) -> int:
    """The quarter turn in an old `rotate` tag, 0 when a display matrix speaks for itself."""
    if any("rotation" in side for side in stream.get("side_data_list", [])):
        return 0
    tags = stream.get("tags", {})
    degrees = _number(tags.get("rotate") or tags.get("ROTATE")) or 0.0
    return round(degrees / 90) * 90 % 360


def _is_on_its_side(stream: Mapping[str, Any]) -> bool:
    sides = [side["rotation"] for side in stream.get("side_data_list", []) if "rotation" in side]
    turn_deg = (_number(sides[0]) or 0.0) if sides else _turn(stream)
    return round(turn_deg / 90) % 2 == 1


def _focal_length_mm(
    path: Path, stream: Mapping[str, Any], container: Mapping[str, Any]
) -> float | None:
    """That of the lens, by ffprobe's account, or else by that of the tracks of MP4 and MOV."""
    shown = find_focal_length_mm(container.get("tags", {}) | stream.get("tags", {}))
    if shown is None and "mp4" in container["format_name"]:
        return find_focal_length_mm(read_track_metadata(path))
    return shown


def _duration(stream: Mapping[str, Any], container: Mapping[str, Any]) -> float | None:
    """Seconds of picture by the header, None if it does not say; Matroska keeps them in a tag."""
    if (
        container["format_name"].startswith("matroska")
        and (_number(container.get("start_time")) or 0) > 1
    ):
        return None  # whether it counts from 0 or from the first picture depends on who wrote it
    seconds = _number(stream.get("duration")) or _clock(stream.get("tags", {}).get("DURATION"))
    seconds = seconds or _number(container.get("duration"))
    return seconds if seconds and seconds > 0 else None


def _packets(run: ToolRun) -> Iterator[tuple[float, float]]:
    """Time and duration, in s, of each packet that will be shown."""
    for line in run.stdout:
        fields = dict(f.partition("=")[::2] for f in line.decode(errors="replace").split("|"))
        time_s = _number(fields.get("pts_time"))
        if time_s is None:
            time_s = _number(fields.get("dts_time"))
        if time_s is not None and "D" not in fields.get("flags", ""):
            yield time_s, _number(fields.get("duration_time")) or 0.0


def _clock(text: str | None) -> float | None:
    """Seconds of "HH:MM:SS.fraction", None if it is no such thing."""
    parts = [_number(part) for part in (text or "").split(":")]
    if len(parts) != 3 or None in parts:
        return None
    hours, minutes, seconds = (part or 0.0 for part in parts)
    return hours * 3600 + minutes * 60 + seconds


def _number(text: object) -> float | None:
    """A finite number out of ffprobe's answer, None where it has none (N/A)."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
