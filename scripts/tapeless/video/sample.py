"""Pictures of a video, evenly spaced in time, upright, with square pixels.

*Which.* The span is cut into N equal parts, and the picture on the screen in the middle of each is
taken (with a variable frame rate: the first picture to appear later than one average frame
interval before that middle). No picture is taken twice, so a clip of fewer than N frames gives
each of its frames, once.

*How.* A short clip is decoded once from its beginning, and ffmpeg drops what is not wanted. In a
long one every picture is sought on its own, which costs the decoding from the key frame before it,
however long the video is. Seeking is chosen once one pass would decode more than
`FRAMES_PER_SEEK` frames for each picture. Pictures come through a pipe one by one: memory depends
on neither the length of the video nor the number of pictures.
"""

from __future__ import annotations

import csv
import logging
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import ffmpeg  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tapeless.logs import progress
from tapeless.outcomes import Rejected
from tapeless.video.probe import Clip, probe, scan
from tapeless.video.tools import INPUT_GUARDS, MediaToolError, ToolRun, run_tool, source_url

log = logging.getLogger(__name__)

FRAMES_PER_SEEK = 128
"""Frames that are decoded for one seek: half of the usual distance of key frames, 250."""

_START_LIMIT_S = 300.0
_SLOWEST_DECODING_HZ = 2.0
_STAMP_LIMIT_S = 60
_TIME_TOLERANCE_S = 1e-3  # shorter than any frame, longer than the rounding of a time stamp
_NO_DEVICE = re.compile(r"Device creation failed|No device available for decoder")
_STAMP = re.compile(r"\[showinfo@(source|kept) @ \w+\] n: *(\d+) pts: *(-?\d+) ")
_TIME_BASE = re.compile(r"\[showinfo@(source|kept) @ \w+\] config in time_base: (\d+)/(\d+)")
_TURNS: dict[int, tuple[tuple[str, ...], ...]] = {
    0: (),
    90: (("transpose", "clock"),),
    180: (("hflip",), ("vflip",)),
    270: (("transpose", "cclock"),),
}
_SHRINK = "min(1,{side}/max(iw*min(1,sar),ih/max(1,sar)))"
_SCALE = {
    "w": f"max(1,round(iw*min(1,sar)*{_SHRINK}))",
    "h": f"max(1,round(ih/max(1,sar)*{_SHRINK}))",
    "flags": "bicubic+accurate_rnd+full_chroma_int",
}


@dataclass(frozen=True)
class Frame:
    """A sampled picture: one row of `frames.csv`.

    `time_s` counts from the start of the file, as a player shows it. `source_frame` is the number
    of the frame in the video, from 0; in a long video, whose frames are sought and not counted, it
    is estimated from the time and the average rate. `sharpness`: see `laplacian_variance`.
    """

    frame: str
    time_s: float
    source_frame: int
    width: int
    height: int
    sharpness: float


@dataclass(frozen=True)
class Grid:
    """Times to sample at: `count` of them, `step_s` apart, the first at `first_s`.

    The picture wanted at each is the first one that appears then or later, within the span from
    `start_s` to `end_s`.
    """

    start_s: float
    end_s: float
    first_s: float
    step_s: float
    count: int

    def slot(self, time_s: float) -> int:
        """The last time of the grid that a picture of `time_s` serves, -1 if none."""
        if not self.start_s - _TIME_TOLERANCE_S <= time_s <= self.end_s + _TIME_TOLERANCE_S:
            return -1
        slot = math.floor((time_s - self.first_s) / self.step_s)
        return max(-1, min(slot, self.count - 1))

    def expression(self) -> str:
        """`slot(t) > slot(time of the picture taken last)`, for ffmpeg's select filter."""

        def slot(time: str) -> str:
            inside = f"floor(({time}-({self.first_s!r}))/{self.step_s!r})"
            span = f"{self.start_s - _TIME_TOLERANCE_S!r},{self.end_s + _TIME_TOLERANCE_S!r}"
            return f"if(between({time},{span}),clip({inside},-1,{self.count - 1}),-1)"

        return f"gt({slot('t')},if(isnan(prev_selected_t),-1,{slot('prev_selected_t')}))"


@dataclass(frozen=True)
class View:
    """How pictures are decoded and shown: turned clockwise, no longer than `longest_side_px`."""

    turn_deg: int
    longest_side_px: int
    hwaccel: str
    threads: int


@dataclass(frozen=True)
class Picture:
    """A decoded picture, (H, W, 3) uint8 RGB, with its time in s and its number, from 0.

    Both count from where decoding began.
    """

    rgb: NDArray[np.uint8]
    time_s: float
    number: int


