"""Runs of ffmpeg and ffprobe: on one file, for a limited time, and not a process left behind.

A file that somebody was sent is opened by a large C library here. So each run may open that file
and nothing else: no network, no playlist that names other files, no picture large enough to
exhaust the memory; and the whole process group is killed when its time is up. What the library
could do if a file took it over is limited by `tapeless.confinement`.
"""

from __future__ import annotations

import mmap
import re
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread, Timer
from typing import IO

from tapeless.outcomes import Rejected
from tapeless.video.programs import HOST_TOOLS, MediaToolError, Program, Tools, locate

MAX_PIXELS = 40_000_000
"""Pixels in the largest picture that is decoded: 8K film (8192 x 4320) is 35 million."""

FORMATS = "mov,matroska,avi,asf,mpeg,mpegts,mpegvideo"
"""The demuxers of libavformat that may open a file; what refers to other files is not among them.

mov reads mp4, m4v and 3gp too, matroska webm, asf wmv, and the three mpegs mpg, vob, mts and m2ts.
"""

INPUT_GUARDS = {
    "protocol_whitelist": "file",
    "format_whitelist": FORMATS,
    "max_pixels": str(MAX_PIXELS),
}
"""Options before an input file that keep ffmpeg and ffprobe to that file."""

_MACHINE_FAULTS = re.compile(r"(No space left on device|Too many open files( in system)?)$")
_OUT_OF_MEMORY = re.compile(r"Cannot allocate memory$")
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE)
_COMPUTING_SHARE = 0.5
"""Of its time limit, what a tool may compute before the file, not a busy machine, is to blame."""
_SPARE_BYTES = 1 << 30
_LINES_KEPT = 40
_LONGEST_LINE = 4096


class CrashError(MediaToolError):
    """A tool was ended by a signal that the file may have caused: it crashed, or computed on."""


@contextmanager
def blaming_the_video() -> Iterator[None]:
    """Turns a crash into a verdict about the video: another run would crash on it again.

    Raises:
        Rejected: `no_frames`.
    """
    try:
        yield
    except CrashError as error:
        raise Rejected(
            "no_frames",
            f"It is damaged, or made to do harm, and was given up: {error}. Check that it plays, "
            "then export it again.",
        ) from error


class ToolRun:
    """A run of ffmpeg or ffprobe; `run_tool` makes one.

    `stdout` is the binary stream that the tool writes; `messages` holds the last lines that it
    said on standard error, complete once `finish` has returned.
    """

    def __init__(
        self,
        name: str,
        program: Program,
        limit_s: float,
        listener: Callable[[str], bool] | None,
    ) -> None:
        self.name = name
        self.messages: deque[str] = deque(maxlen=_LINES_KEPT)
        self._limit_s = limit_s
        self._is_late = False
        self._listener = listener
        self._program = program
        self.stdout = program.stdout
        self._reader = Thread(target=self._read, args=(program.stderr,), daemon=True)
        self._reader.start()
        self._timer = Timer(limit_s, self._give_up)
        self._timer.daemon = True
        self._timer.start()

    def finish(self) -> int:
        """Waits for the end and returns the exit status.

        Raises:
            CrashError: if the tool crashed, or used up the processor time that it may take.
            MediaToolError: if the tool took too long, was killed, or reports that the machine
                ran out of memory, disk or file handles.
        """
        with self.stdout:
            while self.stdout.read(1 << 16):
                pass
        status = self._program.wait()
        self._reader.join()
        if self._is_late:
            raise MediaToolError(f"{self.name} was stopped after {self._limit_s:.0f} s")
        if -status == signal.SIGXCPU:
            computed_s = self._limit_s * _COMPUTING_SHARE
            raise CrashError(f"{self.name} computed for {computed_s:.0f} s and was not done")
        if -status in _CRASHES:
            raise CrashError(f"{self.name} crashed ({_signal_name(-status)})")
        if status < 0:
            raise MediaToolError(
                f"{self.name} was killed by signal {_signal_name(-status)}; when that is SIGKILL, "
                "the machine has most likely run out of memory"
            )
        said = [m for m in self.messages if not m.startswith(" ")]  # the rest quotes the file
        if fault := next(filter(None, map(_MACHINE_FAULTS.search, said)), None):
            raise MediaToolError(f"{self.name} failed on this machine: {fault[0]}")
        if any(map(_OUT_OF_MEMORY.search, said)) and not _has_memory():
            raise MediaToolError(f"{self.name} ran out of memory")
        return status

    def failure(self, status: int) -> MediaToolError:
        """The error to raise for an exit status that the video does not explain."""
        said = " / ".join(self.messages) or "nothing"
        return MediaToolError(f"{self.name} failed (exit status {status}) and said: {said}")

    def close(self) -> None:
        """Kills whatever still runs."""
        self._timer.cancel()
        self._program.kill()
        self._reader.join()
        self.stdout.close()

    def _give_up(self) -> None:
        self._is_late = True
        self._program.kill()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(_LONGEST_LINE):
                message = _as_printable(line.decode(errors="replace").rstrip())
                if not (self._listener and self._listener(message)):
                    self.messages.append(message)


@contextmanager
def run_tool(
    command: Sequence[str],
    limit_s: float,
    listener: Callable[[str], bool] | None = None,
    *,
    tools: Tools = HOST_TOOLS,
    video: Path | None = None,
) -> Iterator[ToolRun]:
    """Runs ffmpeg or ffprobe for at most `limit_s` seconds; nothing of it outlives the block.

    It may compute for half of them.

    `listener` is called, in another thread, with each line of its standard error; a line for
    which it returns true is not kept in `messages`. `video` is the file that the command names.

    Raises:
        MediaToolError: if the tool is not installed.
        ContainerError: if its container cannot be started.
    """
    with tools.start(command, video, limit_s * _COMPUTING_SHARE) as program:
        run = ToolRun(command[0], program, limit_s, listener)
        try:
            yield run
        finally:
            run.close()


def source_url(path: Path) -> str:
    """How to name a file to ffmpeg, so that no colon, dash or percent sign in it means anything."""
    return f"file:{locate(path)}"


def _as_printable(text: str) -> str:
    """A text without codes for a terminal, as a file's own words may hold them."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _has_memory() -> bool:
    """Whether a process may still take a GiB: then it was a damaged file that asked for more."""
    try:
        mmap.mmap(-1, _SPARE_BYTES).close()
    except OSError:
        return False
    return True


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
