"""When numbers are not to be believed: verdicts, what follows, and each check on made inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from puppets import SIZE, standing, without

import collect_checks
from tapeless.bodies import Body
from tapeless.checks import (
    Finding,
    added_sd,
    flags,
    load_checks,
    of_person,
    read_checks,
    rejection,
    write_checks,
)
from tapeless.checks.camera import background_motion
from tapeless.checks.findings import Reading, judge
from tapeless.checks.footage import GreyFrames, View, read_views, thinned
from tapeless.checks.framing import height_in_picture, share_dropped
from tapeless.checks.lens import distortion
from tapeless.checks.sharpness import outline_width
from tapeless.checks.size import body_mass_index, disagreement, stature
from tapeless.checks.stance import hidden_waist_share, lean, seen_turn
from tapeless.images import write_image
from tapeless.keypoints import BODY_25, Person
from tapeless.outcomes import REJECTION_CODES

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Record:
    name: str
    quantity: str


HEIGHT, WAIST, CALF = Record("height", "length"), Record("waist", "girth"), Record("calf", "girth")


def finding(check: str, verdict: str = "fail", **changes: object) -> Finding:
    """What a reading far beyond or within all limits leads to."""
    record = load_checks()[check]
    bad = 1e6 if record.at_most is not None else -1e6
    readings = {
        "fail": Reading(bad),
        "cannot_tell": Reading(None, why_not="It is dark."),
    }
    made = judge(record, readings[verdict], person=1, rejecting=())
    return replace(made, **changes)  # type: ignore[arg-type]


# --- the table ----------------------------------------------------------------------------------


def test_every_check_has_a_code_of_a_rejection_and_can_be_named_in_the_configuration() -> None:
    schema = yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text(encoding="utf-8"))
    can_reject = schema["properties"]["checks"]["properties"]["reject"]["items"]["enum"]
    assert can_reject == list(load_checks())
    assert set(can_reject) <= set(REJECTION_CODES)


@pytest.mark.parametrize("check", load_checks().values(), ids=load_checks())
def test_every_check_says_the_number_that_decided_its_limit_and_what_to_do(check) -> None:
    for limit, beyond in ((check.at_least, -1), (check.at_most, 1)):
        if limit is not None:
            said = judge(check, Reading(limit + beyond), person=1, rejecting=()).message
            assert f"{limit + beyond:g}" in said
            assert f"{limit:g}" in said
            assert said.endswith(check.advice)


def test_a_wrong_table_is_refused_with_all_its_faults(tmp_path: Path) -> None:
    records = [
        {"code": "a", "on_fail": "shout", "on_cannot_tell": "widen"},
        {"code": "b", "on_fail": "widen", "on_cannot_tell": "none", "widens": {"girth": 0.5}},
        {"code": "c", "on_fail": "flag", "on_cannot_tell": "none", "adds": {"girth": -1}},
        {
            "code": "d",
            "on_fail": "flag",
            "on_cannot_tell": "none",
            "where_scale": {"known_distance": {"on_fail": "widen"}},
        },
    ]
    texts = dict.fromkeys(("question", "value", "unit", "reason", "says", "advice"), "")
    table = tmp_path / "checks.yaml"
    table.write_text(yaml.safe_dump({"checks": [texts | record for record in records]}))
    with pytest.raises(ValueError, match=r"checks\.yaml: a has consequence 'shout'") as caught:
        load_checks(table)
    assert all(
        fault in str(caught.value)
        for fault in (
            "a has no limit",
            "a widens nothing",
            "b widens girth by 0.5",
            "c adds -1 to girth",
            "d widens nothing",
        )
    )


# --- verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "margin", "verdict"),
    [
        (45, 0, "pass"),  # the limit is fine
        (44.9, 0, "fail"),
        (80, 10, "pass"),
        (10, 10, "fail"),
        (50, 10, "cannot_tell"),  # may lie on either side
        (40, 10, "cannot_tell"),
        (None, 0, "cannot_tell"),
    ],
)
def test_what_may_lie_on_either_side_of_the_limit_cannot_be_told(value, margin, verdict) -> None:
    reading = Reading(value, margin, "It is dark.")
    found = judge(load_checks()["no_turn"], reading, person=2, rejecting=())
    assert (found.verdict, found.person, found.limit, found.unit) == (verdict, 2, 45, "degrees")
    assert bool(found.message) == (verdict != "pass")


def test_of_two_limits_the_one_that_is_broken_is_named() -> None:
    check = load_checks()["untested_build"]
    limits = [judge(check, Reading(value), person=1, rejecting=()).limit for value in (16, 40)]
    assert limits == [17, 38]


def test_only_a_failed_check_rejects_and_only_if_it_is_asked_to() -> None:
    check, too_small = load_checks()["not_an_adult"], Reading(1.1)
    failed = judge(check, too_small, person=1, rejecting=["not_an_adult"])
    code, reason = rejection([failed]) or ("", "")
    assert code == "not_an_adult"
    assert "1.1 m" in reason
    kept = judge(check, too_small, person=1, rejecting=["no_turn"])
    unsure = judge(check, Reading(None), person=1, rejecting=["not_an_adult"])
    assert rejection([kept, unsure]) is None
    assert kept.consequence == "widen"


def test_findings_are_read_as_they_were_written(tmp_path: Path) -> None:
    findings = [finding("no_turn"), finding("camera_moves", "cannot_tell", person=None)]
    write_checks(tmp_path / "checks.csv", findings)
    assert read_checks(tmp_path / "checks.csv") == findings


def test_numbers_below_zero_stay_numbers_in_the_table_of_all_videos(tmp_path: Path) -> None:
    """In text, a minus is disarmed, as a spreadsheet may take it for a formula."""
    write_checks(tmp_path / "checks.csv", [replace(finding("loose_clothing"), value=-5.8)])
    collect_checks.main({"walk": tmp_path / "checks.csv"}, tmp_path / "all.csv")
    assert pd.read_csv(tmp_path / "all.csv")["value"].tolist() == [-5.8]


def test_what_is_about_the_whole_video_is_about_everybody_in_it() -> None:
    video, first, second = (finding("blurred", person=person) for person in (None, 1, 2))
    assert of_person([video, first, second], 2) == [video, second]


# --- what follows -------------------------------------------------------------------------------


USUAL_SD = 0.02


def added(measurement: Record, *findings: Finding) -> float:
    return added_sd(findings, measurement, USUAL_SD)


def test_nothing_is_widened_without_a_reason() -> None:
    passed = judge(load_checks()["no_turn"], Reading(90), person=1, rejecting=())
    assert added(WAIST) == 0
    assert added(WAIST, passed, finding("camera_moves")) == 0


def test_a_check_widens_what_it_says_by_name_or_else_by_quantity() -> None:
    hidden = load_checks()["waist_hidden"]
    factor = hidden.widens["waist"]
    expected = USUAL_SD * math.sqrt(factor**2 - 1)
    assert added(WAIST, finding("waist_hidden")) == pytest.approx(expected)
    assert added(CALF, finding("waist_hidden")) == 0
    assert added(CALF, finding("lens_distortion")) == load_checks()["lens_distortion"].adds["girth"]
    assert added(HEIGHT, finding("lens_distortion")) == 0


def test_an_error_that_was_measured_as_such_does_not_rest_on_what_is_usual() -> None:
    loose = [finding("loose_clothing")]
    assert [added_sd(loose, WAIST, usual_sd) for usual_sd in (0.005, 0.05)] == [0.25, 0.25]
    assert added_sd(loose, Record("mass", "mass"), 0.02) == 0.38


def test_several_checks_add_their_variances() -> None:
    found = [finding("no_turn"), finding("waist_hidden"), finding("loose_clothing")]
    apart = [added(WAIST, one) for one in found]
    assert min(apart) > 0
    assert added(WAIST, *found) == pytest.approx(math.hypot(*apart))


def test_what_cannot_be_told_never_passes() -> None:
    unsure = finding("no_turn", "cannot_tell")
    assert added(WAIST, unsure) == added(WAIST, finding("no_turn")) > 0
    assert flags([unsure]) == ["no_turn=cannot_tell"]


def test_nothing_follows_from_what_does_not_matter() -> None:
    moot = judge(load_checks()["no_turn"], Reading(None, is_moot=True), person=1, rejecting=())
    assert (moot.verdict, moot.consequence) == ("cannot_tell", "none")


def test_a_camera_that_moves_widens_only_where_a_distance_gives_the_scale() -> None:
    check = load_checks()["camera_moves"]
    for scale, follows, unsure in (
        ("known_height", "flag", "none"),
        ("known_distance", "widen", "flag"),
    ):
        moves, unseen = (
            judge(check.where({scale}), reading, person=None, rejecting=())
            for reading in (Reading(5.0), Reading(None))
        )
        assert (moves.consequence, unseen.consequence) == (follows, unsure)
        assert bool(added(HEIGHT, moves)) == (follows == "widen")


def test_flags_name_what_has_consequences_the_gravest_first() -> None:
    passed = judge(load_checks()["too_small"], Reading(400), person=1, rejecting=())
    findings = [passed, finding("camera_moves"), finding("no_turn")]
    assert flags(findings) == ["no_turn", "camera_moves"]


# --- the camera ---------------------------------------------------------------------------------


def room(height: int = 300, width: int = 200) -> NDArray[np.uint8]:
    """A wall with pictures, some detail, and straight edges all over."""
    generator = np.random.default_rng(3)
    wall = np.full((height, width), 190, np.uint8)
    for left, top, right, bottom in ((10, 10, 60, 150), (130, 30, 190, 90), (125, 140, 192, 280)):
        cv2.rectangle(wall, (left, top), (right, bottom), (60,), -1)
    for top in (180, 230, 285):
        cv2.line(wall, (5, top), (105, top), (100,), 3)
    blotches = cv2.resize(generator.normal(0, 6, (75, 50)), (width, height))
    smooth = cv2.GaussianBlur(np.clip(wall + blotches, 0, 255), (0, 0), 0.8)
    return np.asarray(smooth, np.uint8)


def view(picture: NDArray[np.uint8], hidden: slice | None = None) -> View:
    background = np.ones(picture.shape, bool)
    if hidden is not None:
        background[:, hidden] = False
    return View(picture, background)


def moved(picture: NDArray[np.uint8], x: float, y: float) -> NDArray[np.uint8]:
    shift = np.array([[1, 0, x], [0, 1, y]], float)
    size = picture.shape[::-1]
    return np.asarray(cv2.warpAffine(picture, shift, size, borderMode=cv2.BORDER_REFLECT))


def test_a_camera_that_stands_still_does_not_move() -> None:
    generator = np.random.default_rng(0)
    noisy = [room() + generator.normal(0, 2, (300, 200)) for _ in range(5)]
    reading = background_motion([view(np.clip(p, 0, 255).astype(np.uint8)) for p in noisy])
    assert reading.value == pytest.approx(0, abs=0.1)


def test_a_camera_that_drifts_has_gone_as_far_as_its_steps_together() -> None:
    views = [view(moved(room(), 2.0 * step, -1.5 * step)) for step in range(5)]
    assert background_motion(views).value == pytest.approx(100 * 10 / 300, rel=0.05)


def test_a_zoom_is_a_movement_though_the_middle_stays() -> None:
    zoom = cv2.getRotationMatrix2D((100, 150), 0, 1.05)
    enlarged = np.asarray(cv2.warpAffine(room(), zoom, (200, 300)))
    corner = 0.05 * math.hypot(100, 150)
    reading = background_motion([view(room()), view(enlarged)])
    assert reading.value == pytest.approx(100 * corner / 300, rel=0.1)


def test_somebody_who_walks_through_is_not_the_camera() -> None:
    views = []
    for step in range(4):
        picture = room()
        cv2.rectangle(picture, (20 + 20 * step, 100), (60 + 20 * step, 260), (230,), -1)
        views.append(view(picture, slice(20 + 20 * step - 5, 60 + 20 * step + 5)))
    assert background_motion(views).value == pytest.approx(0, abs=0.1)


def test_a_plain_wall_does_not_tell_whether_the_camera_moves() -> None:
    wall = view(np.full((300, 200), 180, np.uint8))
    reading = background_motion([wall, wall])
    assert reading.value is None
    assert "too little detail" in reading.why_not
    assert background_motion([wall]).value is None


def bowed(
    picture: NDArray[np.uint8], size: float, border: int = cv2.BORDER_REPLICATE
) -> NDArray[np.uint8]:
    """A picture as a lens shows it that moves the corners by `size` of their distance."""
    height, width = picture.shape
    y, x = np.mgrid[:height, :width] - (np.array([height, width]).reshape(2, 1, 1) - 1) / 2
    straight = np.ones_like(x)
    for _ in range(20):  # where each pixel comes from
        radius = straight**2 * (x**2 + y**2) / (width**2 + height**2) * 4
        straight = 1 / (1 + size * radius)
    columns, rows = x * straight + (width - 1) / 2, y * straight + (height - 1) / 2
    lens = (columns.astype(np.float32), rows.astype(np.float32))
    shown = cv2.remap(picture, *lens, cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(shown, np.uint8)


@pytest.mark.parametrize("size", [0.0, -0.10, 0.08])
def test_the_distortion_of_a_lens_is_found_by_the_lines_that_it_bows(size: float) -> None:
    picture = np.full((600, 400), 190, np.uint8)
    for margin, grey in ((40, 90), (80, 150), (130, 60)):  # frames of doors and windows
        cv2.rectangle(picture, (margin, margin), (400 - margin, 600 - margin), (grey,), -1)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8), np.uint8)
    inside = bowed(np.full_like(picture, 255), size, cv2.BORDER_CONSTANT) > 127
    reading = distortion([View(bowed(picture, size), inside)], is_still=True)
    assert reading.value == pytest.approx(100 * abs(size), abs=max(reading.margin, 0.5))
    verdict = judge(load_checks()["lens_distortion"], reading, person=None, rejecting=()).verdict
    assert verdict == ("fail" if size else "pass")


def test_without_long_straight_edges_no_lens_can_be_judged() -> None:
    blobs = np.full((300, 200), 180, np.uint8)
    for x, y in ((40, 50), (150, 80), (60, 220), (140, 240)):
        cv2.circle(blobs, (x, y), 20, (60,), -1)
    reading = distortion([view(blobs)], is_still=True)
    assert reading.value is None
    assert "straight edges" in reading.why_not
    assert distortion([], is_still=False).value is None


def test_pictures_are_looked_at_where_nobody_stands(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("frames", "one", "other")}
    for folder in folders.values():
        folder.mkdir()
    for name, column in (("one", 30), ("other", 70)):
        mask = np.zeros((100, 100), np.uint8)
        mask[40:60, column] = 255
        write_image(folders[name] / "frame_000001.png", mask)
    write_image(folders["frames"] / "frame_000001.png", np.zeros((100, 100), np.uint8))
    (only,) = read_views(GreyFrames(folders["frames"]), [folders["one"], folders["other"]])
    assert not only.background[50, [25, 35, 65, 75]].any()
    assert only.background[50, [10, 50, 90]].all()
    assert read_views(GreyFrames(folders["frames"]), []) == []


def test_of_many_pictures_some_are_looked_at_from_the_first_to_the_last() -> None:
    assert thinned(range(5), most=5) == [0, 1, 2, 3, 4]
    few = thinned(range(1000), most=10)
    assert (few[0], few[-1], len(few)) == (0, 999, 10)


# --- the frames ---------------------------------------------------------------------------------


def frames_table(codes: list[str], heights: list[float | None]) -> pd.DataFrame:
    verdicts = ["dropped" if code else "kept" for code in codes]
    columns = {"verdict": verdicts, "code": codes, "person_height_px": heights}
    return pd.DataFrame(columns).replace("", np.nan)


def test_the_share_of_lost_frames_is_of_those_that_show_the_person() -> None:
    table = frames_table(["partial_body", "", "no_person", "blurred"], [300, 310, None, 290])
    assert share_dropped(table, "partial_body").value == pytest.approx(100 / 3)
    assert share_dropped(table.iloc[2:3], "blurred").value is None


def test_how_near_somebody_is_is_told_by_the_frames_that_are_measured() -> None:
    table = frames_table(["", "", "too_small", ""], [300, 200, 90, 220])
    assert height_in_picture(table).value == 220
    assert height_in_picture(table.iloc[2:3]).value is None


EDGE = 75  # column of an edge of the person below


def step(width: float, contrast: float = 90) -> NDArray[np.uint8]:
    """A dark person, 180 px tall, whose sides are blurred over so many pixels."""
    picture = np.full((200, 150), 160, np.float32)
    picture[10:190, 40:EDGE] -= contrast
    if width > 1:
        picture = np.asarray(cv2.blur(picture, (round(width), 1)))
    noise = np.random.default_rng(1).normal(0, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def outline_of(folder: Path, picture: NDArray[np.uint8], off_px: int = 0) -> Reading:
    mask = np.zeros(picture.shape, np.uint8)
    mask[10:190, 40 - off_px : EDGE - off_px] = 255
    write_image(folder / "frame_000001.png", picture)
    return outline_width(GreyFrames(folder), {"frame_000001": mask})


@pytest.mark.parametrize("width", [3, 5, 9])
def test_the_outline_is_as_wide_as_the_person_moves_in_an_exposure(
    tmp_path: Path, width: int
) -> None:
    reading = outline_of(tmp_path, step(width))
    assert reading.value == pytest.approx(100 * width / 180, rel=0.2)
    check = load_checks()["soft_outline"]
    assert judge(check, reading, person=1, rejecting=()).verdict == "fail"


def test_a_sharp_outline_passes_though_it_was_cut_out_a_pixel_off(tmp_path: Path) -> None:
    for off_px in (0, 1):
        reading = outline_of(tmp_path, step(1), off_px)
        assert reading.value == pytest.approx(100 * 1.2 / 180, abs=0.3)


def test_who_does_not_stand_out_shows_no_edge(tmp_path: Path) -> None:
    reading = outline_of(tmp_path, step(1, contrast=0))
    assert reading.value is None
    assert "hardly differs" in reading.why_not


# --- stance and turn ----------------------------------------------------------------------------


def cut_out(person: Person, *, arms_apart: bool) -> NDArray[np.uint8]:
    """A torso, and arms that hang beside it with or without a gap."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    shoulders, hips = person.at("RShoulder", "LShoulder"), person.at("RHip", "LHip")
    reach = 0 if arms_apart else 40
    left, top = shoulders.min(axis=0).astype(int) - [reach, 0]
    right, bottom = int(shoulders[:, 0].max()) + reach, int(hips[:, 1].max())
    cv2.rectangle(mask, (int(left), int(top)), (right, bottom), (255,), -1)
    for side in "RL":
        for start, end in (("Shoulder", "Elbow"), ("Elbow", "Wrist")):
            a, b = person.at(side + start, side + end).round().astype(int).tolist()
            cv2.line(mask, a, b, (255,), 8)
    return mask


