"""Files of a stage that were changed after it had written them are not trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tapeless.outcomes import DamagedStageError, Outcome, run_stage
from tapeless.people import person_folder, run_each_person, run_people_stage
from tapeless.seals import SEAL_FILE, find_damage, seal


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A stage that is done, with a table beside it and a picture in it."""
    (tmp_path / "pose.csv").write_text("x\n17\n")

    def work() -> Mapping[str, int]:
        (tmp_path / "pose/frame_1.json").write_text('{"x": 17}')
        (tmp_path / "pose/frame_1.png").write_bytes(b"a picture")
        return {"frames": 1}

    run_stage(tmp_path / "pose", [], work)
    return tmp_path / "pose"


def read_by_another(stage: Path) -> Outcome:
    return run_stage(stage.parent / "keypoints", [stage], dict)


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda stage: (stage / name).write_text(text)


def test_a_stage_as_it_was_written_is_read(stage: Path):
    assert find_damage(stage) == []
    assert read_by_another(stage).is_ok


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (write("frame_1.json", '{"x": 18}'), "frame_1.json"),
        (write("frame_1.json", ""), "frame_1.json"),
        (write("frame_1.png", "another picture"), "frame_1.png"),
        (write("../pose.csv", "x\n18\n"), "../pose.csv"),
        (write("outcome.json", "{"), "outcome.json"),
        (write(SEAL_FILE, "{"), SEAL_FILE),
        (lambda stage: (stage / "frame_1.json").unlink(), "frame_1.json"),
    ],
)
def test_a_stage_that_was_changed_is_removed_and_made_again(
    stage: Path, damage: Callable[[Path], object], named: str
):
    damage(stage)
    with pytest.raises(DamagedStageError, match=r"the same command makes it again") as error:
        read_by_another(stage)
    assert f"Not as they were: {named}." in str(error.value)
    assert not stage.exists()
    assert not (stage.parent / "keypoints").exists()


def test_pictures_may_be_forgotten(stage: Path):
    (stage / "frame_1.png").unlink()
    assert read_by_another(stage).is_ok


def test_a_stage_of_before_there_were_seals_is_trusted(stage: Path):
    (stage / SEAL_FILE).unlink()
    write("frame_1.json", '{"x": 18}')(stage)
    assert read_by_another(stage).is_ok


def test_what_is_made_anew_has_a_new_seal(stage: Path):
    write("frame_1.json", '{"x": 18}')(stage)
    seal(stage)
    assert read_by_another(stage).is_ok


def test_the_files_of_every_person_are_sealed(tmp_path: Path):
    stage, later = tmp_path / "keypoints", tmp_path / "bodies"

    def work(folder: Path) -> Mapping[str, int]:
        (folder / "frame_1.json").write_text("17")
        return {}

    run_stage(stage, [], lambda: run_each_person(stage, {1: work, 2: work}))
    assert run_people_stage(later, [stage], lambda *_: {}).is_ok
    assert find_damage(later) == []
    (person_folder(stage, 2) / "frame_1.json").write_text("18")
    with pytest.raises(DamagedStageError, match=r"person_2/frame_1\.json"):
        run_people_stage(later, [stage], lambda *_: {})
    assert not stage.exists()