def sample_frames(
    path: Path,
    frames_dir: Path,
    *,
    frames: int = 24,
    fps: float | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    rotate: int = 0,
    longest_side_px: int = 600,
    hwaccel: str = "none",
    threads: int = 2,
) -> list[Frame]:
    """Writes pictures of a video as `frame_000001.png`, ... (8-bit RGB) and says which they are.

    `frames` pictures are spread over the span from `start_s` to `end_s` (default: all of the
    video), or `fps` pictures a second where that is given. They are turned upright as the file
    asks, then clockwise by `rotate` (0, 90, 180 or 270) degrees, and made smaller, never larger,
    so that the longest side has `longest_side_px`. `hwaccel` is `none`, `auto` or `cuda`. Frames
    that `frames_dir` held before are removed.

    Raises:
        Rejected: if the file cannot be read, is no video, or shows no picture in the span.
        OSError, MediaToolError: if the machine is at fault.
    """
    for stale in frames_dir.glob("frame_*.png"):
        stale.unlink()

    def plan(clip: Clip) -> Grid:
        return _grid(clip, start_s, end_s, frames, fps)

    clip = probe(path)
    if clip.end_s is None or _is_short(clip, plan(clip)):
        clip = scan(clip, math.inf if end_s is None else end_s)
    grid = plan(clip)
    log.info("%s %s, %d x %d px, %g frames a second, %g s to %g s", clip.container, clip.codec,
             clip.width, clip.height, clip.rate_hz, grid.start_s, grid.end_s)  # fmt: skip
    view = View((clip.turn_deg + rotate) % 360, longest_side_px, hwaccel, threads)
    written = _write(_pictures(clip, grid, view), grid, frames_dir)
    if not written and hwaccel != "none":
        log.warning("nothing was decoded with hwaccel %s: trying again without", hwaccel)
        view = replace(view, hwaccel="none")
        written = _write(_pictures(clip, grid, view), grid, frames_dir)
    if not written:
        raise Rejected(
            "no_frames",
            f"No picture could be decoded between {grid.start_s:.2f} s and {grid.end_s:.2f} s: "
            "check that it plays there, then export it again or choose another span.",
        )
    return written


def laplacian_variance(rgb: NDArray[np.uint8]) -> float:
    """Sharpness of a picture (H, W, 3): variance of the Laplacian of its grey values (0 to 255).

    Grey is ITU-R BT.601 luma, the Laplacian the sum of the 4 neighbours less 4 times the pixel, as
    in Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000. It depends on
    what is in the picture, so compare it only between pictures of one video.
    """
    if min(rgb.shape[:2]) < 3:
        return 0.0
    grey = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    neighbours = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.var(neighbours - 4 * grey[1:-1, 1:-1], dtype=np.float64))


