"""The frames of a contact sheet, in rows, each with what was found in it and its verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from tapeless.bodies import Body
from tapeless.images import read_grey, read_rgb
from tapeless.pictures.contents import Contents, SheetFrame
from tapeless.pictures.heads import Picture
from tapeless.pictures.lettering import BAD, GOOD, INK, MUTED, PAPER, Colour, font, wrap
from tapeless.pictures.overlay import (
    LEFT,
    OUTLINE,
    RIGHT,
    SOMEBODY,
    View,
    draw_line,
    draw_outline,
    draw_skeleton,
    lay_over,
)
from tapeless.pictures.rendering import BodyRenderer, Layer

_GAP_PX = 16
_ROW_GAP_PX = 22
_ALL_PICTURES_PX = 2_000_000
_TALLEST_PX, _NARROWEST_PX = 430, 150
_BODY_OPACITY = 0.6
_FADING = 0.35
_AROUND_PERSON = 0.14
_NARROWEST_VIEW = 0.5
_REASON_LINES = 4
_CROSS_OPACITY = 0.75
_TIME_SIZE_PX, _REASON_SIZE_PX = 16, 14
_TIME_LINE_PX = 30
_LEGEND_PX = 24
_LEGEND: tuple[tuple[Colour, str], ...] = (
    (OUTLINE, "outline found in the picture"),
    ((141, 176, 216), "fitted body"),
    (RIGHT, "right side of the body"),
    (LEFT, "left side"),
)


@dataclass(frozen=True)
class Grid:
    """How many pictures stand beside one another, and the size of each in px."""

    columns: int
    width: int
    height: int


def arrange(count: int, aspect: float, width: int) -> Grid:
    """The grid for `count` pictures of an aspect (width / height) on a sheet `width` px wide.

    Pictures are as large as the sheet's size allows, for which their area is limited; a few more
    stand in a row where that fills the last row better.
    """
    most = max(1, (width + _GAP_PX) // (_NARROWEST_PX + _GAP_PX))

    def picture_width(columns: int) -> int:
        return (width - _GAP_PX * (columns - 1)) // columns

    def fits(columns: int) -> bool:
        wide = picture_width(columns)
        return wide <= _TALLEST_PX * aspect and count * wide**2 / aspect <= _ALL_PICTURES_PX

    fewest = next((columns for columns in range(1, most) if fits(columns)), most)
    columns = min(range(fewest, min(fewest + 2, most) + 1), key=lambda n: (-count % n, n))
    wide = picture_width(columns)
    return Grid(columns, wide, round(wide / aspect))


def choose_part(contents: Contents, width: int, height: int) -> tuple[int, int, int, int]:
    """The part of the frames to show: left, top, wide, high px.

    All frames of a measured video show the same part, that in which people are; those of a
    rejected one are shown whole, as there it matters what else is in view.
    """
    whole = (0, 0, width, height)
    boxes = np.array([p.box for frame in contents.frames for p in frame.people]).reshape(-1, 4)
    if not contents.is_measured or not len(boxes):
        return whole
    margin = _AROUND_PERSON * float(np.median(boxes[:, 3] - boxes[:, 1]))
    left, top = (boxes[:, :2].min(axis=0) - margin).clip(0)
    right, bottom = np.minimum(boxes[:, 2:].max(axis=0) + margin, [width, height])
    if (wanted := _NARROWEST_VIEW * (bottom - top)) > right - left:
        left = float(np.clip((left + right - wanted) / 2, 0, max(0.0, width - wanted)))
        right = min(left + wanted, width)
    return int(left), int(top), math.ceil(right) - int(left), math.ceil(bottom) - int(top)


def draw_grid(contents: Contents, width: int) -> Image.Image:
    """All frames of a video, in time order, at a width in px."""
    with Image.open(contents.frames[0].picture) as first:
        part = choose_part(contents, *first.size)
    grid = arrange(len(contents.frames), part[2] / part[3], width)
    view = View(*part, grid.width, grid.height)
    cells = []
    for frame in contents.frames:
        picture = draw_frame(frame, contents.bodies, view)
        cells.append(_captioned(picture, frame))
    return _stacked(cells, grid, width)


def draw_frame(frame: SheetFrame, bodies: Sequence[Body], view: View) -> Picture:
    """A frame's picture with what was found in it; a dropped one is faded and crossed out."""
    picture = view.part_of(read_rgb(frame.picture))
    layer = view.finer().blank()
    if frame.code is not None:
        picture = _faded(picture)
        for person in frame.people:
            draw_skeleton(layer, person, view.finer(), SOMEBODY)
        picture = lay_over(picture, layer)
        return lay_over(picture, _cross(view.finer()), _CROSS_OPACITY)
    if frame.body is not None:
        body = _seen_body(frame.name, bodies[frame.body], view.finer())
        if body is not None:
            picture = lay_over(picture, body, _BODY_OPACITY)
    if frame.silhouette is not None:
        draw_outline(layer, read_grey(frame.silhouette), view.finer())
    if frame.person is not None:
        draw_skeleton(layer, frame.person, view.finer())
    return lay_over(picture, layer)


