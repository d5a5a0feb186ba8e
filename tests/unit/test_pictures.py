"""The contact sheet: what it shows of measured, rejected and hopeless videos, and where."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from solids import stack

import draw_video
from tapeless.bodies import Body
from tapeless.images import read_rgb, write_image
from tapeless.keypoints import BODY_25, Person, person, write_people
from tapeless.measurements import load_table, measure_body
from tapeless.outcomes import Outcome
from tapeless.people import person_folder
from tapeless.pictures.contents import Contents, SheetInputs, read_contents, typical_body
from tapeless.pictures.grid import arrange, choose_part, draw_frame
from tapeless.pictures.lettering import font, printable, wrap
from tapeless.pictures.overlay import LEFT, RIGHT, View, draw_skeleton, lay_over
from tapeless.pictures.tapes import tapes_around

WIDTH, HEIGHT = 200, 300
FOCAL_PX, CENTER_PX, DISTANCE_M = 300.0, (100.0, 150.0), 2.6
WALL = (190, 186, 180)
RADIUS_M = 0.16
REASON = "Only 2 of 3 sampled frames are fit to measure; 6 needed. Film one person, head to feet."


NUMBERS = [("waist", "cm", 80.12, 77.0, 83.9), ("mass", "kg", 70.0, 66.0, 74.0)]


@pytest.fixture(scope="session")
def body() -> Body:
    """A cylinder with the number of vertices and the joints of Anny, seen in three frames.

    Its rings lie such that those with Anny's navel and bust are above the one with the crotch.
    """
    heights_m = np.interp(np.arange(108), [0, 14, 30, 36, 107], [1.8, 1.7, 1.0, 0.85, 0])
    vertices, faces = stack(heights_m, RADIUS_M, RADIUS_M, corners=127)
    faces = faces[:, ::-1]
    anatomy = load_table().topologies["anny"]
    joints = {name: (0.0, 1.0, 0.0) for chain in anatomy.trunk for name in chain}
    for side, chain in zip((-1, 1), anatomy.arms, strict=True):
        heights = np.linspace(1.4, 0.7, len(chain))
        joints |= {name: (side * 0.6, y, 0.0) for name, y in zip(chain, heights, strict=True)}
    seen = vertices * [1, -1, -1] + [0, 0.9, DISTANCE_M]
    return Body(
        vertices=vertices,
        faces=faces,
        joints=np.array(list(joints.values())),
        joint_names=np.array(list(joints)),
        topology="anny",
        frames=np.array(["frame_000001", "frame_000002", "frame_000003"]),
        posed_vertices=np.stack([seen] * 3),
        camera_focal_px=np.full(3, FOCAL_PX),
        camera_center_px=np.array([CENTER_PX] * 3),
        backend="anny",
        backend_version="0.0",
        scale="known_height",
    )


def standing(x=100.0) -> Person:
    """Somebody upright at x px, facing the camera."""
    places = {
        "Nose": (0, 60), "Neck": (0, 85), "RShoulder": (-18, 85), "LShoulder": (18, 85),
        "RElbow": (-28, 115), "LElbow": (28, 115), "MidHip": (0, 150), "RHip": (-10, 150),
        "LHip": (10, 150), "RKnee": (-10, 195), "LKnee": (10, 195), "RAnkle": (-10, 240),
        "LAnkle": (10, 240),
    }  # fmt: skip
    points = np.zeros((25, 3))
    for name, (dx, y) in places.items():
        points[BODY_25.index(name)] = x + dx, y, 0.9
    return person(points)


class VideoFolder:
    """The files of one video, as its stages leave them."""

    def __init__(self, root: Path) -> None:
        self.inputs = SheetInputs(
            **{
                field.name: root / field.name.replace("_table", "")
                for field in dataclasses.fields(SheetInputs)
            }
        )
        self.inputs = replace(
            self.inputs,
            keypoints_table=root / "keypoints.csv",
            statistics=root / "statistics.csv",
            outcome=root / "outcome.json",
        )
        self.sheet = root / "sheet.png"
        for stage in ("pictures", "pose", "keypoints", "silhouettes", "bodies"):
            getattr(self.inputs, stage).mkdir(parents=True)
            Outcome().write(getattr(self.inputs, stage))
        self._rows: list[dict] = []

    def add_frame(self, *, code=None, reason=None, people=None) -> None:
        name = f"frame_{len(self._rows) + 1:06d}"
        people = [standing()] if people is None else people
        picture = np.full((HEIGHT, WIDTH, 3), WALL, np.uint8)
        write_image(self.inputs.pictures / f"{name}.jpg", picture)
        write_people(self.inputs.pose / f"{name}_keypoints.json", people)
        if code is None:
            write_people(self.inputs.keypoints / f"{name}.json", people[:1])
            mask = cv2.ellipse(np.zeros((HEIGHT, WIDTH), np.uint8), (100, 150), (25, 105), 0, 0,
                               360, 255, cv2.FILLED)  # fmt: skip
            write_image(self.inputs.silhouettes / f"{name}.png", mask)
        verdict = "kept" if code is None else "dropped"
        self._rows.append(
            {"frame": name, "person": 1, "time_s": 0.5 * len(self._rows), "verdict": verdict,
             "code": code or "", "reason": reason or ""}
        )  # fmt: skip

    def finish(
        self, *, video="lena", subject="", code=None, reason=None, numbers=(), flags=()
    ) -> None:
        with self.inputs.keypoints_table.open("w", newline="") as file:
            columns = ["frame", "person", "time_s", "verdict", "code", "reason"]
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self._rows)
        with self.inputs.statistics.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["video", "person", "measurement", "unit", "50%", "low", "high"])
            writer.writerows((video, 1, *number) for number in numbers)
        verdict = {
            "video": video, "subject": subject, "frames_sampled": len(self._rows),
            "pose_backend": "mediapipe", "shape_backend": "anny",
        }  # fmt: skip
        person = {
            "person": 1, "outcome": "rejected" if code else "ok", "code": code, "reason": reason,
            "frames_used": 2, "estimates": 1, "scale": None if code else "known_height",
            "flags": list(flags),
        }  # fmt: skip
        whole = verdict | person | {"people": [person]}
        self.inputs.outcome.write_text(json.dumps(whole), encoding="utf-8")

    def add_person(self, number: int, *, code: str, reason: str) -> None:
        """Gives the person of the video a folder of their own, and adds one who is rejected."""
        for stage in ("keypoints", "silhouettes", "bodies"):
            folder = getattr(self.inputs, stage)
            files = list(folder.iterdir())
            for one in (1, number):
                person_folder(folder, one).mkdir()
            for file in files:
                shutil.copy(file, person_folder(folder, 1))
            Outcome(code, reason).write(person_folder(folder, number))
        with self.inputs.keypoints_table.open("a", newline="") as file:
            for row in self._rows:
                csv.writer(file).writerow(
                    [row["frame"], number, row["time_s"], "dropped", code, ""]
                )
        verdict = json.loads(self.inputs.outcome.read_text(encoding="utf-8"))
        verdict["people"].append(
            {"person": number, "outcome": "rejected", "code": code, "reason": reason,
             "frames_used": 0, "estimates": 0, "scale": None}
        )  # fmt: skip
        self.inputs.outcome.write_text(json.dumps(verdict), encoding="utf-8")

    def reject_from(self, *stages: str, code: str) -> None:
        for stage in stages:
            Outcome(code, REASON).write(getattr(self.inputs, stage))

    def draw(self) -> np.ndarray:
        draw_video.main(self.inputs, self.sheet)
        return read_rgb(self.sheet)

    def contents(self) -> Contents:
        (contents,) = read_contents(self.inputs)
        return contents


@pytest.fixture
def folder(tmp_path) -> VideoFolder:
    return VideoFolder(tmp_path)


@pytest.fixture
def measured(folder, body) -> VideoFolder:
    """Three frames, of which the last was dropped, and one body."""
    folder.add_frame()
    folder.add_frame()
    folder.add_frame(code="blurred", reason="The frame is blurred beyond use.")
    body.save(folder.inputs.bodies / "estimate_1.npz")
    folder.finish(numbers=NUMBERS)
    return folder


def ink(picture: np.ndarray) -> int:
    """How many pixels are not paper."""
    return int((picture < 250).any(axis=2).sum())


# what a sheet tells


def test_a_measured_video_tells_its_numbers_and_what_they_rest_on(measured) -> None:
    contents = measured.contents()

    waist = contents.numbers[0]
    assert (waist.measurement, waist.unit) == ("waist", "cm")
    assert (waist.median, waist.low, waist.high) == (80.12, 77.0, 83.9)
    facts = dict(contents.facts)
    assert facts["frames"] == "3 sampled, 2 used"
    assert facts["body"] == "anny 0.0"
    assert "height" in facts["scale"]


def test_what_checks_found_stands_beside_the_numbers(measured) -> None:
    assert "flags" not in dict(measured.contents().facts)
    plain = measured.draw()

    measured.finish(numbers=NUMBERS, flags=["no_turn", "loose_clothing"])

    assert dict(measured.contents().facts)["flags"] == "no_turn, loose_clothing"
    assert ink(measured.draw()) > ink(plain)


def test_frames_come_in_time_order_with_their_verdicts(measured) -> None:
    frames = measured.contents().frames

    assert [frame.time_s for frame in frames] == [0.0, 0.5, 1.0]
    assert [frame.code for frame in frames] == [None, None, "blurred"]
    assert frames[2].reason == "The frame is blurred beyond use."
    assert frames[2].person is None
    assert frames[2].people


def test_a_kept_frame_that_could_not_be_cut_out_is_not_shown_as_kept(measured, body) -> None:
    first = {
        name: getattr(body, name)[:1]
        for name in ("frames", "posed_vertices", "camera_focal_px", "camera_center_px")
    }
    replace(body, **first).save(measured.inputs.bodies / "estimate_1.npz")
    (measured.inputs.silhouettes / "frame_000002.png").unlink()

    assert [f.code for f in measured.contents().frames] == [None, "no_silhouette", "blurred"]


def test_a_frame_without_an_outline_is_used_where_a_body_rests_on_it_all_the_same(measured) -> None:
    (measured.inputs.silhouettes / "frame_000002.png").unlink()

    assert [f.code for f in measured.contents().frames] == [None, None, "blurred"]
    measured.draw()


def test_the_body_shown_is_the_one_of_middle_volume(body) -> None:
    bodies = [replace(body, vertices=body.vertices * size) for size in (1.1, 0.9, 1.0, 1.2)]

    assert typical_body(bodies[:3]) is bodies[2]
    assert typical_body(bodies[:1]) is bodies[0]


# sheets of all kinds of videos


def test_a_measured_video_gets_a_wide_sheet_of_moderate_size(measured) -> None:
    sheet = measured.draw()

    with Image.open(measured.sheet) as picture:
        assert picture.format == "PNG"
    assert sheet.shape[1] == 1800
    assert ink(sheet) > 50_000
    assert measured.sheet.stat().st_size < 3e6


def test_each_of_several_people_has_a_part_of_the_sheet(measured) -> None:
    alone = measured.draw()
    (before,) = read_contents(measured.inputs)
    measured.add_person(2, code="too_few_frames", reason=REASON)
    first, second = read_contents(measured.inputs)

    assert (before.person, first.person, second.person) == (None, 1, 2)
    assert first.numbers == before.numbers
    assert [frame.code for frame in first.frames] == [frame.code for frame in before.frames]
    assert (second.code, second.reason, second.numbers) == ("too_few_frames", REASON, [])
    assert {frame.code for frame in second.frames} == {"too_few_frames"}
    assert second.frames[0].people  # all who are in the picture
    assert measured.draw().shape[0] > alone.shape[0] + 500


def test_the_subject_of_the_sheet_is_person_1(measured) -> None:
    measured.finish(subject="Lena")
    measured.add_person(2, code="too_few_frames", reason=REASON)

    assert [contents.subject for contents in read_contents(measured.inputs)] == ["Lena", None]


def test_many_measurements_stand_below_one_another_in_columns(measured) -> None:
    few = measured.draw()
    more = [(f"girth_{n}", "cm", 40.0 + n, 38.0, 52.0) for n in range(26)]
    measured.finish(numbers=[("waist", "cm", 80.12, 77.0, 83.9), *more])
    many = measured.draw()

    assert 200 < many.shape[0] - few.shape[0] < 500
    assert ink(many[:, -48:]) == 0


def test_the_same_input_gives_the_same_bytes(measured) -> None:
    measured.draw()
    first = measured.sheet.read_bytes()
    measured.draw()

    assert measured.sheet.read_bytes() == first


def test_a_video_rejected_for_its_frames_shows_them_and_the_reason(folder) -> None:
    for _ in range(2):
        folder.add_frame()
    folder.add_frame(code="no_person", reason="Nobody was found in this frame.", people=[])
    folder.reject_from("keypoints", "silhouettes", "bodies", code="too_few_frames")
    folder.finish(code="too_few_frames", reason=REASON)

    with_frames = folder.draw()

    assert folder.contents().reason == REASON
    assert with_frames.shape[0] > 600
    assert (np.abs(with_frames.astype(int) - WALL).max(axis=2) < 6).sum() > 20_000


def test_a_video_in_which_nobody_was_found_shows_its_frames(folder) -> None:
    folder.add_frame(code="no_person", people=[])
    folder.reject_from("pose", "keypoints", "silhouettes", "bodies", code="no_person")
    folder.finish(code="no_person", reason="Nobody was found in any frame.")
    for file in (*folder.inputs.pose.glob("*.json"), *folder.inputs.keypoints.glob("*.json")):
        if file.name != "outcome.json":
            file.unlink()
    folder.inputs.keypoints_table.write_text("frame,person,time_s,verdict,code,reason\n")

    assert [frame.time_s for frame in folder.contents().frames] == [None]
    assert folder.draw().shape[0] > 500


def test_a_file_that_is_no_video_gets_a_sheet_that_says_so(folder) -> None:
    stages = ("pictures", "pose", "keypoints", "silhouettes", "bodies")
    folder.reject_from(*stages, code="not_a_video")
    folder.finish(code="not_a_video", reason="The file is a text, not a video.")
    short = folder.draw()
    folder.finish(code="not_a_video", reason="The file is a text, not a video. " * 8)
    long = folder.draw()

    assert ink(short) > 2_000
    assert long.shape[0] > short.shape[0]


@pytest.mark.parametrize(
    "name",
    [
        "$x^2$ $\\frac{",
        "a\nb\tc",
        "лена 视频 🎬",
        "\u202egnp.exe",
        "\udcff",
        "x" * 600,
        "a b " * 200,
        "-",
    ],
)
def test_names_are_shown_as_they_are_and_never_widen_the_sheet(folder, name) -> None:
    folder.finish(video=name, subject=name, code="not_a_video", reason=name)
    sheet = folder.draw()

    assert sheet.shape[1] == 1800
    assert ink(sheet[:, :48]) == 0
    assert ink(sheet[:, -48:]) == 0


def test_a_body_without_poses_is_drawn_unposed_only(measured, body) -> None:
    seen_by_nobody = replace(
        body,
        posed_vertices=body.posed_vertices[:0],
        camera_focal_px=body.camera_focal_px[:0],
        camera_center_px=body.camera_center_px[:0],
    )
    with_pose = measured.draw()
    seen_by_nobody.save(measured.inputs.bodies / "estimate_1.npz")
    without = measured.draw()

    header = np.s_[:460]
    assert (with_pose[header] == without[header]).all()
    assert (with_pose != without).any()


# the grid


@pytest.mark.parametrize("aspect", [9 / 16, 3 / 4, 1.0, 16 / 9])
@pytest.mark.parametrize("count", [1, 2, 7, 24, 25, 60, 100])
def test_any_number_of_frames_fits_the_sheet_and_stays_legible(count, aspect) -> None:
    grid = arrange(count, aspect, 1704)

    assert grid.columns * grid.width + 16 * (grid.columns - 1) <= 1704
    assert grid.width >= 150
    assert grid.height <= 430
    assert grid.width / grid.height == pytest.approx(aspect, rel=0.01)
    assert count * grid.width * grid.height < 6e6


def test_twenty_four_frames_fill_their_rows() -> None:
    assert 24 % arrange(24, 9 / 16, 1704).columns == 0


def test_all_frames_of_a_measured_video_show_the_part_with_people(measured) -> None:
    contents = measured.contents()
    left, top, wide, high = choose_part(contents, WIDTH, HEIGHT)

    assert left > 0
    assert wide < WIDTH
    for frame in contents.frames:
        for someone in frame.people:
            x0, y0, x1, y1 = someone.box
            assert left <= x0 <= x1 <= left + wide
            assert top <= y0 <= y1 <= top + high


def test_frames_of_a_rejected_video_are_shown_whole(measured) -> None:
    contents = replace(measured.contents(), code="too_few_frames", reason=REASON)

    assert choose_part(contents, WIDTH, HEIGHT) == (0, 0, WIDTH, HEIGHT)


# overlays


@pytest.mark.parametrize(
    "view",
    [
        View(0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT),
        View(0, 0, WIDTH, HEIGHT, 100, 150),
        View(40, 20, 120, 260, 180, 390),
    ],
)
def test_the_fitted_body_is_drawn_where_the_camera_sees_it(measured, body, view) -> None:
    frame = replace(measured.contents().frames[0], person=None, silhouette=None)
    bare = draw_frame(replace(frame, body=None), [], view)
    drawn = draw_frame(frame, [body], view)

    seen = np.abs(drawn.astype(int) - bare).max(axis=2) > 12
    x, y, z = body.posed_vertices[0].T
    places = np.stack([FOCAL_PX * x / z, FOCAL_PX * y / z], axis=1) + CENTER_PX
    hull = cv2.convexHull(view.place(places).astype(np.float32)) - 0.5
    expected = np.zeros(seen.shape, np.uint8)
    cv2.fillConvexPoly(expected, (16 * hull).round().astype(np.int32), 1, shift=4)
    rim = np.ones((3, 3), np.uint8)
    assert seen[cv2.erode(expected, rim) > 0].all()
    assert not seen[cv2.dilate(expected, rim) == 0].any()


def test_the_body_is_see_through(measured, body) -> None:
    view = View(0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT)
    frame = replace(measured.contents().frames[0], person=None, silhouette=None)
    shades = []
    for brightness in (40, 220):
        write_image(frame.picture, np.full((HEIGHT, WIDTH, 3), brightness, np.uint8))
        shades.append(draw_frame(frame, [body], view)[150, 100].astype(int))

    assert (shades[1] - shades[0] > 40).all()
    assert (shades[1] - shades[0] < 140).all()


def test_bones_lie_between_their_points_in_the_colour_of_their_side() -> None:
    view = View(0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT)
    layer = view.finer().blank()
    draw_skeleton(layer, standing(), view.finer())
    drawn = lay_over(np.full((HEIGHT, WIDTH, 3), WALL, np.uint8), layer)

    assert np.abs(drawn[217, 110].astype(int) - LEFT).max() < 40  # the middle of the left shin
    assert np.abs(drawn[217, 90].astype(int) - RIGHT).max() < 40
    assert (drawn[217, 100] == WALL).all()


def test_the_outline_is_the_contour_of_the_silhouette(measured) -> None:
    view = View(0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT)
    frame = replace(measured.contents().frames[0], person=None, body=None)
    drawn = draw_frame(frame, [], view)

    changed = np.abs(drawn.astype(int) - WALL).max(axis=2) > 12
    y, x = np.nonzero(changed)
    radius = np.hypot((x - 100) / 25, (y - 150) / 105)
    assert len(y) > 200
    assert 0.85 < radius.min() <= 1 <= radius.max() < 1.15


def test_a_dropped_frame_is_crossed_out_and_pale(measured) -> None:
    view = View(0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT)
    kept = measured.contents().frames[0]
    kept = replace(kept, people=(), person=None, silhouette=None, body=None)
    dropped = draw_frame(replace(kept, code="blurred"), [], view).astype(int)

    middle, beside = dropped[HEIGHT // 2, WIDTH // 2], dropped[HEIGHT // 2, WIDTH // 4]
    assert middle[0] > middle[1] + 40  # red
    assert beside.mean() > np.mean(WALL)


def test_tapes_lie_around_the_body_where_it_was_measured(body) -> None:
    tapes = tapes_around(body)
    measured_m = measure_body(body)

    assert list(tapes) == ["chest", "waist", "hips"]
    for name, tape in tapes.items():
        hull = cv2.convexHull(tape[:, [0, 2]].astype(np.float32))
        assert cv2.arcLength(hull, closed=True) == pytest.approx(measured_m[name], rel=1e-4)
        assert np.ptp(tape[:, 1]) == 0
        assert np.hypot(tape[:, 0], tape[:, 2]) == pytest.approx(RADIUS_M, abs=1e-3)


def test_a_tape_that_cannot_be_laid_is_not_drawn(body) -> None:
    upside_down = replace(body, vertices=body.vertices * [1, -1, 1] + [0, 1.8, 0])
    assert "waist" not in tapes_around(upside_down)


# text


def test_what_has_no_visible_glyph_is_written_as_its_code() -> None:
    assert printable("a\nb") == "a\\nb"
    assert printable("🎬\u202e") == "\\U0001f3ac\\u202e"
    assert printable("Łukasz $x$ é") == "Łukasz $x$ é"
    assert printable("e\u0301") == "é"


def test_text_breaks_at_spaces_and_ends_with_an_ellipsis_when_cut() -> None:
    face = font(20)
    lines = wrap("one two three four five six seven", face, 150, 2)

    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(face.getlength(line) <= 150 for line in lines)
    assert wrap("one two", face, 400, 2) == ["one two"]
    assert "".join(wrap("x" * 100, face, 150, 99)) == "x" * 100
    assert wrap("", face, 150, 2) == []
