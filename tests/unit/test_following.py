"""People who meet are kept apart: a frame that may show two of them, or the other one, is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
import pytest
from puppets import GREEN, GREY, RED, Clothes, picture_of, standing

from tapeless.following import find_crowded, find_doubtful
from tapeless.identity import Colours, Sighting, clothing_colours, group_sightings
from tapeless.keypoints import Person

STEP_S = 0.25
STATURE = 200.0
FRAMES = range(24)

Walk = Mapping[int, Person]


def walk(start: float, end: float, hidden: Iterable[int] = ()) -> Walk:
    """Somebody who walks through a picture: their points in the frames in which they are seen."""
    places = np.linspace(start, end, len(FRAMES))
    seen = sorted({*FRAMES} - {*hidden})
    return {frame: standing(x=places[frame], stature=STATURE) for frame in seen}


@cache
def colours_of(clothes: Clothes, take: int) -> Colours:
    """What is seen of clothes: not quite the same in each of four takes."""
    person = standing(stature=STATURE)
    return clothing_colours(picture_of((person, clothes), seed=take), person)


def sightings_of(*people: tuple[Walk, Clothes], step_s: float = STEP_S) -> list[list[Sighting]]:
    """Those of each person, in the frames in which they are seen."""
    return [
        [
            Sighting(frame, frame * step_s, person, colours_of(clothes, frame % 4))
            for frame, person in path.items()
        ]
        for path, clothes in people
    ]


def crowded_frames(*people: list[Sighting]) -> list[int]:
    crowded = find_crowded(people)
    return sorted({sighting.frame for sighting in crowded})


def doubtful_frames(*people: list[Sighting]) -> list[int]:
    crowded = find_crowded(people)
    clear = [[s for s in person if s not in crowded] for person in people]
    return sorted({sighting.frame for sighting in find_doubtful(clear)})


def test_people_who_cross_keep_their_identity():
    one, other = sightings_of((walk(100, 900), RED), (walk(900, 100, hidden=[11, 12]), GREEN))
    groups = group_sightings([*one, *other])
    assert {frozenset(group) for group in groups} >= {frozenset(one)}
    clear = set(other) - find_crowded([one, other])
    assert any(clear <= set(group) for group in groups)
    assert not find_doubtful([one, sorted(clear, key=lambda s: s.frame)])


def test_frames_in_which_people_touch_are_crowded_and_the_others_are_not():
    one, other = sightings_of((walk(100, 900), RED), (walk(900, 100), GREEN))
    assert crowded_frames(one, other) == [11, 12]


def test_somebody_who_is_hidden_is_expected_behind_who_hides_them():
    one, other = sightings_of((walk(100, 900), RED), (walk(900, 100, hidden=range(9, 15)), GREEN))
    assert crowded_frames(one, other) == [11, 12]


def test_so_is_who_is_hidden_in_one_of_few_frames():
    there = standing(x=520, stature=STATURE)
    behind = {frame: there for frame in FRAMES if frame != 12}
    one, other = sightings_of((walk(480, 480, FRAMES[:12]), RED), (behind, GREEN), step_s=3.0)
    assert 12 in crowded_frames(one, other)


@pytest.mark.parametrize("hidden", [range(12, 24), range(12)])
def test_also_who_never_comes_out_again_or_was_never_seen_before(hidden: range):
    one, other = sightings_of((walk(500, 500), RED), (walk(400, 600, hidden), GREEN))
    crowded = crowded_frames(one, other)
    assert {12, 13, 14} <= {*crowded} if hidden[0] else {9, 10, 11} <= {*crowded}
    assert {0, 23} - {*crowded}  # long before or after, they may be anywhere


def test_a_passer_by_who_is_not_measured_is_in_the_way_too():
    one, other = sightings_of((walk(500, 500), RED), ({5: standing(x=530, stature=190)}, GREEN))
    crowded = {s.frame for s in find_crowded([one], [other])}
    assert crowded == {*range(1, 10)}  # a second before and after, they may be hidden there


def test_so_is_a_passer_by_while_hidden_behind_who_is_measured():
    behind = {frame: standing(x=500, stature=190) for frame in (8, 14)}
    one, other = sightings_of((walk(500, 500), RED), (behind, GREEN))
    assert {s.frame for s in find_crowded([one], [other])} >= {*range(8, 15)}


def test_people_side_by_side_with_a_gap_are_in_nobodys_way():
    elsewhere = 300 + 0.5 * STATURE  # they are 0.36 wide
    left, right = sightings_of((walk(300, 300), GREY), (walk(elsewhere, elsewhere), GREY))
    assert crowded_frames(left, right) == []
    assert doubtful_frames(left, right) == []


def test_after_people_who_look_alike_have_crossed_nobody_knows_who_is_who():
    one, other = sightings_of((walk(100, 740), GREY), (walk(900, 260, hidden=range(13, 17)), GREY))
    assert doubtful_frames(one, other) == list(range(17, 24))


def test_so_it_is_however_rarely_they_are_seen():
    rarely = [0, 5, 10, 15, 20]
    one, other = ({f // 5: path[f] for f in rarely} for path in (walk(100, 900), walk(950, 150)))
    people = sightings_of((one, GREY), (other, GREY), step_s=2.0)
    bounce = [[*people[0][:3], *people[1][3:]], [*people[1][:3], *people[0][3:]]]
    assert len(find_doubtful(bounce)) in (4, 6)


def test_who_look_alike_and_stay_in_their_places_are_sure_however_rarely_they_are_seen():
    here, there = standing(x=300, stature=STATURE), standing(x=460, stature=STATURE)
    rarely = [0, 8, 16, 23]
    people = sightings_of((dict.fromkeys(rarely, here), GREY), (dict.fromkeys(rarely, there), GREY))
    assert doubtful_frames(*people) == []


def test_who_look_alike_and_walk_up_to_each_other_and_back_may_have_passed():
    to_and_fro = walk(100, 930), walk(900, 70)
    there_and_back = [{f: w[min(f, 22 - f)] for f in range(23)} for w in to_and_fro]
    people = sightings_of(*((path, GREY) for path in there_and_back))
    assert doubtful_frames(*people)


def test_people_in_clothes_that_differ_may_cross_as_often_as_they_like():
    there, back = walk(300, 700), walk(700, 300)
    to_and_fro = {frame: (there if frame < 12 else back)[frame] for frame in FRAMES}
    people = sightings_of((walk(500, 500), RED), (to_and_fro, GREEN))
    assert doubtful_frames(*people) == []


def test_three_who_look_alike_are_followed_as_long_as_all_of_them_are_sure():
    one, two, three = sightings_of(
        (walk(60, 560), GREY), (walk(620, 120), GREY), (walk(930, 930), GREY)
    )
    doubtful = find_doubtful([one, two, three])
    assert {s.frame for s in doubtful & {*one}} == {s.frame for s in doubtful & {*two}}
    assert not doubtful & {*three}  # who stood apart all the time


def test_a_sighting_that_looks_like_somebody_else_is_doubtful():
    one, other = sightings_of((walk(200, 200), RED), (walk(800, 800), GREEN))
    stray = other.pop(7)
    assert find_doubtful([[*one[:7], stray, *one[8:]], other]) == {stray}


def test_nobody_and_one_alone_are_never_mixed_up():
    (one,) = sightings_of((walk(100, 900), RED))
    assert find_crowded([one]) == find_doubtful([one]) == find_doubtful([]) == set()
