"""The contact sheet of a video: the numbers of each person, and every frame with what was found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tapeless.pictures.contents import Contents
from tapeless.pictures.grid import draw_grid, draw_legend
from tapeless.pictures.header import draw_header
from tapeless.pictures.lettering import PAPER, RULE

log = logging.getLogger(__name__)

WIDTH_PX = 1800
_MARGIN_PX = 48
_GAP_PX = 20
_BETWEEN_PEOPLE_PX = 16
_PACKED = 4
"""How tightly, of 9: the usual 6 takes more than twice the time, and saves a sixteenth."""


def draw_sheet(people: Sequence[Contents], path: Path) -> None:
    """Writes the contact sheet of a video as a PNG, its people one below the other."""
    inner = WIDTH_PX - 2 * _MARGIN_PX
    blocks: list[Image.Image] = []
    for contents in people:
        if blocks:
            blocks += [_space(inner), _rule(inner), _space(inner)]
        blocks += _draw_person(contents, inner)
    height = 2 * _MARGIN_PX + sum(block.height for block in blocks) + _GAP_PX * (len(blocks) - 1)
    sheet = Image.new("RGB", (WIDTH_PX, height), PAPER)
    top = _MARGIN_PX
    for block in blocks:
        sheet.paste(block, (_MARGIN_PX, top))
        top += block.height + _GAP_PX
    sheet.save(path, compress_level=_PACKED)
    log.info("drew %d people on a sheet of %d x %d px", len(people), *sheet.size)


def _draw_person(contents: Contents, width: int) -> list[Image.Image]:
    blocks = [draw_header(contents, width)]
    if contents.frames:
        blocks.append(_rule(width))
        if any(frame.person is not None for frame in contents.frames):
            blocks.append(draw_legend(width))
        blocks.append(draw_grid(contents, width))
    return blocks


def _space(width: int) -> Image.Image:
    return Image.new("RGB", (width, _BETWEEN_PEOPLE_PX), PAPER)


def _rule(width: int) -> Image.Image:
    return Image.new("RGB", (width, 1), RULE)
