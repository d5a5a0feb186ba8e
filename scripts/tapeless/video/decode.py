"""One run of ffmpeg: decodes a clip and hands on selected pictures, each with its time."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from queue import Empty, SimpleQueue

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from tapeless.video.probe import Clip
from tapeless.video.programs import HOST_TOOLS, MediaToolError, Tools
from tapeless.video.tools import INPUT_GUARDS, ToolRun, blaming_the_video, run_tool, source_url

log = logging.getLogger(__name__)

_STAMP_LIMIT_S = 60
_NO_DEVICE = re.compile(r"Device creation failed|No device available for decoder")
_STAMP = re.compile(r"\[showinfo@(source|kept) @ \w+\] n: *(\d+) pts: *(-?\d+) ")
_TIME_BASE = re.compile(r"\[showinfo@(source|kept) @ \w+\] config in time_base: (\d+)/(\d+)")
TURNS: dict[int, tuple[tuple[str, ...], ...]] = {
    0: (),
    90: (("transpose", "clock"),),
    180: (("hflip",), ("vflip",)),
    270: (("transpose", "cclock"),),
}
"""The clockwise turns there are, in degrees, each as filters of ffmpeg."""

_SHRINK = "min(1,{side}/max(iw*min(1,sar),ih/max(1,sar)))"
_SCALE = {
    "w": f"max(1,round(iw*min(1,sar)*{_SHRINK}))",
    "h": f"max(1,round(ih/max(1,sar)*{_SHRINK}))",
    "flags": "bicubic+accurate_rnd+full_chroma_int",
}


@dataclass(frozen=True)
class View:
    """How pictures are decoded, by whose ffmpeg, and shown: turned clockwise, no longer than
    `longest_side_px`."""

    turn_deg: int
    longest_side_px: int
    hwaccel: str
    threads: int
    tools: Tools = HOST_TOOLS


@dataclass(frozen=True)
class Picture:
    """A decoded picture, (H, W, 3) uint8 RGB, with its time in s and its number, from 0."""

    rgb: NDArray[np.uint8]
    time_s: float
    number: int


def decode(
    clip: Clip,
    view: View,
    selection: str,
    options: dict[str, str],
    limit_s: float,
    single: bool = False,
) -> Generator[Picture]:
    """Runs ffmpeg once and hands on the selected pictures as they come.

    `selection` is an expression of ffmpeg's select filter, `options` are input options (where to
    begin and end), `limit_s` is the time ffmpeg may take. Times count from the start of the file
    and numbers from its first frame; but with `single`, where only the first picture selected is
    decoded, times are the file's own time stamps, and numbers count from where decoding began.

    Raises:
        Rejected: `no_frames` if it crashes on the CPU.
        MediaToolError: if ffmpeg fails before it comes to decoding, or by the machine's fault.
        ContainerError: if it is to run in a container, and cannot.
    """
    command = _command(clip, view, selection, options, single)
    listener = _Listener()
    # a driver of a card may crash by its own fault
    blame = blaming_the_video() if view.hwaccel == "none" else nullcontext()
    with blame, run_tool(command, limit_s, listener, tools=view.tools, video=clip.path) as run:
        while (rgb := _read_ppm(run)) is not None:
            yield Picture(rgb, *listener.next_stamp())
        status = run.finish()
    if view.hwaccel == "cuda" and any(map(_NO_DEVICE.search, run.messages)):
        raise MediaToolError(
            "There is no CUDA device to decode with: set sampling.hwaccel to none or auto, or see "
            "docs/workstation.md"
        )
    if not listener.has_begun:
        raise run.failure(status)
    log.info("ffmpeg ended with %d; it said: %r", status, list(run.messages)[-3:])


def _command(
    clip: Clip, view: View, selection: str, options: dict[str, str], single: bool
) -> list[str]:
    """The ffmpeg command that writes the selected pictures to a pipe, each as a PPM file."""
    options = {**INPUT_GUARDS, **options, "threads": str(view.threads)}
    if view.hwaccel != "none":
        options["hwaccel"] = view.hwaccel
    scale = {name: text.format(side=view.longest_side_px) for name, text in _SCALE.items()}
    stream = (
        ffmpeg.input("the clip", **options)[str(clip.stream)]
        .filter("showinfo@source", checksum=0)
        .filter("select", selection)
        .filter("showinfo@kept", checksum=0)
        .filter("scale", **scale)
    )
    for name, *arguments in TURNS[view.turn_deg]:
        stream = stream.filter(name, *arguments)
    output = {"format": "image2pipe", "vcodec": "ppm", "fps_mode": "passthrough"}
    if single:
        output["frames:v"] = "1"
    stream = stream.filter("format", "rgb24").output("pipe:", **output)
    program = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"]
    command = list(stream.compile(cmd=[*program, "-copyts"] if single else program))
    # put in here since ffmpeg-python fails on a name that is not UTF-8
    command[command.index("-i") + 1] = source_url(clip.path)
    return command


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