def write_table(path: Path, frames: Sequence[Frame]) -> None:
    """Writes `frames.csv`: a header, and a row for each sampled frame."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Frame)], lineterminator="\n")
        writer.writeheader()
        for frame in frames:
            row = asdict(frame)
            writer.writerow(
                {**row, "time_s": f"{frame.time_s:.6f}", "sharpness": f"{frame.sharpness:.3f}"}
            )


def _grid(
    clip: Clip, start_s: float | None, end_s: float | None, frames: int, fps: float | None
) -> Grid:
    """The times to sample `clip` at."""
    assert clip.end_s is not None
    start = clip.start_s if start_s is None else max(start_s, clip.start_s)
    end = clip.end_s if end_s is None else min(end_s, clip.end_s)
    if end <= start:
        raise Rejected(
            "no_frames",
            f"It runs from {clip.start_s:.2f} s to {clip.end_s:.2f} s, and nothing of that is in "
            "the span asked for: correct start_s and end_s.",
        )
    step = (end - start) / frames if fps is None else 1 / fps
    count = frames if fps is None else max(1, round((end - start) * fps))
    inside = [t for t in clip.frame_times_s or () if start <= t <= end]
    if 1 < len(inside) <= count:  # a grid fine enough for each of them to be taken
        step = max(min(np.diff(inside)) / 2, _TIME_TOLERANCE_S)
        return Grid(start, end, start - step, step, math.ceil((end - start) / step) + 2)
    return Grid(start, end, start + step / 2 - 1 / clip.rate_hz, step, count)


def _is_short(clip: Clip, grid: Grid) -> bool:
    """Whether decoding up to the end of the span costs less than seeking each picture."""
    return grid.end_s * clip.rate_hz <= FRAMES_PER_SEEK * grid.count


def _pictures(clip: Clip, grid: Grid, view: View) -> Iterator[Picture]:
    """The pictures on the grid, counted and timed from the start of the file."""
    if _is_short(clip, grid):
        log.info("decoding it in one pass")
        return _in_one_pass(clip, grid, view)
    log.info("seeking each picture on its own")
    return _by_seeking(clip, grid, view)


def _in_one_pass(clip: Clip, grid: Grid, view: View) -> Iterator[Picture]:
    options = {"t": f"{grid.end_s + 1:.6f}"}
    limit_s = _START_LIMIT_S + grid.end_s * clip.rate_hz / _SLOWEST_DECODING_HZ
    yield from _decode(clip, view, options, limit_s, selection=grid.expression())


def _by_seeking(clip: Clip, grid: Grid, view: View) -> Iterator[Picture]:
    last_s = -math.inf
    for index in progress(range(grid.count), "pictures sought", grid.count, log):
        wanted_s = round(max(grid.first_s + index * grid.step_s, grid.start_s), 6)
        if last_s >= wanted_s:  # what was found last is still on the screen
            continue
        options = {"ss": f"{wanted_s:.6f}"}
        for picture in _decode(clip, view, options, _START_LIMIT_S, {"frames:v": 1}):
            last_s = wanted_s + picture.time_s
            number = round((last_s - clip.start_s) * clip.rate_hz)
            yield Picture(picture.rgb, last_s, number)


def _write(pictures: Iterable[Picture], grid: Grid, frames_dir: Path) -> list[Frame]:
    """Writes the pictures that serve a new time of the grid."""
    written: list[Frame] = []
    last_slot = -1
    for picture in pictures:
        if (slot := grid.slot(picture.time_s)) <= last_slot:
            continue
        last_slot = slot
        height, width = picture.rgb.shape[:2]
        sharpness = laplacian_variance(picture.rgb)
        name = f"frame_{len(written) + 1:06d}"
        Image.fromarray(picture.rgb).save(frames_dir / f"{name}.png", compress_level=1)
        written.append(Frame(name, picture.time_s, picture.number, width, height, sharpness))
    return written


def _decode(
    clip: Clip,
    view: View,
    input_options: dict[str, Any],
    limit_s: float,
    output_options: dict[str, Any] | None = None,
    selection: str = "1",
) -> Iterator[Picture]:
    """Runs ffmpeg once and hands on its pictures as they come.

    Raises:
        MediaToolError: if ffmpeg fails before it comes to decoding, or by the machine's fault.
    """
    command = _command(clip, view, input_options, output_options or {}, selection)
    listener = _Listener()
    with run_tool(command, limit_s, listener) as run:
        while (rgb := _read_ppm(run)) is not None:
            yield Picture(rgb, *listener.next_stamp())
        status = run.finish()
    if view.hwaccel == "cuda" and any(map(_NO_DEVICE.search, run.messages)):
        raise MediaToolError("There is no CUDA device to decode with: set hwaccel to none or auto")
    if not listener.has_begun:
        raise run.failure(status)
    log.info("ffmpeg ended with %d; it said: %r", status, list(run.messages)[-3:])


def _command(
    clip: Clip,
    view: View,
    input_options: dict[str, Any],
    output_options: dict[str, Any],
    selection: str,
) -> list[str]:
    """The ffmpeg command that writes the selected pictures to a pipe, each as a PPM file."""
    options = {**INPUT_GUARDS, **input_options, "threads": view.threads}
    if view.hwaccel != "none":
        options["hwaccel"] = view.hwaccel
    scale = {name: text.format(side=view.longest_side_px) for name, text in _SCALE.items()}
    stream = (
        ffmpeg.input(source_url(clip.path), **options)[str(clip.stream)]
        .filter("showinfo@source", checksum=0)
        .filter("select", selection)
        .filter("showinfo@kept", checksum=0)
        .filter("scale", **scale)
    )
    for name, *arguments in _TURNS[view.turn_deg]:
        stream = stream.filter(name, *arguments)
    stream = stream.filter("format", "rgb24").output(
        "pipe:", format="image2pipe", vcodec="ppm", fps_mode="passthrough", **output_options
    )
    quiet = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"]
    return list(stream.compile(cmd=["ffmpeg", *quiet]))


class _Listener:
    """Learns from ffmpeg's messages which frame of the video each picture is.

    Two showinfo filters report every frame: `source` before the selection, `kept` after it.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self._time_base = Fraction(1)
        self._counted = 0
        self._number = 0
        self._stamps: SimpleQueue[tuple[float, int]] = SimpleQueue()

    def __call__(self, message: str) -> bool:
        """Takes in a message; says whether it was a report of these filters."""
        self.has_begun |= message == "Stream mapping:"
        if not message.startswith("[showinfo@"):
            return False
        if config := _TIME_BASE.match(message):
            self._time_base = Fraction(int(config[2]), int(config[3]))
            if config[1] == "source":  # the filters start afresh when the picture's size changes
                self._counted = self._number
        elif stamp := _STAMP.match(message):
            if stamp[1] == "source":
                self._number = self._counted + int(stamp[2]) + 1
            else:
                self._stamps.put((float(int(stamp[3]) * self._time_base), self._number - 1))
        return True

    def next_stamp(self) -> tuple[float, int]:
        """Time and number of the next picture."""
        try:
            return self._stamps.get(timeout=_STAMP_LIMIT_S)
        except Empty:
            raise MediaToolError("ffmpeg does not say which frame a picture is") from None


def _read_ppm(run: ToolRun) -> NDArray[np.uint8] | None:
    """The next picture from ffmpeg, None when there is none, or no whole one, left."""
    if run.stdout.readline() != b"P6\n":
        return None
    width, height = map(int, run.stdout.readline().split())
    run.stdout.readline()
    data = run.stdout.read(width * height * 3)
    if len(data) < width * height * 3:
        return None
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)
