"""What a program says, as lines: whatever bytes it writes, in bounded memory."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Iterator

LONGEST_LINE = 4096
"""Bytes of a line that are kept; what follows is counted."""

LINES_KEPT = 20
"""Lines that an error quotes."""

LOG_LIMIT = 50_000_000
"""Characters of one program that go into the log: it must not fill the disk."""

_LINE_ENDS = re.compile(rb"[\r\n]")
_TERMINAL_CODES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_])")


class LineSplitter:
    """Cuts a stream of bytes into lines that a log can take.

    A carriage return ends a line too, so that progress bars are seen as they move. Lines without
    anything in them are left out, codes for terminals too; other control characters and bytes that
    are no UTF-8 are written as escapes.
    """

    def __init__(self) -> None:
        self._begun = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> Iterator[str]:
        """Takes in the next bytes; gives the lines that they end."""
        *ended, rest = _LINE_ENDS.split(data)
        for part in ended:
            self._add(part)
            yield from self.finish()
        self._add(rest)

    def finish(self) -> Iterator[str]:
        """The line that was begun, if there is one."""
        line = _clean(self._begun.decode(errors="backslashreplace"))
        if self._dropped:
            line += f" … ({self._dropped} more bytes)"
        self._begun.clear()
        self._dropped = 0
        if line:
            yield line

    def _add(self, part: bytes) -> None:
        room = LONGEST_LINE - len(self._begun)
        self._begun += part[:room]
        self._dropped += max(0, len(part) - room)


def _clean(text: str) -> str:
    if text.isprintable():
        return text.rstrip()
    text = _TERMINAL_CODES.sub("", text).expandtabs().rstrip()
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Output:
    """Hands the lines of a program on: to the log, to a listener, and to whoever explains an error.

    `last_lines` are the last ones so far.
    """

    def __init__(self, program: str, listener: Callable[[str], None] | None) -> None:
        self.last_lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._log = logging.getLogger(f"tapeless.containers.{program}")
        self._room = LOG_LIMIT
        self._listener = listener
        self._splitters: dict[int, LineSplitter] = {}

    def feed(self, stream: int, data: bytes) -> None:
        """Takes in what came on a stream (1 standard output, 2 standard error)."""
        for line in self._splitters.setdefault(stream, LineSplitter()).feed(data):
            self._say(line)

    def finish(self) -> None:
        """Hands on what was not ended by a line feed."""
        for splitter in self._splitters.values():
            for line in splitter.finish():
                self._say(line)

    def _say(self, line: str) -> None:
        self.last_lines.append(line)
        if self._room > 0:
            self._log.info("%s", line)
            self._room -= len(line) + 1
            if self._room <= 0:
                self._log.warning("the program says too much: the rest is not logged")
        if (listener := self._listener) is not None:
            self._listener = None  # one that raises hears no more
            listener(line)
            self._listener = listener
