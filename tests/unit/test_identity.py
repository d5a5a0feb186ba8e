"""One person is one person through a turn and a walk; two are two, wherever they stand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from puppets import GREEN, GREY, RED, Clothes, picture_of, standing

from tapeless.identity import Sighting, clothing_colours, group_sightings
from tapeless.keypoints import Person

STEP_S = 0.5


def seen(frame: int, person: Person, clothes: Clothes, time_s: float | None = None) -> Sighting:
    colours = clothing_colours(picture_of((person, clothes), seed=frame), person)
    return Sighting(frame, frame * STEP_S if time_s is None else time_s, person, colours)


def frames_of(groups: list[list[Sighting]]) -> list[list[int]]:
    return [sorted(sighting.frame for sighting in group) for group in groups]


def test_somebody_who_turns_in_place_is_one_person():
    turn = [seen(i, standing(width=abs(np.cos(i / 12 * np.pi))), RED) for i in range(24)]
    assert frames_of(group_sightings(turn)) == [list(range(24))]


def test_a_shirt_that_differs_at_the_back_splits_nobody():
    back = Clothes(shirt=(230, 225, 215), trousers=RED.trousers)
    turn = [seen(i, standing(), back if 6 <= i < 18 else RED) for i in range(24)]
    assert frames_of(group_sightings(turn)) == [list(range(24))]


def test_somebody_who_walks_towards_the_camera_is_one_person():
    walk = [
        seen(i, standing(x=100 + 5 * i, soles=400 + 8 * i, stature=180 + 16 * i), GREY)
        for i in range(20)
    ]
    assert frames_of(group_sightings(walk)) == [list(range(20))]


def test_the_same_clothes_far_apart_in_time_and_place_are_one_person():
    visits = [seen(i, standing(x=80, stature=300), GREEN) for i in range(3)]
    visits += [seen(40 + i, standing(x=260, stature=420), GREEN) for i in range(3)]
    assert len(group_sightings(visits)) == 1


def test_a_detector_that_takes_one_then_the_other_is_seen_through():
    left, right = standing(x=90, stature=420), standing(x=260, stature=380)
    jumps = [seen(i, left if i % 3 else right, RED if i % 3 else GREEN) for i in range(12)]
    assert frames_of(group_sightings(jumps)) == [
        [1, 2, 4, 5, 7, 8, 10, 11],
        [0, 3, 6, 9],
    ]


def test_two_people_one_after_the_other_on_the_same_mark_are_two():
    queue = [seen(i, standing(), RED if i < 14 else GREEN) for i in range(24)]
    assert frames_of(group_sightings(queue)) == [list(range(14)), list(range(14, 24))]


def test_twins_side_by_side_are_two_because_both_are_in_the_same_frame():
    places = (standing(x=90, stature=400), standing(x=250, stature=400))
    twins = [seen(i, place, GREY) for i, place in itertools.product(range(6), places)]
    groups = group_sightings(twins)
    assert frames_of(groups) == [list(range(6))] * 2
    for group in groups:
        assert len({sighting.person.box[0] for sighting in group}) == 1


def test_the_order_of_sightings_does_not_matter():
    people = [
        seen(i, standing(x=x, stature=400), clothes)
        for i in range(5)
        for x, clothes in ((90, RED), (250, GREEN))
    ]
    shuffled = [people[i] for i in np.random.default_rng(4).permutation(len(people))]
    expected = {frozenset(id(s) for s in group) for group in group_sightings(people)}
    assert {frozenset(id(s) for s in group) for group in group_sightings(shuffled)} == expected


def test_light_that_changes_makes_nobody_another_person():
    def lit(factor: float) -> Clothes:
        return Clothes(*(tuple(round(c * factor) for c in cloth) for cloth in vars(RED).values()))

    day = [seen(i, standing(), lit(1.1 - 0.04 * i)) for i in range(10)]
    assert len(group_sightings(day)) == 1


def test_where_no_clothes_are_seen_the_place_decides():
    hidden = (None, None, None)
    here, there = standing(x=80, stature=120), standing(x=300, stature=120)
    near = [Sighting(i, i * STEP_S, here, hidden) for i in range(3)]
    far = Sighting(3, 1.1, there, hidden)
    assert frames_of(group_sightings([*near, far])) == [[0, 1, 2], [3]]


def test_a_sighting_without_clothes_is_no_bridge_between_two_people():
    here, there = standing(x=80, stature=300), standing(x=250, stature=330)
    ghost = Sighting(3, 3 * STEP_S, standing(x=165, stature=310), (None, None, None))
    left = [seen(i, here, RED) for i in range(3)]
    right = [seen(i, there, GREEN) for i in range(4, 7)]
    for group in group_sightings([*left, ghost, *right]):
        assert not {0, 4} <= {sighting.frame for sighting in group}


@pytest.mark.parametrize("x", [-40, 400])
def test_somebody_half_out_of_the_picture_still_has_colours_or_none(x):
    person = standing(x=x)
    colours = clothing_colours(picture_of((person, RED)), person)
    assert all(part is None or part.sum() == pytest.approx(1) for part in colours)


def test_nobody_at_all_makes_no_groups():
    assert group_sightings([]) == []
