"""How much of the world a video shows, as far as its file names the lens."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
FOCAL_LENGTH_TAGS = {
    "com.apple.quicktime.camera.focal_length.35mm_equivalent": re.compile(rf"^{_NUMBER} ?(mm)?$"),
    "com.blackmagic-design.camera.lensType": re.compile(rf"\b{_NUMBER} ?mm$"),
}
"""Tags with a focal length in mm that is converted to film of 35 mm, and where in them it stands.

Apple's own camera writes the first (`27`, `50.00mm`), Blackmagic Camera the second (`iPhone 16 Pro
24mm`). Others give the length of the lens itself, which says nothing without the sensor's size, or
nothing at all, as Android's cameras do.
"""

HALF_SPAN_MM = 16.5
"""Half of what the longer side of a phone's video spans, on film of 35 mm.

A focal length is converted so that the diagonal of a *photograph* fits, 43.3 mm. Of one of 4:3 the
longer side then spans 34.6 mm, half of it 17.3. A video is as wide, or narrower by what stabilising
needs: nothing to 18 % (an iPhone 7, measured with a ruler in both). Its height follows from its own
shape, for it is cut from the middle. 16.5 is a guess amid these, good to some 8 %.
"""

_PLAUSIBLE_MM = (10.0, 400.0)


def find_focal_length_mm(tags: Mapping[str, str]) -> float | None:
    """The focal length that a file names, converted to film of 35 mm; None if it names none."""
    for name, pattern in FOCAL_LENGTH_TAGS.items():
        if match := pattern.search(tags.get(name, "").strip()):
            length_mm = float(match[1])
            if _PLAUSIBLE_MM[0] <= length_mm <= _PLAUSIBLE_MM[1]:
                return length_mm
    return None


def guess_vertical_fov_degrees(focal_length_mm: float, width: int, height: int) -> float:
    """The angle that the height of an upright picture spans, for a lens as the file names it.

    Args:
        focal_length_mm: converted to film of 35 mm.
        width: of the upright picture, in the same unit as `height`.
        height: of the upright picture.
    """
    half_height_mm = HALF_SPAN_MM * height / max(width, height)
    return math.degrees(2 * math.atan(half_height_mm / focal_length_mm))
