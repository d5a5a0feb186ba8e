"""The demo: its input made once, with the truth beside it, and compared with what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import tapeless.synthetic
from tapeless.demo import EMPTY_ROOM, PEOPLE, Demo, compare, prepare


@pytest.fixture
def filmed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The videos that were filmed; here a film is a file of one byte, made at once."""
    made: list[Path] = []

    def film(*arguments: object, seed: int) -> None:
        video = Path(str(arguments[-1]))
        video.parent.mkdir(parents=True, exist_ok=True)
        video.write_bytes(b"v")
        made.append(video)

    monkeypatch.setattr(tapeless.synthetic, "film_person", film)
    monkeypatch.setattr(tapeless.synthetic, "film_empty_room", film)
    return made


@pytest.fixture
def demo(filmed: list[Path], tmp_path: Path) -> Demo:
    demo = Demo(tmp_path / "demo")
    assert prepare(demo, tmp_path / "anny")
    return demo


def test_two_people_and_an_empty_room_are_filmed(demo: Demo, filmed: list[Path]) -> None:
    assert filmed == [demo.video(name) for name in (*PEOPLE, EMPTY_ROOM)]


def test_the_sheet_gives_the_true_heights_of_people_and_none_of_a_room(demo: Demo) -> None:
    sheet = pd.read_csv(demo.sheet, sep="\t", index_col="video")
    truth = json.loads(demo.truth.read_text())["people"]
    for name in PEOPLE:
        assert sheet.loc[name, "height_cm"] == pytest.approx(100 * truth[name]["height"], abs=0.06)
    assert pd.isna(sheet.loc[EMPTY_ROOM, "height_cm"])


def test_paths_are_those_of_the_folder_where_the_workflow_runs(demo: Demo) -> None:
    sheet = pd.read_csv(demo.sheet, sep="\t")
    assert sheet["path"].tolist() == [f"demo/videos/{name}.mp4" for name in sheet["video"]]
    assert json.loads(demo.config.read_text())["pathvars"]["results"] == "demo/results"


def test_the_two_are_of_different_builds(demo: Demo) -> None:
    truth = json.loads(demo.truth.read_text())["people"]
    bmi = {name: truth[name]["mass"] / truth[name]["height"] ** 2 for name in PEOPLE}
    assert abs(bmi["woman"] - bmi["man"]) > 3


def test_nothing_is_filmed_twice(demo: Demo, filmed: list[Path], tmp_path: Path) -> None:
    assert not prepare(demo, tmp_path / "anny")
    assert len(filmed) == 3


def test_a_lost_video_is_filmed_again(demo: Demo, filmed: list[Path], tmp_path: Path) -> None:
    demo.video("man").unlink()
    assert prepare(demo, tmp_path / "anny")
    assert demo.video("man").exists()


def test_films_of_another_version_are_made_again(
    demo: Demo, filmed: list[Path], tmp_path: Path
) -> None:
    content = json.loads(demo.truth.read_text()) | {"recipe": "of an older version"}
    demo.truth.write_text(json.dumps(content))
    assert prepare(demo, tmp_path / "anny")
    assert len(filmed) == 6


@pytest.mark.parametrize(
    "source", ["units.py", "bodies.py", "clothes.py", "measurements.yaml", "demo.py"]
)
def test_films_and_truth_are_made_again_when_what_makes_them_changes(
    demo: Demo,
    filmed: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    read = Path.read_bytes

    def read_changed(path: Path) -> bytes:
        return read(path) + (b"#" if path.name == source else b"")

    monkeypatch.setattr(Path, "read_bytes", read_changed)
    assert prepare(demo, tmp_path / "anny")
    assert len(filmed) == 6


def test_films_stay_when_something_else_changes(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def read_changed(path: Path) -> bytes:
        return read(path) + (b"#" if path.name in ("selection.py", "cli.py") else b"")

    monkeypatch.setattr(Path, "read_bytes", read_changed)
    assert not prepare(demo, tmp_path / "anny")


def test_errors_are_measured_less_true_in_the_units_of_the_reports(demo: Demo) -> None:
    truth = json.loads(demo.truth.read_text())["people"]["man"]
    demo.results.mkdir()
    pd.DataFrame(
        {
            "video": ["man", "man", EMPTY_ROOM],
            "measurement": ["waist", "mass", "waist"],
            "unit": ["cm", "kg", "cm"],
            "50%": [100 * truth["waist"] + 2, truth["mass"] - 3, None],
            "low": [70.0, 60.0, None],
            "high": [90.0, 80.0, None],
        }
    ).to_csv(demo.results / "measurements.csv")
    table = compare(demo).set_index("measurement")
    assert table["video"].tolist() == ["man", "man"]
    assert table["true"].to_dict() == pytest.approx(
        {"waist": 100 * truth["waist"], "mass": truth["mass"]}
    )
    assert table["error"].to_dict() == pytest.approx({"waist": 2, "mass": -3})
