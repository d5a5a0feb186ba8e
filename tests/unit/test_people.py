"""Several people have directories of their own in every stage; one person has the stage's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from tapeless.outcomes import Outcome, Rejected
from tapeless.people import people_of, person_folder, rows_of_person, run_people_stage

TOO_FEW = Outcome("too_few_frames", "Only 2 of the 24 sampled frames can be measured.")


def stage_of(folder: Path, *people: Outcome) -> Path:
    """A stage's directory with several people, in the order of their numbers."""
    folder.mkdir()
    for number, outcome in enumerate(people, start=1):
        person_folder(folder, number).mkdir()
        outcome.write(person_folder(folder, number))
    people[0].write(folder)
    return folder


def stage_of_one(folder: Path, outcome: Outcome) -> Path:
    folder.mkdir()
    outcome.write(folder)
    return folder


class Stage:
    """Work that notes for whom it was called, and rejects whom it is told to."""

    def __init__(self, *rejects: int) -> None:
        self.calls: dict[int, tuple[Path, ...]] = {}
        self.rejects = rejects

    def __call__(self, person: int, output: Path, *upstream: Path) -> Mapping[str, int]:
        self.calls[person] = (output, *upstream)
        assert output.is_dir()
        if person in self.rejects:
            raise Rejected("no_fit", "No body explains the pictures.", estimates=0)
        return {"estimates": 10 * person}


def test_a_stage_of_one_person_is_their_directory(tmp_path: Path):
    stage = stage_of_one(tmp_path / "keypoints", Outcome())
    (stage / "frame_000001.json").touch()
    assert people_of(stage) == {1: stage}


def test_people_are_numbered_in_the_order_of_numbers_and_not_of_names(tmp_path: Path):
    stage = stage_of(tmp_path / "keypoints", *[Outcome()] * 11)
    (stage / "person_0").mkdir()
    (stage / "person_12_old").mkdir()
    assert list(people_of(stage)) == list(range(1, 12))
    assert people_of(stage)[11] == stage / "person_11"


def test_a_stage_runs_once_for_each_person_on_their_own_files(tmp_path: Path):
    frames = stage_of_one(tmp_path / "frames", Outcome())
    keypoints = stage_of(tmp_path / "keypoints", Outcome(), Outcome())
    bodies, work = tmp_path / "bodies", Stage()
    outcome = run_people_stage(bodies, [frames, keypoints], work)
    assert work.calls == {
        n: (bodies / f"person_{n}", frames, keypoints / f"person_{n}") for n in (1, 2)
    }
    assert outcome == Outcome.read(bodies) == Outcome(counts={"estimates": 10})
    assert Outcome.read(people_of(bodies)[2]) == Outcome(counts={"estimates": 20})


def test_of_one_person_it_runs_as_a_stage_does(tmp_path: Path):
    keypoints, work = stage_of_one(tmp_path / "keypoints", Outcome()), Stage()
    assert run_people_stage(tmp_path / "bodies", [keypoints], work).counts == {"estimates": 10}
    assert work.calls == {1: (tmp_path / "bodies", keypoints)}
    assert people_of(tmp_path / "bodies") == {1: tmp_path / "bodies"}


@pytest.mark.parametrize("people", [(Outcome(), TOO_FEW), (TOO_FEW, Outcome())])
def test_who_was_rejected_before_stays_so_and_the_others_go_on(tmp_path: Path, people):
    keypoints, work = stage_of(tmp_path / "keypoints", *people), Stage()
    run_people_stage(tmp_path / "bodies", [keypoints], work)
    outcomes = [Outcome.read(folder) for folder in people_of(tmp_path / "bodies").values()]
    assert [outcome.code for outcome in outcomes] == [outcome.code for outcome in people]
    assert list(work.calls) == [n for n, outcome in enumerate(people, start=1) if outcome.is_ok]
    assert Outcome.read(tmp_path / "bodies") == outcomes[0]


def test_a_rejection_of_one_person_is_no_other_persons(tmp_path: Path):
    keypoints = stage_of(tmp_path / "keypoints", Outcome(), Outcome(), Outcome())
    run_people_stage(tmp_path / "bodies", [keypoints], Stage(2))
    codes = [Outcome.read(folder).code for folder in people_of(tmp_path / "bodies").values()]
    assert codes == [None, "no_fit", None]


def test_a_video_rejected_before_anybody_was_followed_has_no_folders_of_people(tmp_path: Path):
    frames = stage_of_one(tmp_path / "frames", Outcome("not_a_video", "It is no video."))
    keypoints = stage_of_one(tmp_path / "keypoints", Outcome("not_a_video", "It is no video."))
    bodies, work = tmp_path / "bodies", Stage()
    assert run_people_stage(bodies, [frames, keypoints], work).code == "not_a_video"
    assert (people_of(bodies), work.calls) == ({1: bodies}, {})


def test_a_fault_of_the_machine_leaves_as_it_is(tmp_path: Path):
    def fail(person: int, *folders: Path) -> Mapping[str, int]:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        run_people_stage(tmp_path / "b", [stage_of(tmp_path / "k", Outcome())], fail)


def test_rows_without_a_number_tell_of_everybody():
    table = pd.DataFrame({"person": [1.0, 2.0, 1.0], "frame": ["a", "a", "b"]})
    assert rows_of_person(table, 1).frame.tolist() == ["a", "b"]
    nobody = pd.DataFrame({"person": [float("nan")] * 2, "frame": ["a", "b"]})
    assert rows_of_person(nobody, 1).frame.tolist() == ["a", "b"]
