"""Two people who walk past each other, and a third who soon leaves, through all real stages."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from projects import QUICK, Project, make_project
from tapeless.images import read_grey
from tapeless.measurements import measure_body
from tapeless.outcomes import Outcome
from tapeless.people import people_of
from tapeless.population import draw_adults, rest_body

VIDEO = "crossing"
FRAMES = 10
STAGES = ("keypoints", "silhouettes", "bodies", "measurements")


@pytest.fixture(scope="module")
def truths() -> list[dict[str, float]]:
    """What would be measured on each of the three, in metres and kilograms."""
    return [measure_body(rest_body(adult)) for adult in draw_adults(2, 7, varied_beyond_prior=True)]


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory, truths: list[dict[str, float]]) -> Project:
    """The finished project; the height of the one in front is given."""
    from tapeless.synthetic import Shot
    from tapeless.synthetic.crowd import Walker, film_crowd

    front, behind = draw_adults(2, 7, varied_beyond_prior=True)
    left, right = (-0.9, 0.0), (0.9, 0.0)
    far_left, far_right = (-0.9, -0.7), (0.9, -0.7)
    walkers = [
        Walker(front, [left, left, right, right], clothes_seed=1),
        Walker(behind, [far_right, far_right, far_left, far_left], clothes_seed=2),
        Walker(behind, [(0.0, -1.2)] * 2, clothes_seed=5, presence=(0.0, 0.3)),
    ]
    shot = Shot(960, 640, seconds=2.5, frames_per_second=4, fill=(0.62, 0.7))
    project = make_project(tmp_path_factory.mktemp("people") / "project")
    film_crowd(walkers, project.folder / "videos/crossing.mp4", seed=3, shot=shot)
    project.configure(**QUICK | {"people": "all", "sampling": {"frames": FRAMES}})
    height = 100 * truths[0]["height"]
    project.write_sheet({"video": VIDEO, "path": "videos/crossing.mp4", "height_cm": height})
    project.run()
    return project


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_everybody_has_their_row(crossing: Project) -> None:
    rows = rows_of(crossing.results / "summary.csv")
    assert [(row["person"], row["status"], row["code"]) for row in rows] == [
        ("1", "measured", ""),
        ("2", "measured", ""),
        ("3", "rejected", "too_few_frames"),
    ]
    assert [row["scale"] for row in rows] == ["known_height", "estimated", ""]
    assert "Only 3 of the 10" in rows[2]["reason"]


@pytest.mark.parametrize("person", [1, 2])
def test_each_has_their_own_numbers(
    crossing: Project, truths: list[dict[str, float]], person: int
) -> None:
    row = rows_of(crossing.results / "summary.csv")[person - 1]
    own, others = truths[person - 1], truths[2 - person]
    for name, column, unit in (("waist", "waist_cm", 100), ("mass", "mass_kg", 1)):
        value, low, high = (float(row[column + end]) / unit for end in ("", "_low", "_high"))
        assert abs(value - own[name]) < abs(value - others[name]), name
        assert low < own[name] < high, name


def test_no_frame_is_used_in_which_they_touch(crossing: Project) -> None:
    folder = crossing.results / "videos" / VIDEO
    table = pd.read_csv(folder / "keypoints.csv", keep_default_na=False)
    assert table.groupby("person").frame.nunique().to_dict() == dict.fromkeys((1, 2, 3), FRAMES)
    middle = table[table.frame.isin(["frame_000005", "frame_000006"]) & (table.person < 3)]
    assert "kept" not in set(middle.verdict)
    assert "people_overlap" in set(middle.code)


def test_an_outline_holds_nobody_else(crossing: Project) -> None:
    silhouettes = people_of(crossing.results / "videos" / VIDEO / "silhouettes")
    first, second = ({p.name: p for p in silhouettes[n].glob("*.png")} for n in (1, 2))
    shared = first.keys() & second.keys()
    assert len(shared) >= 6
    for name in shared:
        one, other = read_grey(first[name]) > 127, read_grey(second[name]) > 127
        assert one.any() and other.any() and not (one & other).any()


def test_every_stage_keeps_them_apart_under_the_same_numbers(crossing: Project) -> None:
    for stage in STAGES:
        folder = crossing.results / "videos" / VIDEO / stage
        codes = {n: Outcome.read(own).code for n, own in people_of(folder).items()}
        assert codes == {1: None, 2: None, 3: "too_few_frames"}
        assert Outcome.read(folder) == Outcome.read(folder / "person_1")


def test_the_sheet_shows_all_of_them(crossing: Project) -> None:
    sheet = read_grey(crossing.results / "videos" / VIDEO / "sheet.png")
    assert sheet.shape[0] > 2000
