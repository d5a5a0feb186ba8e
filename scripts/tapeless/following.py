"""Following several people at once: which of their sightings nobody else can be mixed up with.

`tapeless.identity` says who is who. Where several people are measured, two things more can go
wrong: people stand so close, or before each other, that a picture of one shows a part of another;
and people who look alike come so close that nobody can say who went which way. Sightings of both
kinds are named here, to be left out rather than guessed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tapeless.identity import Sighting

Box = NDArray[np.float64]

_MARGIN = 0.06  # of the larger person's height: how far clothes and hair go beyond the body points
_FORESEEN_S = 1.0  # how long after (or before) being seen somebody's place is still known


def find_crowded(
    sightings: Sequence[Sighting], people: Sequence[Sequence[Sighting]]
) -> set[Sighting]:
    """Those of the people's sightings in whose frames somebody else is in the same place.

    Somebody who is hidden is not seen. So a person who was seen shortly before or after is taken to
    stand where a steady walk would have brought them.

    Args:
        sightings: everybody seen, those who are not measured, too.
        people: the sightings of each person who is measured.
    """
    crowded = set()
    for person in people:
        own = set(person)
        others = [other for other in people if other is not person]
        for sighting in person:
            seen = [s for s in sightings if s.frame == sighting.frame and s not in own]
            boxes = [np.array(s.person.box) for s in seen]
            boxes += [
                box
                for other in others
                if not any(s.frame == sighting.frame for s in other)
                and (box := _foresee(other, sighting.time_s)) is not None
            ]
            if any(_touch(np.array(sighting.person.box), box) for box in boxes):
                crowded.add(sighting)
    return crowded


def _touch(one: Box, other: Box) -> bool:
    """Whether two boxes (left, top, right, bottom) overlap, clothes included."""
    margin = _MARGIN * max(one[3] - one[1], other[3] - other[1])
    gap = np.maximum(one[:2], other[:2]) - np.minimum(one[2:], other[2:])
    return bool((gap < margin).all())


def _foresee(person: Sequence[Sighting], time_s: float) -> Box | None:
    """Where somebody is at a time when they are not seen; None if that was too long ago."""
    track = sorted(person, key=lambda sighting: sighting.time_s)
    times = np.array([sighting.time_s for sighting in track])
    boxes = np.array([sighting.person.box for sighting in track])
    after = int(np.searchsorted(times, time_s))
    is_between = 0 < after < len(times)
    near = times[max(after - 1, 0) : after + 1]
    if np.abs(near - time_s).min() > _FORESEEN_S:
        return None
    first = after - 1 if is_between else (0 if after == 0 else len(times) - 2)
    if len(times) == 1:
        return boxes[0]
    share = (time_s - times[first]) / (times[first + 1] - times[first])
    return np.asarray(boxes[first] + share * (boxes[first + 1] - boxes[first]))
