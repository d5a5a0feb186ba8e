"""The top of what a sheet says of a person: the video, what became of it, and the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from tapeless.pictures.contents import Contents, Number, typical_body
from tapeless.pictures.figure import draw_figure
from tapeless.pictures.lettering import (
    BAD,
    GOOD,
    INK,
    MUTED,
    PAPER,
    RULE,
    Colour,
    font,
    printable,
    wrap,
)
from tapeless.pictures.tapes import tapes_around
from tapeless.units import UNITS

_GAP_PX = 56
_TABLE_PX = 500
_FIGURE_PX = 440
_FIGURE_HEIGHT_PX = 420
_TABLE_HEAD_PX = 40
_ROW_PX = (40, 72)
"""Lowest and highest row of the table."""
_TALLEST_PX = 3000
_LARGE = ("height", "chest", "waist", "hips", "mass")
"""The measurements beside the figure; all others stand below it, smaller."""
_SMALL_COLUMNS = 3
_SMALL_ROW_PX = 30
_SYMBOLS = {"ratio": "", "m2": "m²", "kg_m2": "kg/m²"}


class Column:
    """A column of text that flows down a white picture."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.y = 0
        self.image = Image.new("RGB", (width, _TALLEST_PX), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def write(
        self,
        text: str,
        face: ImageFont.FreeTypeFont,
        colour: Colour,
        *,
        left: int = 0,
        max_lines: int = 1,
        leading: float = 1.35,
    ) -> None:
        """Writes text in as many lines as it needs, and moves down below it."""
        for line in wrap(text, face, self.width - left, max_lines):
            self.draw.text((left, self.y), line, font=face, fill=colour)
            self.y += round(leading * face.size)

    def finish(self) -> Image.Image:
        """The picture of what was written."""
        return self.image.crop((0, 0, self.width, min(self.y, _TALLEST_PX)))


def draw_header(contents: Contents, width: int) -> Image.Image:
    """The header at a width in px; a measured person's has the numbers and the body."""
    if not contents.is_measured:
        return _draw_story(contents, width)
    story = _draw_story(contents, width - _TABLE_PX - _FIGURE_PX - 2 * _GAP_PX)
    table = _draw_table([number for number in contents.numbers if number.measurement in _LARGE])
    others = [number for number in contents.numbers if number.measurement not in _LARGE]
    top = max(story.height, table.height, _FIGURE_HEIGHT_PX)
    rows = -(-len(others) // _SMALL_COLUMNS)
    header = Image.new("RGB", (width, top + (rows and _GAP_PX + rows * _SMALL_ROW_PX)), PAPER)
    header.paste(story, (0, 0))
    header.paste(table, (story.width + _GAP_PX, 0))
    _write_others(ImageDraw.Draw(header), others, (top + _GAP_PX, width, rows))
    if contents.bodies:
        body = typical_body(contents.bodies)
        figure = draw_figure(body, tapes_around(body), (_FIGURE_PX, _FIGURE_HEIGHT_PX))
        header.paste(figure, (width - _FIGURE_PX, 0))
    return header


def _draw_story(contents: Contents, width: int) -> Image.Image:
    column = Column(width)
    column.write(contents.video, font(40, bold=True), INK, max_lines=3, leading=1.2)
    if contents.person is not None:
        column.write(f"person {contents.person}", font(28), INK)
    column.y += 10
    _draw_status(column, contents)
    if contents.reason is not None:
        column.y += 22
        column.write(contents.reason, font(28), INK, max_lines=8)
    column.y += 26
    for label, value in contents.facts:
        face = font(20)
        column.draw.text((0, column.y), label, font=face, fill=MUTED)
        column.write(value, face, INK, left=130, max_lines=4, leading=1.8)
    return column.finish()


def _draw_status(column: Column, contents: Contents) -> None:
    face = font(18, bold=True)
    text = "measured" if contents.is_measured else "rejected"
    width = face.getlength(text) + 32
    colour = GOOD if contents.is_measured else BAD
    column.draw.rounded_rectangle(
        (0, column.y, width, column.y + 34), radius=17, fill=colour, width=0
    )
    column.draw.text((width / 2, column.y + 17), text, font=face, fill=PAPER, anchor="mm")
    left = round(width) + 18
    if contents.code is not None:
        mono = font(19, mono=True)
        column.draw.text((left, column.y + 17), contents.code, font=mono, fill=BAD, anchor="lm")
        left += round(mono.getlength(contents.code)) + 24
    if contents.subject is not None:
        subject = wrap(f"subject {contents.subject}", font(20), column.width - left, 1)[0]
        column.draw.text((left, column.y + 17), subject, font=font(20), fill=MUTED, anchor="lm")
    column.y += 34


def _write_others(
    draw: ImageDraw.ImageDraw, numbers: Sequence[Number], place: tuple[int, int, int]
) -> None:
    """Writes numbers in columns, one below the other; `place` is top, width and rows."""
    top, width, rows = place
    face, value, small = font(17), font(18, bold=True), font(14)
    column_px = (width - _GAP_PX * (_SMALL_COLUMNS - 1)) // _SMALL_COLUMNS
    for position, number in enumerate(numbers):
        column, row = divmod(position, rows)
        left, y = column * (column_px + _GAP_PX), top + (row + 0.5) * _SMALL_ROW_PX
        line_y = top + row * _SMALL_ROW_PX
        draw.line([(left, line_y), (left + column_px, line_y)], fill=RULE)
        label = printable(number.measurement.replace("_", " "))
        draw.text((left, y), label, font=face, fill=INK, anchor="lm")
        right = left + round(0.58 * column_px)
        text, unit = _texts(number)
        draw.text((right, y), text, font=value, fill=INK, anchor="rm")
        draw.text((right + 6, y + 2), unit, font=small, fill=MUTED, anchor="lm")
        interval = _interval(number)
        draw.text((left + column_px, y), interval, font=face, fill=MUTED, anchor="rm")


def _texts(number: Number) -> tuple[str, str]:
    """A number and its unit, as they are written; a ratio has no unit."""
    unit = _SYMBOLS.get(number.unit, number.unit)
    return f"{number.median:.{_digits(number)}f}", unit


def _interval(number: Number) -> str:
    digits = _digits(number)
    return f"{number.low:.{digits}f} – {number.high:.{digits}f}"


def _digits(number: Number) -> int:
    return next((unit.decimals for unit in UNITS.values() if unit.report == number.unit), 1)


def _draw_table(numbers: Sequence[Number]) -> Image.Image:
    lowest, highest = _ROW_PX
    room = (_FIGURE_HEIGHT_PX - _TABLE_HEAD_PX) // max(1, len(numbers))
    row_height = min(max(room, lowest), highest)
    table = Image.new("RGB", (_TABLE_PX, _TABLE_HEAD_PX + row_height * len(numbers) + 1), PAPER)
    draw = ImageDraw.Draw(table)
    small, name, value = font(15), font(21), font(28, bold=True)
    median_right, unit_left, interval_right = 270, 278, _TABLE_PX
    middle = _TABLE_HEAD_PX / 2
    draw.text((median_right, middle), "median", font=small, fill=MUTED, anchor="rm")
    draw.text((interval_right, middle), "95 % interval", font=small, fill=MUTED, anchor="rm")
    for row, number in enumerate(numbers):
        top = _TABLE_HEAD_PX + row_height * row
        draw.line([(0, top), (_TABLE_PX, top)], fill=RULE)
        y = top + row_height / 2
        label = printable(number.measurement.replace("_", " "))
        draw.text((0, y), label, font=name, fill=INK, anchor="lm")
        text, unit = _texts(number)
        draw.text((median_right, y), text, font=value, fill=INK, anchor="rm")
        draw.text((unit_left, y + 3), unit, font=small, fill=MUTED, anchor="lm")
        draw.text((interval_right, y), _interval(number), font=name, fill=MUTED, anchor="rm")
    return table
