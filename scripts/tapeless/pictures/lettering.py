"""Text in pictures: fonts that come with matplotlib, colours, and text taken literally."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (31, 38, 45)
MUTED: Colour = (104, 116, 127)
RULE: Colour = (217, 222, 227)
GOOD: Colour = (31, 122, 92)
BAD: Colour = (179, 57, 47)

_ELLIPSIS = "…"


@cache
def font(size: int, *, bold: bool = False, mono: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu at a size in px; the same glyphs at the same places on every machine."""
    name = f"DejaVuSans{'Mono' if mono else ''}{'-Bold' if bold else ''}.ttf"
    return ImageFont.truetype(_fonts() / name, size, layout_engine=ImageFont.Layout.BASIC)


def printable(text: str) -> str:
    """The text with every character that has no visible glyph written as its escape code.

    Names of videos are data: a newline, a direction mark, an undecodable byte or an emoji becomes
    a backslash code, so that two different names never look the same.
    """
    text = unicodedata.normalize("NFC", text)
    return "".join(c if _is_visible(c) else c.encode("unicode_escape").decode() for c in text)


def wrap(text: str, face: ImageFont.FreeTypeFont, width: float, max_lines: int) -> list[str]:
    """Breaks text into lines no wider than `width` px, at spaces where possible.

    What does not fit into `max_lines` lines is cut off, with an ellipsis.
    """
    lines: list[str] = []
    rest = printable(text).strip()
    while rest and len(lines) < max_lines:
        length = _fitting(rest, face, width)
        if length < len(rest) and (space := rest.rfind(" ", 1, length + 1)) > 0:
            length = space
        lines.append(rest[:length].rstrip())
        rest = rest[length:].lstrip()
    if rest:
        last = lines[-1]
        while last and face.getlength(last + _ELLIPSIS) > width:
            last = last[:-1]
        lines[-1] = last.rstrip() + _ELLIPSIS
    return lines


def _fitting(text: str, face: ImageFont.FreeTypeFont, width: float) -> int:
    """How many characters from the start of `text` fit into `width` px, at least one."""
    length = len(text)
    while length > 1 and face.getlength(text[:length]) > width:
        length = max(1, min(length - 1, int(length * width / face.getlength(text[:length])) + 1))
    return length


@cache
def _fonts() -> Path:
    """The folder of matplotlib's fonts, without loading it, which takes longer than the writing."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'matplotlib'")
    return Path(found.origin).with_name("mpl-data") / "fonts" / "ttf"


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font  # here, as most texts are plain ASCII

    return frozenset(FT2Font(str(_fonts() / "DejaVuSans.ttf")).get_charmap())


def _is_visible(character: str) -> bool:
    if character.isascii():
        return character.isprintable()
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    return not hidden and ord(character) in _glyphs()