def _seen_body(name: str, body: Body, view: View) -> Layer | None:
    if not len(body.posed_vertices):
        return None
    number = body.frames.tolist().index(name)
    focal = float(body.camera_focal_px[number])
    center = view.place(body.camera_center_px[number].astype(float)[None])[0]
    return BodyRenderer(view.width, view.height).seen_by_camera(
        body.posed_vertices[number],
        body.faces,
        (focal * view.scale[0], focal * view.scale[1]),
        (float(center[0]), float(center[1])),
    )


def _faded(picture: Picture) -> Picture:
    grey = picture.mean(axis=2, keepdims=True)
    paler = 0.4 * picture + 0.6 * grey
    return (paler + _FADING * (255 - paler)).astype(np.uint8)


def _cross(view: View) -> Layer:
    layer = view.blank()
    corner = np.array([view.width, view.height], dtype=float)
    draw_line(layer, np.array([[0, 0], corner]), BAD, 3)
    draw_line(layer, np.array([[corner[0], 0], [0, corner[1]]]), BAD, 3)
    return layer


def _captioned(picture: Picture, frame: SheetFrame) -> Image.Image:
    """A picture with its time and verdict below, and the reason for it."""
    height, width = picture.shape[:2]
    face, small = font(_TIME_SIZE_PX), font(_REASON_SIZE_PX)
    time = "" if frame.time_s is None else f"{frame.time_s:.2f} s"
    verdict, colour = ("kept", GOOD) if frame.code is None else (frame.code, BAD)
    lines = [(text, MUTED) for text in wrap(frame.reason or "", small, width, _REASON_LINES)]
    fits = face.getlength(time) + 12 + small.getlength(verdict) <= width
    if not fits:
        lines.insert(0, (verdict, colour))
    line_height = round(1.35 * _REASON_SIZE_PX)
    cell = Image.new("RGB", (width, height + _TIME_LINE_PX + line_height * len(lines)), PAPER)
    cell.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(cell)
    baseline = height + 0.7 * _TIME_LINE_PX
    draw.text((0, baseline), time, font=face, fill=INK, anchor="ls")
    if time and fits:
        draw.text((width, baseline), verdict, font=small, fill=colour, anchor="rs")
    for number, (text, shade) in enumerate(lines):
        top = height + _TIME_LINE_PX + line_height * number
        draw.text((0, top), text, font=small, fill=shade)
    return cell


def draw_legend(width: int) -> Image.Image:
    """What the colours of the frames' overlays mean, in a line."""
    legend = Image.new("RGB", (width, _LEGEND_PX), PAPER)
    draw = ImageDraw.Draw(legend)
    face = font(16)
    left, middle = 0.0, _LEGEND_PX / 2
    for colour, label in _LEGEND:
        edge = MUTED if colour == OUTLINE else colour
        swatch = (left, middle - 6, left + 20, middle + 6)
        draw.rounded_rectangle(swatch, radius=3, fill=colour, outline=edge)
        draw.text((left + 28, middle), label, font=face, fill=MUTED, anchor="lm")
        left += 28 + face.getlength(label) + 28
    return legend


def _stacked(cells: Sequence[Image.Image], grid: Grid, width: int) -> Image.Image:
    rows = [cells[n : n + grid.columns] for n in range(0, len(cells), grid.columns)]
    heights = [max(cell.height for cell in row) + _ROW_GAP_PX for row in rows]
    sheet = Image.new("RGB", (width, sum(heights)), PAPER)
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet.paste(cell, (column * (grid.width + _GAP_PX), sum(heights[:number])))
    return sheet
