"""Frames fit to measure are kept; each of the others, and each hopeless video, has its reason."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from puppets import GREEN, RED, SIZE, Clothes, picture_of, standing, without

from select_keypoints import main
from tapeless.images import write_image
from tapeless.keypoints import POSE_SUFFIX, Person, PoseFileError, read_person, write_people
from tapeless.outcomes import Outcome
from tapeless.people import people_of
from tapeless.selection import COLUMNS, Rules, frame_fault, person_sharpness

RULES = Rules(min_frames=6, min_person_height_px=150, min_sharpness=0.25)


class Video:
    """The stages up to the pose, made by hand; `select` runs the stage under test."""

    def __init__(self, folder: Path, size: tuple[int, int] = SIZE) -> None:
        self.folder, self.size = folder, size
        self.frames, self.pose = folder / "frames", folder / "pose"
        self.keypoints, self.table = folder / "keypoints", folder / "keypoints.csv"
        self.frames.mkdir()
        self.pose.mkdir()
        self.names: list[str] = []

    def add(
        self, *cast: tuple[Person, Clothes], unseen: tuple[str, ...] = (), blur_px: float = 0
    ) -> None:
        name = f"frame_{len(self.names) + 1:06d}"
        picture = picture_of(*cast, size=self.size, seed=len(self.names))
        if blur_px:
            picture = cv2.GaussianBlur(picture, (0, 0), blur_px)
        write_image(self.frames / f"{name}.png", picture)
        write_people(
            self.pose / f"{name}{POSE_SUFFIX}", [without(person, *unseen) for person, _ in cast]
        )
        self.names.append(name)

    def select(self, people: str = "dominant", rules: Rules = RULES) -> Outcome:
        rows = [f"{name},{i / 2},{15 * i},338,600,100" for i, name in enumerate(self.names)]
        header = "frame,time_s,source_frame,width,height,sharpness"
        table = self.folder / "frames.csv"
        table.write_text("\n".join([header, *rows]) + "\n")
        for stage in (self.frames, self.pose):
            if not (stage / "outcome.json").exists():
                Outcome().write(stage)
        shutil.rmtree(self.keypoints, ignore_errors=True)
        main(
            self.frames,
            table,
            self.pose,
            self.keypoints,
            self.table,
            rules=rules,
            people=people,
        )
        return Outcome.read(self.keypoints)

    @property
    def rows(self) -> pd.DataFrame:
        return pd.read_csv(self.table, index_col="frame", keep_default_na=False)

    @property
    def kept(self) -> list[str]:
        return sorted(path.stem for path in self.keypoints.glob("frame_*.json"))


@pytest.fixture
def video(tmp_path):
    return Video(tmp_path)


def test_a_person_seen_whole_is_kept_in_every_frame(video):
    for _ in range(8):
        video.add((standing(), RED))
    assert video.select() == Outcome(counts={"frames_sampled": 8, "frames_used": 8})
    assert video.kept == video.names
    assert list(video.rows.columns) == list(COLUMNS[1:])
    assert (video.rows.verdict == "kept").all()
    assert (video.rows.code == "").all()
    assert video.rows.time_s.tolist() == [i / 2 for i in range(8)]
    assert read_person(video.keypoints / "frame_000003.json").points == pytest.approx(
        standing().points
    )


@pytest.mark.parametrize(
    "person",
    [
        standing(),
        standing(width=0.05),
        without(standing(), "Eye", "Ear"),
        without(standing(), "Nose", "Eye", "REar"),
        without(standing(), "LAnkle", "LKnee", "LHeel", "Toe"),
        without(standing(), "Elbow", "Wrist", "Heel", "Toe"),
        standing(stature=165),
        standing(stature=570, soles=590),
    ],
)
def test_what_suffices_to_measure(person):
    assert frame_fault(person, SIZE, RULES) is None


@pytest.mark.parametrize(
    ("person", "code", "says"),
    [
        (without(standing(), "Nose", "Eye", "Ear"), "partial_body", "Not in view: head"),
        (without(standing(), "LShoulder"), "partial_body", "both shoulders"),
        (without(standing(), "RHip"), "partial_body", "both hips"),
        (without(standing(), "RKnee", "LAnkle"), "partial_body", "a whole leg"),
        (without(standing(), "Hip", "Knee", "Ankle", "Heel", "Toe"), "partial_body", "both hips"),
        (without(standing(stature=600), "Knee", "Ankle"), "partial_body", "a whole leg"),
        (standing(soles=480), "partial_body", "cut off at the top"),
        (standing(soles=610), "partial_body", "cut off at the bottom"),
        (standing(x=60), "partial_body", "cut off at the left"),
        (standing(x=280), "partial_body", "cut off at the right"),
        (standing(soles=612, stature=622), "partial_body", "top and bottom"),
        (standing(stature=140), "too_small", "130 px tall .* at least 150 px"),
        (without(standing(stature=140), "Ankle"), "too_small", "Film from closer by"),
    ],
)
def test_what_does_not_suffice_and_why(person, code, says):
    fault = frame_fault(person, SIZE, RULES)
    assert fault is not None
    assert fault[0] == code
    assert re.search(says, fault[1])


@pytest.mark.parametrize("order", [1, -1])
def test_the_larger_person_is_measured_and_not_the_first_in_the_list(video, order):
    large, small = (standing(x=200, stature=480), RED), (standing(x=60, stature=170), GREEN)
    for _ in range(8):
        video.add(*[small, large][::order])
    assert video.select().is_ok
    assert set(video.rows.people) == {2}
    for name in video.kept:
        assert read_person(video.keypoints / f"{name}.json").height_px == pytest.approx(0.93 * 480)


def test_not_even_between_people_who_are_alike_does_the_order_of_the_list_decide(tmp_path):
    twins = [(standing(x=80, stature=400), RED), (standing(x=258, stature=400), RED)]
    places = []
    for order in (1, -1):
        (tmp_path / str(order)).mkdir()
        video = Video(tmp_path / str(order))
        for number in range(8):
            video.add(*twins[:: order if number % 2 else -order])
        assert video.select().is_ok
        kept = [read_person(video.keypoints / f"{name}.json") for name in video.kept]
        places.append([person.at("Neck")[0, 0] for person in kept])
    assert places[0] == places[1]
    assert len(set(places[0])) == 1


def test_somebody_who_passes_by_is_dropped_as_another_person(video):
    for i in range(10):
        if i in (3, 4):
            video.add((standing(x=90 + 60 * (i - 3), stature=420), GREEN))
        else:
            video.add((standing(x=200), RED))
    assert video.select().is_ok
    assert video.rows.index[video.rows.code == "another_person"].tolist() == [
        "frame_000004",
        "frame_000005",
    ]
    assert video.kept == [n for n in video.names if n not in ("frame_000004", "frame_000005")]


def test_two_people_in_turn_never_mix(video):
    for i in range(14):
        cast = (standing(x=100, stature=430), RED) if i % 2 else (standing(x=240), GREEN)
        video.add(cast)
    assert video.select().is_ok
    assert len({read_person(video.keypoints / f"{n}.json").height_px for n in video.kept}) == 1


def test_a_blurred_frame_is_dropped_and_a_plain_clip_loses_none(video):
    plain = Clothes(shirt=(200, 200, 200), trousers=(190, 190, 190), skin=(205, 200, 195))
    for i in range(9):
        video.add((standing(), plain), blur_px=4 if i == 5 else 0)
    assert video.select().is_ok
    assert video.rows.index[video.rows.verdict == "dropped"].tolist() == ["frame_000006"]
    assert video.rows.code["frame_000006"] == "blurred"
    assert video.rows.sharpness["frame_000006"] < 0.25
    assert video.rows.sharpness["frame_000001"] == pytest.approx(1, abs=0.2)


def test_frames_that_show_nothing_where_the_person_should_be_are_blurred(video):
    for name in (f"frame_{number:06d}" for number in range(1, 9)):
        write_image(video.frames / f"{name}.png", np.full((*SIZE[::-1], 3), 90, np.uint8))
        write_people(video.pose / f"{name}{POSE_SUFFIX}", [standing()])
        video.names.append(name)
    assert video.select().code == "blurred"
    assert set(video.rows.code) == {"blurred"}
    assert video.rows.reason.str.contains("No detail").all()


def test_a_movement_to_the_side_counts_as_blur_though_level_edges_stay_sharp():
    picture = picture_of((standing(), RED))
    moved = cv2.blur(picture, (13, 1))
    sharp, smeared = (person_sharpness(p, standing()) for p in (picture, moved))
    assert smeared < 0.3 * sharp


def test_contrast_is_not_sharpness():
    picture = picture_of((standing(), RED))
    faint = (128 + (picture.astype(float) - 128) * 0.4).astype(np.uint8)
    assert person_sharpness(faint, standing()) == pytest.approx(
        person_sharpness(picture, standing()), rel=0.15
    )


def test_nobody_in_any_frame_rejects_the_video(video):
    for _ in range(5):
        video.add()
    outcome = video.select()
    assert outcome.code == "no_person"
    assert outcome.counts == {"frames_sampled": 5, "frames_used": 0}
    assert "Film one person" in outcome.reason
    assert (video.rows.code == "no_person").all()
    assert video.kept == []


def test_a_person_in_two_frames_only_is_too_few(video):
    for i in range(12):
        video.add(*([(standing(), RED)] if i in (4, 5) else []))
    outcome = video.select()
    assert outcome.code == "too_few_frames"
    assert "Only 2 of the 12" in outcome.reason
    assert video.rows.verdict.value_counts().to_dict() == {"dropped": 10, "kept": 2}
    assert video.kept == []


LEGS = ("Hip", "Knee", "Ankle", "Heel", "Toe")


@pytest.mark.parametrize(
    ("person", "unseen", "code"),
    [
        (standing(), LEGS, "partial_body"),
        (standing(soles=630), ("Ankle", "Heel", "Toe"), "partial_body"),
        (standing(soles=620), (), "partial_body"),
        (standing(stature=110), (), "too_small"),
    ],
)
def test_the_cause_of_most_losses_rejects_the_video(video, person, unseen, code):
    for i in range(12):
        if i < 3:
            video.add((standing(), RED))
        else:
            video.add((person, RED), unseen=unseen)
    outcome = video.select()
    assert outcome.code == code
    assert "Only 3 of the 12 sampled frames" in outcome.reason
    assert len(video.rows) == 12


def test_a_close_up_is_partial_and_not_too_small(video):
    for _ in range(6):
        video.add((standing(soles=1100, stature=1050), RED), unseen=LEGS)
    assert video.select().code == "partial_body"


def test_a_verdict_from_before_is_handed_on_with_an_empty_table(video):
    Outcome("not_a_video", "The file is not a video.").write(video.frames)
    assert video.select() == Outcome("not_a_video", "The file is not a video.")
    assert list(pd.read_csv(video.table).columns) == list(COLUMNS)
    assert len(pd.read_csv(video.table)) == 0


def test_a_detector_that_died_is_a_fault_of_the_machine(video):
    for _ in range(8):
        video.add((standing(), RED))
    (video.pose / f"frame_000008{POSE_SUFFIX}").unlink()
    with pytest.raises(PoseFileError, match="frame_000008"):
        video.select()


class TestEverybody:
    """With `people: all`, each person who can be followed has frames and rows of their own."""

    @pytest.fixture
    def video(self, tmp_path):
        return Video(tmp_path, (900, 600))

    @pytest.fixture
    def crossing(self, video):
        """Two who cross, one of them small; in the middle the small one is hidden."""
        for i in range(16):
            front = (standing(x=100 + 45 * i, stature=400), RED)
            behind = (standing(x=775 - 45 * i, stature=330), GREEN)
            video.add(*([front] if i in (7, 8) else [behind, front]))
        return video

    def heights(self, folder: Path) -> set[float]:
        paths = folder.glob("frame_*.json")
        return {round(read_person(path).height_px / 0.93) for path in paths}

    def test_people_who_cross_are_kept_apart_and_never_both_in_one_frame(self, crossing):
        outcome = crossing.select(people="all")
        first, second = people_of(crossing.keypoints).values()
        assert (self.heights(first), self.heights(second)) == ({400}, {330})
        assert outcome == Outcome.read(first)
        assert Outcome.read(second).is_ok
        rows = crossing.rows.reset_index()
        assert rows.groupby("person").frame.agg(list).to_dict() == {
            1: crossing.names,
            2: crossing.names,
        }
        hidden = rows[rows.frame.isin(["frame_000008", "frame_000009"])]
        assert hidden.groupby("person").code.agg(set).to_dict() == {
            1: {"people_overlap"},
            2: {"another_person"},
        }

    def test_person_1_is_whom_dominant_measures(self, crossing):
        crossing.select()
        alone = self.heights(crossing.keypoints)
        crossing.select(people="all")
        assert self.heights(people_of(crossing.keypoints)[1]) == alone

    def test_who_is_seen_too_little_is_rejected_and_the_other_is_not(self, video):
        for i in range(12):
            passer_by = [(standing(x=600, stature=300), GREEN)] if i < 4 else []
            video.add((standing(x=230), RED), *passer_by)
        assert video.select(people="all").counts == {"frames_sampled": 12, "frames_used": 12}
        rejected = Outcome.read(people_of(video.keypoints)[2])
        assert (rejected.code, rejected.counts["frames_used"]) == ("too_few_frames", 4)
        assert set(video.rows[video.rows.person == 1].verdict) == {"kept"}

    def test_who_is_only_glimpsed_is_nobody_to_report(self, video):
        for i in range(12):
            passer_by = [(standing(x=600, stature=300), GREEN)] if i < 2 else []
            video.add((standing(x=230), RED), *passer_by)
        video.select(people="all")
        assert list(people_of(video.keypoints)) == [1]

    def test_who_is_only_glimpsed_is_not_mixed_in_while_hidden(self, video):
        for i in range(12):
            hidden = [(standing(x=260, stature=300), GREEN)] if i in (4, 7) else []
            video.add((standing(x=230), RED), *hidden)
        video.select(people="all")
        assert set(video.rows[4:8].code) == {"people_overlap"}

    def test_the_others_go_on_when_the_main_person_cannot_be_measured(self, video):
        for i in range(12):  # the larger one walks into the picture
            large = (standing(x=20 + 12 * min(i, 4), stature=480), RED)
            video.add(large, (standing(x=600, stature=200), GREEN))
        rules = Rules(min_frames=8, min_person_height_px=150, min_sharpness=0.25)
        outcome = video.select(people="all", rules=rules)
        codes = [Outcome.read(person).code for person in people_of(video.keypoints).values()]
        assert codes in (["partial_body", None], [None, "partial_body"])
        assert outcome.code == codes[0]

    def test_in_a_video_of_nobody_there_is_a_row_for_each_frame_and_no_folder(self, video):
        for _ in range(5):
            video.add()
        assert video.select(people="all").code == "no_person"
        assert people_of(video.keypoints) == {1: video.keypoints}
        assert (len(video.rows), set(video.rows.person)) == (5, {""})

    def test_most_frames_with_somebody_too_close_reject_a_person_for_that(self, video):
        for i in range(10):
            gap = 400 if i < 2 else 130
            video.add(
                (standing(x=80, stature=330), RED), (standing(x=80 + gap, stature=330), GREEN)
            )
        assert video.select(people="all").code == "people_overlap"
