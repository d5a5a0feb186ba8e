"""The contact sheet of a video: the numbers, and every frame with what was found in it."""

from __future__ import annotations

import logging
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


def draw_sheet(contents: Contents, path: Path) -> None:
    """Writes the contact sheet of a video as a PNG."""
    inner = WIDTH_PX - 2 * _MARGIN_PX
    blocks = [draw_header(contents, inner)]
    if contents.frames:
        blocks.append(_rule(inner))
        if any(frame.person is not None for frame in contents.frames):
            blocks.append(draw_legend(inner))
        blocks.append(draw_grid(contents, inner))
    height = 2 * _MARGIN_PX + sum(block.height for block in blocks) + _GAP_PX * (len(blocks) - 1)
    sheet = Image.new("RGB", (WIDTH_PX, height), PAPER)
    top = _MARGIN_PX
    for block in blocks:
        sheet.paste(block, (_MARGIN_PX, top))
        top += block.height + _GAP_PX
    sheet.save(path)
    log.info("drew %d frames on a sheet of %d x %d px", len(contents.frames), *sheet.size)


def _rule(width: int) -> Image.Image:
    return Image.new("RGB", (width, 1), RULE)
