"""Files of a stage that were changed after it had written them are not trusted."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tapeless.camera import Camera
from tapeless.outcomes import (
    DamagedFileError,
    DamagedStageError,
    Outcome,
    read_sealed,
    run_stage,
)
from tapeless.people import person_folder, run_each_person, run_people_stage
from tapeless.seals import SEAL_FILE, find_damage, seal, seal_file, seal_of


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
        (write(SEAL_FILE, "[]"), SEAL_FILE),
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


def test_what_is_hidden_is_not_sealed(stage: Path):
    """Another job may be at work in a hidden folder, whose files come and go."""
    write(".unfinished", "half")(stage)
    (stage / ".recalled-1").mkdir()
    write(".recalled-1/frame_1.png", "half")(stage)
    seal(stage)
    write(".recalled-1/frame_1.png", "a picture")(stage)
    assert find_damage(stage) == []


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


def test_what_a_camera_told_is_not_trusted_when_it_was_changed(tmp_path: Path):
    """It decides how large everything is."""
    file = tmp_path / "camera.json"
    Camera(48.5, 1920, 600).write(file)
    assert Camera.read(file) == Camera(48.5, 1920, 600)
    file.write_text(file.read_text().replace("48.5", "38.5"))
    with pytest.raises(DamagedFileError, match=r"put aside as camera\.json\.changed"):
        Camera.read(file)
    Camera(48.5, 1920, 600).write(file)
    assert Camera.read(file) == Camera(48.5, 1920, 600)


def test_of_two_jobs_that_read_a_changed_file_both_say_so(tmp_path: Path):
    path = tmp_path / "statistics.csv"
    path.write_text("1\n")
    seal_file(path)
    path.write_text("2\n")
    for _ in range(2):
        with pytest.raises(DamagedFileError, match="not as tapeless wrote it"):
            read_sealed(path)


def test_a_file_that_never_was_is_said_not_to_be_there(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_sealed(tmp_path / "statistics.csv")


@pytest.mark.parametrize("seal", ["", "no checksum"])
def test_a_damaged_seal_is_no_seal_to_trust(tmp_path: Path, seal: str):
    file = tmp_path / "camera.json"
    Camera().write(file)
    seal_of(file).write_text(seal)
    with pytest.raises(DamagedFileError):
        Camera.read(file)


def test_the_seal_of_a_file_is_one_that_others_can_check(tmp_path: Path):
    file = tmp_path / "camera.json"
    Camera().write(file)
    check = ["sha256sum", "--check", "--strict", seal_of(file).name]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
