"""A stream for people: lines that stay and, on a terminal, a last line that is kept up to date."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

COLOURS = {"bad": "red", "odd": "yellow", "plain": None}


class Console:
    """Writes to a stream; `is_live` says whether there is a last line, which a log has not.

    The last line ends where it began, so that what other programs write lies over it, not behind.
    """

    def __init__(self, stream: TextIO, *, has_colours: bool) -> None:
        self._stream = stream
        self._status = ""
        self.is_live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._has_colours = has_colours and self.is_live

    def say(self, text: str, kind: str = "plain") -> None:
        """Writes text that stays; `kind` is `plain`, `odd` or `bad`."""
        with self.set_aside():
            colour = COLOURS[kind] if self._has_colours else None
            self._stream.write(f"{click.style(text, fg=colour) if colour else text}\n")

    def show(self, status: str) -> None:
        """Sets the last line of a terminal; elsewhere nothing happens."""
        if self.is_live:
            self._clear()
            width = shutil.get_terminal_size().columns - 1
            self._status = status[:width]
            self._draw()

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """While the block writes to the stream, the last line is out of the way."""
        self._clear()
        try:
            yield
        finally:
            self._draw()

    def _clear(self) -> None:
        if self._status:
            self._stream.write("\r\x1b[K")

    def _draw(self) -> None:
        if self._status:
            self._stream.write(f"{self._status}\r")
        self._stream.flush()
