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

import logging
import math
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tapeless.gpus import take_gpus
from tapeless.logs import progress
from tapeless.outcomes import Rejected
from tapeless.video.decode import TURNS, Picture, View, decode
from tapeless.video.probe import Clip, probe, scan
from tapeless.video.programs import HOST_TOOLS, Tools
from tapeless.writing import write_rows

log = logging.getLogger(__name__)

MAX_FRAMES = 1000
"""Pictures that are taken of a video at most: later stages compare all pairs of them."""

FRAMES_PER_SEEK = 128
"""Frames that are decoded for one seek: half of the usual distance of key frames, 250."""

_WITHOUT_INDEX = ("mpegts", "mpeg")
"""Containers that do not know where the key frame before a time is, so that seeking overshoots."""
_LEADS_S = (2.0, 16.0, 64.0)
"""How much before the wanted time to begin in those: the distance of key frames is not known."""

_START_LIMIT_S = 300.0
_SEEK_LIMIT_S = 300.0
_SLOWEST_DECODING_HZ = 2.0
_TIE_S = 1e-5  # so that of two pictures one frame interval apart the later one is taken
_TIME_TOLERANCE_S = 1e-3  # shorter than any frame, longer than the rounding of a time stamp


@dataclass(frozen=True)
class Sampling:
    """Which pictures of a video are wanted, and how.

    `frames` pictures spread over the span from `start_s` to `end_s` (default: all of the video),
    or `fps` pictures a second where that is given, but `MAX_FRAMES` at most, evenly spaced; turned
    clockwise by `rotate` degrees after they are upright by the file's own account; with a longest
    side of `longest_side_px`, or less if the video has less. `hwaccel`: whether a graphics card
    decodes.

    Raises:
        ValueError: if a value is impossible.
    """

    frames: int = 24
    fps: float | None = None
    start_s: float | None = None
    end_s: float | None = None
    rotate: int = 0
    longest_side_px: int = 600
    hwaccel: str = "none"

    def __post_init__(self) -> None:
        faults = {
            f"frames must be 1 to {MAX_FRAMES}": not 1 <= self.frames <= MAX_FRAMES,
            "fps must be above 0": self.fps is not None and not self.fps > 0,
            "end_s must be later than start_s": self.end_s is not None
            and not max(0.0, self.start_s or 0.0) < self.end_s,
            "rotate must be 0, 90, 180 or 270": self.rotate not in TURNS,
            "longest_side_px must be 1 or more": self.longest_side_px < 1,
            "hwaccel must be none, auto or cuda": self.hwaccel not in ("none", "auto", "cuda"),
        }
        if found := [text for text, is_at_fault in faults.items() if is_at_fault]:
            raise ValueError("; ".join(found))


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
class _Grid:
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


def sample_frames(
    path: Path,
    frames_dir: Path,
    sampling: Sampling | None = None,
    threads: int = 2,
    tools: Tools = HOST_TOOLS,
) -> list[Frame]:
    """Writes pictures of a video file: `sample_clip` of what `probe` finds.

    Raises:
        Rejected: if the file cannot be read or is no video, or as `sample_clip` does.
        OSError, MediaToolError, ContainerError, GpuError: if the machine is at fault.
    """
    return sample_clip(probe(path, tools), frames_dir, sampling, threads, tools)


def sample_clip(
    clip: Clip,
    frames_dir: Path,
    sampling: Sampling | None = None,
    threads: int = 2,
    tools: Tools = HOST_TOOLS,
) -> list[Frame]:
    """Writes pictures of a video as `frame_000001.png`, ... (8-bit RGB) and says which they are.

    Frames that `frames_dir` held before are removed. To decode with CUDA, it waits for a graphics
    card that no other job has.

    Raises:
        Rejected: if it shows no picture in the span.
        OSError, MediaToolError, ContainerError, GpuError: if the machine is at fault.
    """
    wanted = sampling or Sampling()
    for stale in frames_dir.glob("frame_*.png"):
        stale.unlink()
    if clip.end_s is None or _is_short(clip, _grid(clip, wanted)):
        clip = scan(clip, math.inf if wanted.end_s is None else wanted.end_s, tools)
    grid = _grid(clip, wanted)
    log.info("%s %s, %d x %d px, %g frames a second, %g s to %g s", clip.container, clip.codec,
             clip.width, clip.height, clip.rate_hz, grid.start_s, grid.end_s)  # fmt: skip
    if wanted.fps and (asked := wanted.fps * (grid.end_s - grid.start_s)) > MAX_FRAMES:
        log.warning("%g frames a second would be %.0f pictures: taking %d at most, evenly spaced",
                    wanted.fps, asked, MAX_FRAMES)  # fmt: skip
    turn_deg = (clip.turn_deg + wanted.rotate) % 360
    with take_gpus(int(wanted.hwaccel == "cuda")) as gpus:
        tools = replace(tools, gpus=gpus)
        view = View(turn_deg, wanted.longest_side_px, wanted.hwaccel, threads, tools)
        written = _write(_pictures(clip, grid, view), frames_dir)
    if not written and view.hwaccel != "none":
        log.warning("nothing was decoded with hwaccel %s: trying again without", view.hwaccel)
        view = replace(view, hwaccel="none", tools=replace(tools, gpus=()))
        written = _write(_pictures(clip, grid, view), frames_dir)
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
    write_rows(path, [f.name for f in fields(Frame)], map(_cells, frames))