def with_arms_out(person: Person) -> Person:
    points = person.points.copy()
    for name, side in (("RElbow", -1), ("LElbow", 1), ("RWrist", -1.6), ("LWrist", 1.6)):
        points[BODY_25.index(name), 0] += 40 * side
    return Person(points)


@pytest.mark.parametrize(("arms_apart", "share"), [(True, 0), (False, 100)])
def test_an_arm_hides_the_waist_when_no_background_shows_between(arms_apart, share) -> None:
    person = with_arms_out(standing()) if arms_apart else standing()
    mask = cut_out(person, arms_apart=arms_apart)
    frames = [f"frame_{number:06d}" for number in range(4)]
    reading = hidden_waist_share(dict.fromkeys(frames, person), dict.fromkeys(frames, mask))
    assert reading.value == share


def test_arms_that_were_not_found_are_not_taken_for_free() -> None:
    person = without(standing(), "Wrist", "Elbow")
    frames, mask = ["a", "b", "c"], cut_out(standing(), arms_apart=False)
    reading = hidden_waist_share(dict.fromkeys(frames, person), dict.fromkeys(frames, mask))
    assert reading.value is None
    assert "Of 3 frames" in reading.why_not
    assert "0 show where both arms are" in reading.why_not


@pytest.mark.parametrize(("unseen", "share"), [(3, 0), (4, None)])
def test_frames_that_show_free_arms_speak_for_no_more_than_as_many_others(unseen, share) -> None:
    free, missing = with_arms_out(standing()), without(with_arms_out(standing()), "RWrist")
    people = {f"frame_{i:06d}": missing if i < unseen else free for i in range(3 + unseen)}
    mask = cut_out(with_arms_out(standing()), arms_apart=True)
    assert hidden_waist_share(people, dict.fromkeys(people, mask)).value == share


