"""Draws where each measurement lies on a body, for docs/measurements.md.

`python docs/draw_measurements.py` writes a picture per measurement into `images/measurements/`
beside this file, or into the folder given as its argument: left the whole body, right from nearer
by.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tapeless.measurements import MeasuredBody, Measurement, load_table, measure
from tapeless.pictures.lettering import PAPER
from tapeless.pictures.overlay import lay_over
from tapeless.pictures.rendering import BodyRenderer, Ints
from tapeless.population import draw_adults, rest_body
from tapeless.tape import Floats

WIDTH_PX, HEIGHT_PX = 300, 400
_FINENESS = 4
TAPE, HIDDEN = (196, 30, 58), (238, 178, 186)
BODY = (170, 203, 238)
_NEAR_M = 0.42
"""Height of what the picture from nearer by shows at least."""
_SEEN_FROM: dict[str, float] = {"back_length": 180, "foot_length": 60, "head_height": 90}
"""Degrees to the left from which the picture on the right looks; for others 35, or 90 if tall."""
SEED = 5


@dataclass(frozen=True)
class _View:
    """A look at the body: from where, at what, how large."""

    degrees: float
    tilt_degrees: float
    middle: Floats
    pixels_per_metre: float

    def place(self, points: Floats) -> Floats:
        """Points (N, 3) as the viewer sees them: x right, y up, z to the viewer."""
        turn, tilt = np.radians(-self.degrees), np.radians(self.tilt_degrees)
        x = np.cos(turn) * points[:, 0] + np.sin(turn) * points[:, 2]
        z = np.cos(turn) * points[:, 2] - np.sin(turn) * points[:, 0]
        y = np.cos(tilt) * points[:, 1] - np.sin(tilt) * z
        return np.stack([x, y, np.sin(tilt) * points[:, 1] + np.cos(tilt) * z], axis=1)


def draw(
    vertices: Floats, faces: Ints, lines: Sequence[Floats], views: Sequence[_View]
) -> Image.Image:
    """One picture: the body and the lines on it, from each of the views."""
    size = (WIDTH_PX * _FINENESS, HEIGHT_PX * _FINENESS)
    picture = Image.new("RGB", (size[0] * len(views), size[1]), PAPER)
    renderer = BodyRenderer(*size)
    for number, view in enumerate(views):
        scale = view.pixels_per_metre * _FINENESS
        middle = view.place(view.middle[None])[0] * (1, 1, 0)
        layer = renderer.seen_from_afar(view.place(vertices) - middle, faces, scale)
        paper = np.full((size[1], size[0], 3), PAPER, np.uint8)
        panel = Image.fromarray(np.asarray(lay_over(paper, layer), np.uint8))
        for line in lines:
            _draw_line(panel, view.place(line) - middle, scale)
        picture.paste(panel, (number * size[0], 0))
    small = picture.resize((WIDTH_PX * len(views), HEIGHT_PX), Image.Resampling.LANCZOS)
    return small.quantize(palette=_palette(), dither=Image.Dither.NONE)


def _palette() -> Image.Image:
    """Few colours keep the files small; the tape has its own, which no shadow gets."""
    dark, light, paper = (np.array(colour, float) for colour in ((70, 98, 130), BODY, PAPER))
    shares = np.linspace(0, 1, 24)[:, None]
    shades = [dark + shares * (light - dark), light + shares[::3] * (paper - light), [paper]]
    for line in (TAPE, HIDDEN):
        shades += [np.array(line) + shares[:20:4] * (end - line) for end in (dark, light, paper)]
    colours = np.concatenate(shades).round().astype(np.uint8)
    image = Image.new("P", (1, 1))
    image.putpalette(colours.tobytes())
    return image


def _draw_line(panel: Image.Image, line: Floats, scale: float) -> None:
    """Draws a line; the farther half of one that is closed, which the body hides, is pale."""
    canvas = ImageDraw.Draw(panel)
    points = line[:, :2] * (scale, -scale) + np.array(panel.size) / 2
    is_closed = np.array_equal(line[0], line[-1])
    middle = (line[:, 2].min() + line[:, 2].max()) / 2
    is_hidden = is_closed & ((line[:-1, 2] + line[1:, 2]) / 2 < middle)
    for hidden in (True, False):
        for start in np.nonzero(is_hidden == hidden)[0]:
            ends = [tuple(points[start]), tuple(points[start + 1])]
            width = 1 if hidden else 3
            canvas.line(ends, fill=HIDDEN if hidden else TAPE, width=width * _FINENESS)


def lines_of(record: Measurement, measured: MeasuredBody) -> tuple[Floats, ...]:
    """Where a measurement lies; of one computed from others, where these lie."""
    parts = [measured.lines.get(part, ()) for part in record.parts]
    return measured.lines.get(record.name, tuple(line for lines in parts for line in lines))


def views_of(record: Measurement, vertices: Floats, lines: Sequence[Floats]) -> list[_View]:
    """The whole body from the front (or the back), and nearer by what has lines."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    whole = 0.94 * min(WIDTH_PX / (high - low)[0], HEIGHT_PX / (high - low)[1])
    degrees = _SEEN_FROM.get(record.name, 0)
    front = _View(180 if degrees == 180 else 0, 0, (low + high) / 2, whole)
    if not lines:
        return [front, _View(90, 0, (low + high) / 2, whole)]
    is_of_limb = any(len(line) > 2 for line in lines) and bool(record.bones)
    seen = np.concatenate(lines[:1] if is_of_limb or record.kind == "foot_length" else lines)
    low, high = seen.min(axis=0), seen.max(axis=0)
    tall = max(float((high - low).max()), _NEAR_M / 1.5)
    near = min(HEIGHT_PX, WIDTH_PX) / tall / 1.5
    if tall > 0.6:
        return [front, _View(degrees or 90, 0, front.middle, whole)]
    return [front, _View(degrees or 35, 12, (low + high) / 2, near)]


def main(folder: Path) -> None:
    """Draws all measurements into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    body = rest_body(draw_adults(1, seed=SEED, varied_beyond_prior=True)[0])
    table, vertices = load_table(), body.vertices.astype(float)
    measured = measure(body, table)
    for record in table.measurements:
        lines = lines_of(record, measured)
        picture = draw(vertices, body.faces, lines, views_of(record, vertices, lines))
        picture.save(folder / f"{record.name}.png", optimize=True)


if __name__ == "__main__":
    here = Path(__file__).parent / "images" / "measurements"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here)
