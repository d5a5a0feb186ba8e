"""The adults of the population: who they are, and that they are who the numbers say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anny
import numpy as np
import pandas as pd
import pytest
import torch
from anny.models import full_model

from tapeless import population
from tapeless.anny_model import load_model, read_target
from tapeless.measurements import measure_body
from tapeless.population import Adult, draw_adults, rest_body, rest_shapes


@pytest.fixture(scope="module")
def adults() -> list[Adult]:
    return draw_adults(40, seed=100)


@pytest.fixture(scope="module")
def measured(adults: list[Adult]) -> pd.DataFrame:
    """Sex and measurements of the adults, SI."""
    return measured_adults(adults)


def measured_adults(adults: list[Adult]) -> pd.DataFrame:
    """Likewise of others."""
    table = pd.DataFrame(measure_body(rest_body(adult)) for adult in adults)
    return table.assign(sex=[a.sex for a in adults], bmi=table["mass"] / table["height"] ** 2)


def test_women_and_men_come_in_turn(adults: list[Adult]) -> None:
    assert [adult.sex for adult in adults[:4]] == ["female", "male", "female", "male"]


def test_gender_is_near_that_of_the_sex(adults: list[Adult]) -> None:
    for adult in adults:
        distance = abs(adult.phenotypes["gender"] - (adult.sex == "female"))
        assert distance <= 0.1


def test_statures_match_the_population(measured: pd.DataFrame) -> None:
    for sex, (mean, sd) in population.STATURE_M.items():
        statures = measured.loc[measured["sex"] == sex, "height"]
        assert abs(statures.mean() - mean) < 3 * sd / np.sqrt(len(statures))
        assert sd / 2 < statures.std() < 2 * sd


def test_nobody_is_of_unheard_of_size(measured: pd.DataFrame) -> None:
    assert measured["height"].between(1.499, 1.981).all()
    assert measured["bmi"].between(16.9, 38.1).all()


def test_people_of_one_bmi_differ_in_girth(measured: pd.DataFrame) -> None:
    men = measured[measured["sex"] == "male"]
    unexplained = men["waist"] - np.polyval(np.polyfit(men["bmi"], men["waist"], 1), men["bmi"])
    assert 0.015 < unexplained.std() < 0.06


def test_the_same_seed_gives_the_same_people_and_a_longer_list_the_same_start() -> None:
    few, more, others = draw_adults(1, seed=5), draw_adults(2, seed=5), draw_adults(1, seed=6)
    assert few[0].local_changes == pytest.approx(more[0].local_changes, abs=1e-3)
    assert few[0].phenotypes == pytest.approx(more[0].phenotypes, abs=1e-3)
    assert few[0].phenotypes != pytest.approx(others[0].phenotypes, abs=1e-3)


def test_evaluated_bodies_vary_in_ways_that_the_prior_does_not() -> None:
    (known,), (evaluated,) = draw_adults(1, 7), draw_adults(1, 7, varied_beyond_prior=True)
    beyond = set(evaluated.local_changes) - set(known.local_changes)
    assert beyond == {"stomach-navel-out", "stomach-navel-up"}
    left, right = (evaluated.local_changes[f"{side}-upperarm-fat-incr"] for side in "lr")
    assert left != right
    left, right = (known.local_changes[f"{side}-upperarm-fat-incr"] for side in "lr")
    assert left == right != 0


def test_even_builds_reach_the_ends_of_their_ranges() -> None:
    table = measured_adults(draw_adults(40, seed=100, builds="even"))
    assert table["height"].min() < 1.53 and table["height"].max() > 1.92
    assert table["bmi"].min() < 18 and table["bmi"].max() > 36
    assert table["height"].between(1.499, 1.981).all() and table["bmi"].between(16.9, 38.1).all()


def test_builds_may_be_even_while_statures_are_as_in_the_population(measured: pd.DataFrame) -> None:
    table = measured_adults(draw_adults(40, seed=100, builds="even_bmi"))
    assert np.median(abs(table["height"] - measured["height"])) < 0.002
    assert table["bmi"].min() < 18 and table["bmi"].max() > 36


def test_a_rest_body_stands_on_the_floor_upright_and_faces_forward(adults: list[Adult]) -> None:
    body = rest_body(adults[0])
    joints = dict(zip(body.joint_names.tolist(), body.joints, strict=True))
    assert body.vertices[:, 1].min() == pytest.approx(0, abs=1e-6)
    assert joints["head"][1] > joints["spine03"][1] > joints["foot.L"][1]
    assert joints["toe1-1.L"][2] > joints["foot.L"][2]
    assert joints["upperarm01.L"][0] > 0 > joints["upperarm01.R"][0]


def test_bodies_of_many_are_those_of_each(adults: list[Adult]) -> None:
    vertices, joints = rest_shapes(adults[:3])
    body = rest_body(adults[1])
    np.testing.assert_allclose(vertices[1], body.vertices, atol=1e-5)
    np.testing.assert_allclose(joints[1], body.joints, atol=1e-5)


def test_targets_are_read_as_anny_reads_them() -> None:
    target = (
        Path(anny.__file__).parent / "data/mpfb2/targets/torso/torso-scale-horiz-incr.target.gz"
    )
    world = full_model.roma.Linear(0.1 * torch.eye(3, dtype=torch.float64))[None]
    arguments = (target, 20000, world, torch.float64)
    torch.testing.assert_close(read_target(*arguments), full_model.load_blend_shape(*arguments))


def test_the_model_has_bodies_to_vary_but_no_faces() -> None:
    labels = load_model().local_change_labels
    assert "measure-waist-circ-incr" in labels
    assert not [label for label in labels if "nose" in label or "eye" in label]


POSE = """
import torch
from tapeless.anny_model import load_model
model = load_model()
bones, changes = len(model.bone_labels), len(model.local_change_labels)
model(torch.eye(4).expand(1, bones, 4, 4), torch.full((1, 6), 0.5), torch.zeros(1, changes))
"""


def test_nothing_is_said_to_who_watches_while_a_body_is_loaded_and_posed() -> None:
    load_model()  # which says something when it is built
    run = subprocess.run([sys.executable, "-c", POSE], capture_output=True, text=True, check=True)
    assert run.stdout + run.stderr == ""