def test_one_arm_on_the_waist_hides_it_wherever_the_other_is() -> None:
    person = without(standing(), "LWrist")
    frames, mask = ["a", "b", "c"], cut_out(standing(), arms_apart=False)
    people = dict.fromkeys(frames, person)
    assert hidden_waist_share(people, dict.fromkeys(frames, mask)).value == 100


def test_from_the_side_nothing_can_be_said_of_the_arms() -> None:
    sideways = standing(width=0.1)
    frames, mask = ["a", "b", "c"], cut_out(sideways, arms_apart=False)
    people = dict.fromkeys(frames, sideways)
    reading = hidden_waist_share(people, dict.fromkeys(frames, mask))
    assert reading.value is None
    assert "Of 0 frames" in reading.why_not


def body_seen_from(*yaws: float, leans: float = 0) -> Body:
    """A column of points whose trunk is seen from directions in degrees, 0 from in front.

    It leans to its own right, by degrees.
    """
    heights, angles = np.meshgrid(np.linspace(0, 1.7, 35), np.arange(12) * math.pi / 6)
    column = [0.15 * np.cos(angles), heights, 0.1 * np.sin(angles)]
    vertices = np.stack(column, axis=-1).reshape(-1, 3).astype(np.float32)
    cosine, sine = math.cos(math.radians(leans)), math.sin(math.radians(leans))
    tilt = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    posed = []
    for yaw in np.radians(yaws):
        turn = np.array(
            [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
        )
        posed.append(vertices @ (turn @ tilt).T * [1, -1, -1] + [0, 0.8, 3])
    count = len(yaws)
    return Body(
        vertices=vertices,
        faces=np.array([[0, 1, 2]], np.int32),
        joints=np.zeros((1, 3), np.float32),
        joint_names=np.array(["root"]),
        topology="anny",
        frames=np.array([f"frame_{number:06d}" for number in range(count)]),
        posed_vertices=np.array(posed, np.float32).reshape(count, -1, 3)
        if count
        else np.zeros((0, len(vertices), 3), np.float32),
        camera_focal_px=np.full(count, 500, np.float32),
        camera_center_px=np.zeros((count, 2), np.float32),
        backend="made",
        backend_version="1",
        scale="known_height",
    )


@pytest.mark.parametrize(
    ("yaws", "turn"),
    [
        ((0, 0, 0), 0),
        ((-10, 5, 20), 30),
        ((0, 180), 0),  # the same outline
        ((170, -170), 20),
        ((0, 90), 90),
        (tuple(range(0, 360, 15)), 90),
        ((*[0] * 19, 80), 0),  # one of twenty in a wrong pose
    ],
)
def test_a_turn_is_how_far_the_directions_spread_from_which_a_body_is_seen(yaws, turn) -> None:
    assert seen_turn([body_seen_from(*yaws)]).value == pytest.approx(turn, abs=0.5)


def test_bodies_of_one_picture_each_tell_of_no_turn_and_nothing_follows() -> None:
    reading = seen_turn([body_seen_from(0), body_seen_from(90)])
    assert (reading.value, reading.is_moot) == (None, True)


def test_estimates_of_one_person_show_the_turn_together() -> None:
    bodies = [body_seen_from(0, 10), body_seen_from(50, 60)]
    assert seen_turn(bodies).value == pytest.approx(60, abs=0.5)


def test_a_body_without_a_place_in_the_pictures_tells_of_no_turn() -> None:
    assert seen_turn([body_seen_from()]).value is None


@pytest.mark.parametrize("degrees", [0, 20, 70])
def test_the_lean_of_the_trunk_is_seen_from_everywhere(degrees: float) -> None:
    bodies = [body_seen_from(0, 45, 90, 180, leans=degrees)]
    assert lean(bodies).value == pytest.approx(degrees, abs=0.1)


def test_a_stumble_in_few_of_the_frames_is_no_lean() -> None:
    bodies = [body_seen_from(0, 0, 0), body_seen_from(0, 0, leans=60)]
    assert lean(bodies).value == pytest.approx(0, abs=0.1)


def test_a_body_without_a_place_in_the_pictures_tells_of_no_lean() -> None:
    assert lean([body_seen_from()]).value is None


# --- the person ---------------------------------------------------------------------------------


def estimates(scale: str = "known_height", **columns: list[float]) -> pd.DataFrame:
    usual = {"height_m": [1.7], "mass_kg": [70.0]}
    return pd.DataFrame(usual | columns).assign(scale=scale)


def test_a_child_is_told_by_its_stature_only_if_something_gives_the_scale() -> None:
    check = load_checks()["not_an_adult"]
    known = judge(check, stature(estimates(height_m=[1.2])), person=1, rejecting=())
    unknown = judge(check, stature(estimates("estimated")), person=1, rejecting=())
    assert (known.verdict, unknown.verdict) == ("fail", "cannot_tell")
    assert "height_cm" in unknown.message


@pytest.mark.parametrize(("height_m", "verdict"), [(2.78, "fail"), (2.2, "pass")])
def test_nobody_is_as_tall_as_a_wrong_distance_makes_them(height_m: float, verdict: str) -> None:
    check = load_checks()["impossible_stature"]
    reading = stature(estimates("known_distance", height_m=[height_m]))
    found = judge(check, reading, person=1, rejecting=["impossible_stature"])
    assert found.verdict == verdict
    assert (found.consequence == "reject") == (verdict == "fail")
    assert ("Check the distance" in found.message) == (verdict == "fail")


def test_by_default_nobody_is_measured_who_is_impossibly_tall() -> None:
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    assert "impossible_stature" in config["checks"]["reject"]


def test_build_is_mass_over_height_squared() -> None:
    assert body_mass_index(estimates()).value == pytest.approx(70 / 1.7**2)


def test_estimates_disagree_by_the_girth_that_differs_most() -> None:
    table = estimates(
        height_m=[1.7, 1.7],
        mass_kg=[70, 70],
        chest_m=[1.0, 1.0],
        waist_m=[0.8, 0.8 * math.exp(0.1)],
        hips_m=[1.0, 1.02],
    )
    assert disagreement(table).value == pytest.approx(10 / math.sqrt(2))
    assert disagreement(table.iloc[:1]).value is None
