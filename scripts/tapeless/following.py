"""Following several people at once: which of their sightings nobody else can be mixed up with.

`tapeless.identity` says who is who. Where several people are measured, two things more can go
wrong: people stand so close, or before each other, that a picture of one shows a part of another;
and people who look alike come so close that nobody can say who went which way. Sightings of both
kinds are named here, to be left out rather than guessed.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tapeless.identity import Sighting, colour_difference, strain

Box = NDArray[np.float64]
Track = Sequence[Sighting]

# How near people may be, as a share of the taller one's height between their body points. On two
# rendered people who drew apart, the outline of one had up to 2 % of the other in it at 0.07, and
# nothing of them from 0.14 on.
_MARGIN = 0.10
_LATELY_S = 1.0  # how long before or after being seen somebody's place or speed is still known
_NEIGHBOURS = 3  # sightings that speak for what somebody looks like
_CLEARLY = 0.10  # by how much less the colours differ of those who are one person
# How much further from a steady walk it must be that two have changed places than that they have
# not: in statures, at once and per second without seeing them.
_STEADIER = (0.3, 0.1)


def find_crowded(people: Sequence[Track], others: Sequence[Track] = ()) -> set[Sighting]:
    """Those of the people's sightings in whose frames somebody else is in the same place.

    Somebody who is hidden is not seen. So whoever was seen up to a second before or after, or in
    the frame before or after, is taken to be where a steady walk would have brought them.

    Args:
        people: the sightings of each person who is measured.
        others: those of everybody else, such as somebody who passes by.
    """
    crowded = set()
    everybody = [*people, *others]
    for person in people:
        rest = [track for track in everybody if track is not person]
        for sighting in person:
            boxes = [box for track in rest for box in _places(track, sighting)]
            if any(_touch(np.array(sighting.person.box), box) for box in boxes):
                crowded.add(sighting)
    return crowded


def find_doubtful(people: Sequence[Track]) -> set[Sighting]:
    """Those of the people's sightings that may show another of them.

    A sighting is doubtful if it looks more like somebody else. And when two who look alike have
    come so near that they may have changed places, nobody knows who is who afterwards: the
    sightings before or after that moment are doubtful, whichever are fewer.
    """
    strangers = {
        sighting
        for person in people
        for sighting in person
        if any(_looks_like(sighting, other, person) for other in people if other is not person)
    }
    tracks = [[s for s in _in_time_order(person) if s not in strangers] for person in people]
    return strangers | _beyond_exchanges(tracks)


def _touch(one: Box, other: Box) -> bool:
    """Whether two boxes (left, top, right, bottom) overlap, clothes included."""
    margin = _MARGIN * max(one[3] - one[1], other[3] - other[1])
    gap = np.maximum(one[:2], other[:2]) - np.minimum(one[2:], other[2:])
    return bool((gap < margin).all())


def _places(person: Track, elsewhere: Sighting) -> list[Box]:
    """Where somebody is in the frame of `elsewhere`, seen or not; nowhere if not seen lately."""
    seen = [np.array(s.person.box) for s in person if s.frame == elsewhere.frame]
    if seen or not any(_is_lately(sighting, elsewhere) for sighting in person):
        return seen
    return [_foresee(_in_time_order(person), elsewhere.frame)]


def _foresee(track: Track, frame: int) -> Box:
    """Where a steady walk brings somebody in a frame in which they are not seen."""
    boxes = np.array([sighting.person.box for sighting in track])
    if len(track) == 1:
        return np.asarray(boxes[0])
    frames = np.array([sighting.frame for sighting in track])
    first = int(np.clip(np.searchsorted(frames, frame) - 1, 0, len(frames) - 2))
    share = (frame - frames[first]) / (frames[first + 1] - frames[first])
    return np.asarray(boxes[first] + share * (boxes[first + 1] - boxes[first]))


def _is_lately(one: Sighting, other: Sighting) -> bool:
    return abs(one.frame - other.frame) <= 1 or abs(one.time_s - other.time_s) <= _LATELY_S


def _in_time_order(person: Track) -> list[Sighting]:
    return sorted(person, key=lambda sighting: sighting.frame)


def _looks_like(sighting: Sighting, other: Track, own: Track) -> bool:
    """Whether a sighting looks clearly more like another person than like the rest of its own."""
    rest = [s for s in own if s is not sighting]
    if not (sighting.is_dressed and other and rest):
        return False
    return _likeness([sighting], other) < _likeness([sighting], rest) - _CLEARLY


def _likeness(some: Track, others: Track) -> float:
    """How little the colours of the most alike of two lots of sightings differ, 0 to 1."""
    differences = sorted(colour_difference(a, b) for a in some for b in others)
    return float(np.mean(differences[:_NEIGHBOURS]))


def _beyond_exchanges(tracks: Sequence[Track]) -> set[Sighting]:
    """The sightings apart from the longest time in which nobody can have changed places."""
    groups = {number: {number} for number in range(len(tracks))}
    cuts: dict[int, set[int]] = {number: set() for number in groups}
    for one, other in itertools.combinations(groups, 2):
        if found := set(_exchanges(tracks[one], tracks[other])):
            joined = groups[one] | groups[other]
            groups |= dict.fromkeys(joined, joined)
            cuts[one] |= found
    doubtful: set[Sighting] = set()
    for group in {id(group): group for group in groups.values()}.values():
        sightings = [sighting for number in group for sighting in tracks[number]]
        edges = sorted(set().union(*(cuts[number] for number in group)))
        doubtful |= set(sightings) - _longest_span(sightings, edges)
    return doubtful


def _longest_span(sightings: Track, edges: Sequence[int]) -> set[Sighting]:
    """The most sightings between two of the frames with which another span begins."""
    spans: dict[int, set[Sighting]] = {}
    for sighting in sightings:
        spans.setdefault(bisect_right(edges, sighting.frame), set()).add(sighting)
    return max(spans.values(), key=len, default=set())


def _exchanges(one: Track, other: Track) -> Iterator[int]:
    """The frames between which and the one before it two people may have changed places."""
    frames = sorted({sighting.frame for sighting in (*one, *other)})
    for frame in frames[1:]:
        (before, after), (others_before, others_after) = (
            ([s for s in track if s.frame < frame][-_NEIGHBOURS:], _from(track, frame))
            for track in (one, other)
        )
        if _may_exchange(before, after, others_before, others_after):
            yield frame


def _from(track: Track, frame: int) -> Track:
    return [s for s in track if s.frame >= frame][:_NEIGHBOURS]


def _may_exchange(before: Track, after: Track, others_before: Track, others_after: Track) -> bool:
    """Whether two people may have changed places meanwhile, by their looks, places and steps."""
    straight = [(a, b) for a, b in ((before, after), (others_before, others_after)) if a and b]
    exchanged = [(a, b) for a, b in ((before, others_after), (others_before, after)) if a and b]
    if not exchanged or not straight:
        return False
    if any(strain(a[-1], b[0]) > 1 for a, b in exchanged):
        return False
    seconds = max(b[0].time_s - a[-1].time_s for a, b in exchanged)
    further = _mean(_unsteadiness, exchanged) - _mean(_unsteadiness, straight)
    if further > _STEADIER[0] + _STEADIER[1] * seconds:
        return False
    return _mean(_likeness, exchanged) - _mean(_likeness, straight) < _CLEARLY


def _mean(quality: Callable[[Track, Track], float], pairs: Sequence[tuple[Track, Track]]) -> float:
    return float(np.mean([quality(*pair) for pair in pairs]))


def _unsteadiness(before: Track, after: Track) -> float:
    """How far from one another two stretches of a way would meet half-way in time, in statures."""
    middle_s = (before[-1].time_s + after[0].time_s) / 2
    stature = max(before[-1].person.height_px, after[0].person.height_px, 1.0)
    ends = _extend(before[-1], before[-2:-1], middle_s), _extend(after[0], after[1:2], middle_s)
    return float(np.linalg.norm(ends[0] - ends[1])) / stature


def _extend(end: Sighting, beyond: Track, time_s: float) -> NDArray[np.float64]:
    """Where somebody is at a time, px, who goes on as between `beyond` and the end of their way.

    They are taken to stand if they were not seen lately before it.
    """
    place = _middle(end)
    for other in beyond:
        seconds = end.time_s - other.time_s
        if seconds and _is_lately(end, other):
            return place + (place - _middle(other)) * (time_s - end.time_s) / seconds
    return place


def _middle(sighting: Sighting) -> NDArray[np.float64]:
    person = sighting.person
    return np.asarray(person.points[person.present, :2].mean(axis=0))