def _cells(frame: Frame) -> tuple[str, ...]:
    place = (f"{frame.time_s:.6f}", str(frame.source_frame))
    return (frame.frame, *place, str(frame.width), str(frame.height), f"{frame.sharpness:.3f}")


def _grid(clip: Clip, wanted: Sampling) -> _Grid:
    """The times to sample `clip` at."""
    assert clip.end_s is not None
    start = clip.start_s if wanted.start_s is None else max(wanted.start_s, clip.start_s)
    end = clip.end_s if wanted.end_s is None else min(wanted.end_s, clip.end_s)
    if end <= start:
        raise Rejected(
            "no_frames",
            f"It runs from {clip.start_s:.2f} s to {clip.end_s:.2f} s, and nothing of that is in "
            "the span asked for: correct start_s and end_s.",
        )
    fps = min(wanted.fps or wanted.frames / (end - start), MAX_FRAMES / (end - start))
    step, count = 1 / fps, max(1, round((end - start) * fps))
    inside = [t for t in clip.frame_times_s or () if start <= t <= end]
    if 1 < len(inside) <= count:  # a grid fine enough for each of them to be taken
        step = max(min(np.diff(inside)) / 2, _TIME_TOLERANCE_S)
        return _Grid(start, end, start - step, step, math.ceil((end - start) / step) + 2)
    first = start + step / 2 - 1 / clip.rate_hz + _TIE_S
    return _Grid(start, end, first, step, count)


def _is_short(clip: Clip, grid: _Grid) -> bool:
    """Whether decoding up to the end of the span costs less than seeking each picture."""
    return grid.end_s * clip.rate_hz <= FRAMES_PER_SEEK * grid.count


def _pictures(clip: Clip, grid: _Grid, view: View) -> Generator[Picture]:
    """The pictures on the grid, counted and timed from the start of the file."""
    if _is_short(clip, grid):
        log.info("decoding it in one pass")
        return _in_one_pass(clip, grid, view)
    log.info("seeking each picture on its own")
    return _by_seeking(clip, grid, view)


def _in_one_pass(clip: Clip, grid: _Grid, view: View) -> Generator[Picture]:
    options = {"t": f"{grid.end_s + 1:.6f}"}
    limit_s = _START_LIMIT_S + grid.end_s * clip.rate_hz / _SLOWEST_DECODING_HZ
    last_slot = -1
    for picture in decode(clip, view, grid.expression(), options, limit_s):
        # ffmpeg has selected it already, but forgets what it took when a picture's size changes
        if (slot := grid.slot(picture.time_s)) > last_slot:
            last_slot = slot
            yield picture


def _by_seeking(clip: Clip, grid: _Grid, view: View) -> Generator[Picture]:
    last_s = -math.inf
    for index in progress(range(grid.count), "pictures sought", grid.count, log):
        wanted_s = max(grid.first_s + index * grid.step_s, grid.start_s - _TIME_TOLERANCE_S)
        if wanted_s <= last_s:  # what was found last is still on the screen
            continue
        picture = _seek(clip, wanted_s, view)
        if picture and last_s < picture.time_s <= grid.end_s + _TIME_TOLERANCE_S:
            last_s = picture.time_s
            yield picture


def _seek(clip: Clip, wanted_s: float, view: View) -> Picture | None:
    """The first picture to appear at `wanted_s` or later."""
    found = None
    selection = f"gte(t,{clip.file_start_s + wanted_s!r})"
    for lead_s in _LEADS_S if clip.container in _WITHOUT_INDEX else (0.0,):
        options = {"ss": f"{max(0.0, wanted_s - lead_s):.6f}"}
        for picture in decode(clip, view, selection, options, _SEEK_LIMIT_S, single=True):
            time_s = picture.time_s - clip.file_start_s
            found = Picture(picture.rgb, time_s, round((time_s - clip.start_s) * clip.rate_hz))
            if picture.number > 0:  # decoding began before it, so none between was missed
                return found
    return found


def _write(pictures: Generator[Picture], frames_dir: Path) -> list[Frame]:
    """Writes each picture as it comes, all of them in the size of the first.

    One run of ffmpeg sees to that itself. Each picture that is sought has a run of its own.
    """
    written: list[Frame] = []
    with closing(pictures):  # so that ffmpeg ends if a picture cannot be written
        for picture in pictures:
            image = Image.fromarray(picture.rgb)
            size = (written[0].width, written[0].height) if written else image.size
            if image.size != size:
                image = image.resize(size, Image.Resampling.BICUBIC)
            sharpness = laplacian_variance(np.asarray(image))
            name = f"frame_{len(written) + 1:06d}"
            image.save(frames_dir / f"{name}.png", compress_level=1)
            written.append(Frame(name, picture.time_s, picture.number, *size, sharpness))
    return written
