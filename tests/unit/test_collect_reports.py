"""From body files to the reports: what is measured, summed up, collected, and safe to open."""

from __future__ import annotations

import csv
import json
import math
import pickle
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from solids import as_body, as_smplx, stack

import collect_checks
import collect_reports
import measure_bodies
import summarize_video
from tapeless.bodies import InvalidBodyError
from tapeless.checks import Finding, added_sd, load_checks, write_checks
from tapeless.measurements import MeasuredBody, load_table
from tapeless.outcomes import DamagedFileError, Outcome
from tapeless.people import person_folder
from tapeless.seals import seal_of
from tapeless.shapy_landmarks import InvalidLandmarksError
from tapeless.writing import number_cell, safe_text, write_rows, write_table

# columns as users know them
SUMMARY = (
    "video,subject,person,status,code,reason,frames_sampled,frames_used,estimates,pose_backend,"
    "shape_backend,scale,height_cm,height_cm_low,height_cm_high,chest_cm,chest_cm_low,chest_cm_high,"
    "waist_cm,waist_cm_low,waist_cm_high,hips_cm,hips_cm_low,hips_cm_high,mass_kg,mass_kg_low,"
    "mass_kg_high"
)  # and flags, last
TIDY = (
    "video,subject,person,measurement,unit,count,mean,std,min,25%,50%,75%,max,low,high,"
    "common_relative_sd,definition,flags"
)
ESTIMATES = "estimate,height_m,chest_m,waist_m,hips_m,mass_kg,scale,frames"
MEASURED = "estimate,person,height_m,chest_m,waist_m,hips_m,mass_kg,scale,frames,flags"
OF_SHAPY = (
    "estimate,height_m,chest_m,waist_m,hips_m,mass_kg,"
    "shapy_height_m,shapy_chest_m,shapy_waist_m,shapy_hips_m,shapy_mass_kg,scale,frames"
)


FRAMES_PER_ESTIMATE = 2
TABLES = ("summary", "measurements", "subjects", "repeatability")


class Project:
    """The results folder of a test, filled by the real stages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.videos: list[str] = []

    def of(self, video: str, name: str) -> Path:
        return self.folder / "videos" / video / name

    def add(
        self,
        video: str,
        waists_m: tuple[float, ...] = (0.79, 0.80, 0.82),
        rejection: tuple[str, str] | None = None,
        subject: str | None = None,
        by_shapy: bool = False,
        others: Mapping[int, tuple[float, ...] | tuple[str, str]] | None = None,
        findings: Sequence[Finding] = (),
        estimate_flags: str = "",
        sex: str | None = None,
        given_mass_kg: float | None = None,
    ) -> None:
        """A video of one person, or with `others` of several: their waists, or a rejection."""
        self.videos.append(video)
        stage = self.of(video, "measurements")
        stage.mkdir(parents=True)
        Outcome(*(rejection or ())).write(stage)
        waists_m = () if rejection else waists_m
        people = {1: rejection or waists_m} | dict(others or {})
        if others:
            for person, found in people.items():
                person_folder(stage, person).mkdir()
                is_rejected = bool(found) and isinstance(found[0], str)
                Outcome(*(found if is_rejected else ())).write(person_folder(stage, person))
        header = OF_SHAPY if by_shapy and waists_m else ESTIMATES
        of_shapy = ",1.69,0.96,0.81,1.0,64" if by_shapy else ""
        rows = [
            f"estimate_{n},1.7,0.95,{waist},1.02,65{of_shapy},known_height,"
            f"{FRAMES_PER_ESTIMATE},{person},{estimate_flags}"
            for person, waists in people.items()
            if not rejection or person > 1
            for n, waist in enumerate(waists, 1)
            if isinstance(waist, float)
        ]
        lines(self.of(video, "measurements.csv"), f"{header},person,flags", *rows)
        kept = [f"frame_{n:06d},{p},{n},kept" for p in people for n in range(1, 9)] if rows else []
        dropped = ["frame_000009,,9,dropped", "frame_000010,,10,dropped"]
        lines(self.of(video, "keypoints.csv"), "frame,person,time_s,verdict", *kept, *dropped)
        write_checks(self.of(video, "checks.csv"), findings)
        summarize_video.main(
            stage,
            self.of(video, "measurements.csv"),
            self.of(video, "keypoints.csv"),
            self.of(video, "checks.csv"),
            self.of(video, "statistics.csv"),
            self.of(video, "outcome.json"),
            video=video,
            subject=subject,
            pose_backend="mediapipe",
            shape_backend="shapy" if by_shapy else "anny",
            sex=sex,
            given_mass_kg=given_mass_kg,
        )

    def collect(self) -> None:
        collect_reports.main(
            [self.of(video, "statistics.csv") for video in self.videos],
            [self.of(video, "outcome.json") for video in self.videos],
            **{name: self.folder / f"{name}.csv" for name in TABLES},
        )

    def summary(self) -> list[dict[str, str]]:
        return read(self.folder / "summary.csv")

    def tidy(self) -> list[dict[str, str]]:
        return read(self.folder / "measurements.csv")

    def subjects(self) -> dict[str, dict[str, str]]:
        return {row["subject"]: row for row in read(self.folder / "subjects.csv")}

    def repeatability(self) -> dict[str, dict[str, str]]:
        return {row["measurement"]: row for row in read(self.folder / "repeatability.csv")}


def lines(path: Path, *content: str) -> None:
    path.write_text("\n".join(content) + "\n", encoding="utf-8")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# measure_bodies


@pytest.fixture
def bodies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eleven estimates of a tube, each a little wider, that pass for bodies."""
    monkeypatch.setattr(
        measure_bodies,
        "measure",
        lambda body, _table: MeasuredBody(
            values={
                "height": float(body.vertices[:, 1].max()),
                "chest": 0.9,
                "waist": 2 * math.pi * float(body.vertices[:, 0].max()),
                "hips": 1.0,
                "mass": 60.0,
            },
            flags={"hips": ("largest_at_navel",), "natural_waist": ("cannot_tell",)},
            contours={"waist": 1.0},
            lines={},
        ),
    )
    folder = tmp_path / "bodies"
    folder.mkdir()
    Outcome(counts={"estimates": 11}).write(folder)
    for number in range(1, 12):
        body = as_body(stack([0, 1.0, 1.8], 0.1 + 0.001 * number, 0.1, corners=12))
        body.save(folder / f"estimate_{number}.npz")
    return folder


def test_every_estimate_is_a_plain_pickle_and_a_row(bodies: Path, tmp_path: Path) -> None:
    measure_bodies.main(bodies, tmp_path / "measurements", tmp_path / "measurements.csv")

    rows = read(tmp_path / "measurements.csv")
    assert ",".join(rows[0]) == MEASURED
    assert [row["estimate"] for row in rows] == [f"estimate_{n}" for n in range(1, 12)]
    assert {row["scale"] for row in rows} == {"known_height"}
    assert {row["person"] for row in rows} == {"1"}
    assert {row["flags"] for row in rows} == {"hips=largest_at_navel;natural_waist=cannot_tell"}
    values = pickle.loads((tmp_path / "measurements" / "estimate_10.pkl").read_bytes())
    assert type(values) is dict
    assert {type(value) for value in values.values()} == {float}
    assert float(rows[9]["waist_m"]) == pytest.approx(values["waist"], abs=1e-6)
    assert Outcome.read(tmp_path / "measurements").counts == {"estimates": 11}


def test_raw_contours_stand_beside_girths_where_they_are_asked_for(
    bodies: Path, tmp_path: Path
) -> None:
    measure_bodies.main(bodies, tmp_path / "out", tmp_path / "out.csv", contours=True)

    rows = read(tmp_path / "out.csv")
    assert list(rows[0])[4:6] == ["waist_m", "waist_contour_m"]
    assert {row["waist_contour_m"] for row in rows} == {"1.0"}


def test_a_rejected_video_has_no_estimates_and_keeps_its_reason(tmp_path: Path) -> None:
    (tmp_path / "bodies").mkdir()
    Outcome("no_person", "Nobody is there.").write(tmp_path / "bodies")

    measure_bodies.main(
        tmp_path / "bodies", tmp_path / "measurements", tmp_path / "measurements.csv"
    )

    assert (tmp_path / "measurements.csv").read_text(encoding="utf-8") == MEASURED + "\n"
    assert Outcome.read(tmp_path / "measurements") == Outcome("no_person", "Nobody is there.")


def test_a_broken_body_fails_the_job_and_names_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "bodies"
    folder.mkdir()
    Outcome().write(folder)
    as_body(stack([0, 1.0], 0.1, 0.1, corners=12)).save(folder / "estimate_1.npz")

    with pytest.raises(InvalidBodyError, match=r"estimate_1\.npz: vertices has 26 rows"):
        measure_bodies.main(folder, tmp_path / "measurements", tmp_path / "measurements.csv")


def test_success_without_bodies_is_a_fault_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "bodies").mkdir()
    Outcome().write(tmp_path / "bodies")

    with pytest.raises(FileNotFoundError, match="no estimate_"):
        measure_bodies.main(tmp_path / "bodies", tmp_path / "out", tmp_path / "out.csv")


@pytest.fixture
def landmark_files(tmp_path: Path) -> list[Path]:
    """SHAPY's two, with every landmark on a triangle of its own."""
    names = ["HeadTop", "HeelLeft", "Nipple", "Navel", "Crotch"]
    rings = {"CW_p": ["Nipple"], "BW_p": ["Navel"], "IW_p": ["Crotch"]}
    faces = {name: {"face_idx": 40 * n, "bc": [1, 0, 0]} for n, name in enumerate(names)}
    files = [tmp_path / "definitions.yaml", tmp_path / "landmarks.yaml"]
    for file, content in zip(files, (rings, faces), strict=True):
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return files


@pytest.fixture
def shapys(tmp_path: Path) -> Path:
    """Two bodies of SHAPY's model, each from a frame of its own."""
    folder = tmp_path / "shapys"
    folder.mkdir()
    Outcome(counts={"estimates": 2}).write(folder)
    for number in (1, 2):
        tube = stack(np.linspace(0, 1.8, 10), 0.14 + 0.01 * number, 0.12, corners=20)
        as_smplx(tube, {"bust": 1.3, "navel": 1.1, "crotch": 0.8}).save(
            folder / f"estimate_{number}.npz"
        )
    return folder


def test_with_shapys_landmarks_its_own_measurements_are_added_to_its_bodies(
    shapys: Path, landmark_files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "measurements"

    measure_bodies.main(shapys, out, tmp_path / "measurements.csv", landmark_files)

    rows = read(tmp_path / "measurements.csv")
    own = OF_SHAPY[OF_SHAPY.index("shapy") :]
    assert ",".join(rows[0]).endswith(f"{own},flags")
    assert [row["frames"] for row in rows] == ["1", "1"]
    values = pickle.loads((out / "estimate_2.pkl").read_bytes())
    assert list(values)[-5:] == [f"shapy_{name}" for name in list(values)[:5]]
    assert {type(value) for value in values.values()} == {float}
    assert values["shapy_height"] == pytest.approx(
        0.2, abs=1e-6
    )  # from one ring of the tube to the next
    assert float(rows[1]["shapy_mass_kg"]) == pytest.approx(values["shapy_mass"], abs=1e-6)
    assert values["shapy_mass"] == pytest.approx(values["mass"])


def test_without_shapys_landmarks_its_bodies_have_the_five_of_every_body(
    shapys: Path, tmp_path: Path
) -> None:
    measure_bodies.main(shapys, tmp_path / "out", tmp_path / "out.csv")

    columns = list(read(tmp_path / "out.csv")[0])
    assert set(MEASURED.split(",")) <= set(columns)
    assert not any(column.startswith("shapy") for column in columns)


def test_shapys_landmarks_are_for_its_own_bodies_only(
    bodies: Path, landmark_files: list[Path], tmp_path: Path
) -> None:
    measure_bodies.main(bodies, tmp_path / "out", tmp_path / "out.csv", landmark_files)

    assert ",".join(read(tmp_path / "out.csv")[0]) == MEASURED


def test_broken_landmarks_fail_the_job_and_not_the_video(
    shapys: Path, landmark_files: list[Path], tmp_path: Path
) -> None:
    landmark_files[1].write_text("HeadTop: 3", encoding="utf-8")

    with pytest.raises(InvalidLandmarksError, match=r"landmarks\.yaml: landmark HeadTop is 3"):
        measure_bodies.main(shapys, tmp_path / "out", tmp_path / "out.csv", landmark_files)


# summarize_video


def test_a_measured_video_has_statistics_and_a_verdict(project: Project) -> None:
    project.add("ann", subject="Ann")

    rows = read(project.of("ann", "statistics.csv"))
    verdict = json.loads(project.of("ann", "outcome.json").read_text(encoding="utf-8"))

    assert ",".join(rows[0]) == TIDY
    waist = next(row for row in rows if row["measurement"] == "waist")
    assert float(waist["50%"]) == pytest.approx(80)
    assert float(waist["mean"]) == pytest.approx(80.3333, abs=1e-3)
    of_ann = {
        "person": 1,
        "outcome": "ok",
        "code": None,
        "reason": None,
        "frames_used": 3 * FRAMES_PER_ESTIMATE,
        "estimates": 3,
        "scale": "known_height",
        "flags": [],
    }
    assert verdict == of_ann | {
        "video": "ann",
        "subject": "Ann",
        "sex": None,
        "given_mass_kg": None,
        "frames_sampled": 10,
        "pose_backend": "mediapipe",
        "shape_backend": "anny",
        "people": [of_ann],
    }


def test_a_rejected_video_has_a_header_and_the_reason(project: Project) -> None:
    project.add("room", rejection=("no_person", "Nobody is there."))

    verdict = json.loads(project.of("room", "outcome.json").read_text(encoding="utf-8"))

    assert project.of("room", "statistics.csv").read_text(encoding="utf-8") == TIDY + "\n"
    assert (verdict["outcome"], verdict["code"]) == ("rejected", "no_person")
    assert (verdict["frames_sampled"], verdict["frames_used"], verdict["estimates"]) == (2, 0, 0)
    assert verdict["scale"] is None


def found(check: str, consequence: str, *, person: int | None = 1) -> Finding:
    """A check that failed."""
    return Finding(person, check, "fail", 2.0, 1.0, "ratio", consequence, f"See {check}.")  # type: ignore[arg-type]


def test_a_check_that_widens_widens_the_intervals_it_names_and_is_a_flag(project: Project) -> None:
    check = load_checks()["loose_clothing"]
    loose = found(check.code, "widen")
    project.add("usual")
    project.add("loose", findings=[loose])
    project.collect()

    usual, widened = (
        {row["measurement"]: row for row in project.tidy() if row["video"] == video}
        for video in ("usual", "loose")
    )

    for record in load_table().measurements[:5]:
        sds = [float(rows[record.name]["common_relative_sd"]) for rows in (usual, widened)]
        added = added_sd([loose], record, usual_sd=0.02)
        assert sds[1] == pytest.approx(math.hypot(sds[0], added), abs=2e-4)
    assert [row["flags"] for row in project.summary()] == [check.code, ""]


def test_a_check_that_rejects_makes_the_video_rejected(project: Project) -> None:
    project.add("loose", findings=[found("loose_clothing", "reject")])
    project.collect()

    (row,) = project.summary()
    verdict = json.loads(project.of("loose", "outcome.json").read_text(encoding="utf-8"))

    assert (row["status"], row["code"], row["reason"]) == (
        "rejected",
        "loose_clothing",
        "See loose_clothing.",
    )
    assert (row["waist_cm"], row["frames_used"], row["estimates"]) == ("", "0", "0")
    assert row["flags"] == "loose_clothing"
    assert (verdict["outcome"], verdict["flags"]) == ("rejected", ["loose_clothing"])


def test_a_video_rejected_before_keeps_its_own_reason(project: Project) -> None:
    findings = [found("loose_clothing", "reject", person=None)]
    project.add("room", rejection=("no_person", "Nobody is there."), findings=findings)
    project.collect()

    assert project.summary()[0]["code"] == "no_person"


def test_checks_of_one_person_are_not_those_of_another(project: Project) -> None:
    findings = [
        found("loose_clothing", "reject", person=2),
        found("camera_moves", "flag", person=None),
    ]
    project.add("pair", others={2: (0.95,)}, findings=findings)
    project.collect()

    first, second = project.summary()

    assert (first["status"], second["status"]) == ("measured", "rejected")
    assert (first["flags"], second["flags"]) == ("camera_moves", "loose_clothing;camera_moves")


# collect_reports


def test_the_reports_have_the_promised_columns(project: Project) -> None:
    project.add("ann")
    project.collect()

    assert ",".join(project.summary()[0]) == f"{SUMMARY},flags"
    assert ",".join(project.tidy()[0]) == TIDY


def test_shapys_own_measurements_have_columns_as_soon_as_one_video_has_them(
    project: Project,
) -> None:
    project.add("room", rejection=("no_person", "Nobody is there."), by_shapy=True)
    project.add("old")
    project.add("ann", by_shapy=True)
    project.collect()

    ann, old, room = project.summary()

    columns = [f"shapy_waist_cm{end}" for end in ("", "_low", "_high")]
    names = list(ann)
    assert ",".join(names[:27]) == SUMMARY
    assert names[27:-1:3] == [
        f"shapy_{name}" for name in ("height_cm", "chest_cm", "waist_cm", "hips_cm", "mass_kg")
    ]
    assert float(ann[columns[1]]) < float(ann[columns[0]]) == 81.0 < float(ann[columns[2]])
    assert {row[column] for row in (old, room) for column in columns} == {""}
    assert {row["waist_cm"] for row in (ann, old)} == {"80.0"}


def test_shapys_own_measurements_have_rows_for_every_video_of_such_a_run(project: Project) -> None:
    project.add("room", rejection=("no_person", "Nobody is there."), by_shapy=True)
    project.add("ann", by_shapy=True)
    project.collect()

    rows = project.tidy()

    own = ["height", "chest", "waist", "hips", "mass"]
    names = [*own, *(f"shapy_{name}" for name in own)]
    assert [(row["video"], row["measurement"]) for row in rows] == [
        (video, name) for video in ("ann", "room") for name in names
    ]
    assert [row["count"] for row in rows] == ["3"] * 10 + ["0"] * 10
    assert "SHAPY's landmark" in rows[-2]["definition"]


def test_every_video_has_its_row_measured_or_rejected(project: Project) -> None:
    project.add("room", rejection=("no_person", "Nobody is there."))
    project.add("ann", subject="Ann")
    project.collect()

    ann, room = project.summary()

    assert (ann["video"], ann["subject"], ann["status"], ann["code"]) == (
        "ann",
        "Ann",
        "measured",
        "",
    )
    assert (ann["frames_sampled"], ann["frames_used"], ann["estimates"]) == ("10", "6", "3")
    assert (ann["height_cm"], ann["waist_cm"], ann["mass_kg"]) == ("170.0", "80.0", "65.0")
    assert float(ann["waist_cm_low"]) < 80 < float(ann["waist_cm_high"])
    assert (room["status"], room["code"]) == ("rejected", "no_person")
    assert room["reason"] == "Nobody is there."
    assert {room[name] for name in room if name.endswith(("_cm", "_kg", "_low", "_high"))} == {""}


def test_the_tidy_report_has_a_row_per_video_and_measurement(project: Project) -> None:
    project.add("room", rejection=("no_person", "Nobody is there."))
    project.add("ann")
    project.collect()

    rows = project.tidy()

    names = ["height", "chest", "waist", "hips", "mass"]
    assert [(r["video"], r["measurement"]) for r in rows] == [
        (video, name) for video in ("ann", "room") for name in names
    ]
    assert [r["count"] for r in rows] == ["3"] * 5 + ["0"] * 5
    assert {r["50%"] for r in rows[5:]} == {""}
    assert rows[2]["std"] == "1.53"
    assert rows[2]["75%"] == "81.0"
    assert rows[4]["unit"] == "kg"


def test_pandas_reads_the_reports(project: Project) -> None:
    project.add("room", rejection=("blurred", 'Too "soft", \nfilm again'))
    project.add("ann")
    project.collect()

    summary = pd.read_csv(project.folder / "summary.csv")

    assert summary["waist_cm"].dtype == float
    assert summary.loc[summary["video"] == "room", "reason"].item() == 'Too "soft",  film again'


def test_the_order_of_inputs_does_not_matter(project: Project) -> None:
    for video in ("b", "a", "c"):
        project.add(video)
    project.collect()
    before = (project.folder / "summary.csv").read_bytes()

    project.videos.reverse()
    project.collect()

    assert (project.folder / "summary.csv").read_bytes() == before


def test_numbers_that_were_changed_are_not_collected_and_the_old_reports_stay(
    project: Project,
) -> None:
    """All of them are outdated at once, so that the next run makes them again and is well."""
    an_hour_ago_s = time.time() - 3600
    project.add("a")
    project.collect()
    before = project.tidy()
    for video in ("b", "c"):
        project.add(video)
    changed = (project.of("b", "outcome.json"), project.of("c", "statistics.csv"))
    kept = []
    for path in changed:
        path.write_text(path.read_text("utf-8") + " ", encoding="utf-8")
        kept.append(path.read_bytes())

    with pytest.raises(DamagedFileError) as error:
        project.collect()

    assert project.tidy() == before
    for path, content in zip(changed, kept, strict=True):
        assert f"{path} is not as tapeless wrote it" in str(error.value)
        assert path.stat().st_mtime < an_hour_ago_s
        assert path.with_name(f"{path.name}.changed").read_bytes() == content


def test_checks_that_were_changed_are_not_collected(project: Project, tmp_path: Path) -> None:
    project.add("a")
    checks = project.of("a", "checks.csv")
    checks.write_text(checks.read_text("utf-8") + "1,blurred,pass,0,1,,none,\n", encoding="utf-8")
    with pytest.raises(DamagedFileError, match=r"checks\.csv is not as tapeless wrote it"):
        collect_checks.main({"a": checks}, tmp_path / "checks.csv")


def test_results_of_before_there_were_seals_are_collected(project: Project) -> None:
    project.add("a")
    project.collect()
    before = project.tidy()
    for name in ("statistics.csv", "outcome.json", "checks.csv"):
        seal_of(project.of("a", name)).unlink()
    project.collect()
    assert project.tidy() == before


# safe to open


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "-start.mp4", " =1", "＝1+1", "＠A1"]
)
def test_no_cell_is_taken_for_a_formula(text: str, project: Project) -> None:
    project.add("a", subject=text, rejection=("blurred", text))
    project.collect()

    row = project.summary()[0]

    assert row["subject"] == f"'{text}"
    assert row["reason"] == f"'{text}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("anna;=1+1", "anna;'=1+1"),
        ("anna; @SUM(A1);-1", "anna;' @SUM(A1);'-1"),
        ('anna;"=1+1"', 'anna;\'"=1+1"'),
        ("anna\t=1+1", "anna =1+1"),
        (";＝1", ";'＝1"),
    ],
)
def test_nor_is_what_a_spreadsheet_makes_of_it_that_separates_otherwise(
    text: str, shown: str, tmp_path: Path
) -> None:
    write_table(tmp_path / "a.csv", ["x", "y"], [{"x": text, "y": 1}])

    assert read(tmp_path / "a.csv") == [{"x": shown, "y": "1"}]
    for separator in ";\t":
        for row in csv.reader((tmp_path / "a.csv").open(encoding="utf-8"), delimiter=separator):
            assert not [cell for cell in row if cell.strip().startswith(("=", "+", "-", "@", "＝"))]


@pytest.mark.parametrize("name", ["Zoë Müller; 3rd", "a=b", "a;b-c", "a-b.mp4", "x (1); y, z"])
def test_ordinary_names_are_as_they_were(name: str) -> None:
    assert safe_text(name) == name


def test_control_characters_do_not_break_rows(project: Project) -> None:
    project.add("a", subject="\r\n=1", rejection=("blurred", "one\nand\x00 two, \udce9"))
    project.collect()

    row = project.summary()[0]

    assert row["subject"] == "' =1"
    assert row["reason"] == r"one and  two, \udce9"


def test_numbers_below_zero_stay_numbers(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", ["x", "y"], [{"x": -1.5, "y": None}, {"x": math.nan}])

    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "x,y\n-1.5,\n,\n"


@given(st.text() | st.text(";=+ \t\"'a"))
def test_text_is_one_line_that_starts_no_formula(text: str) -> None:
    cell = safe_text(text)

    for part in cell.split(";"):
        assert not part.lstrip().startswith(("=", "+", "-", "@"))
    assert not set("\n\r\t") & set(cell)
    if text.isprintable():
        assert cell.replace("'", "") == text.replace("'", "")


@given(st.lists(st.text(), min_size=2, max_size=2))
def test_whatever_text_a_row_holds_comes_back_as_its_cells(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        write_table(path, ["x", 'of "x", again'], [{"x": texts[0], 'of "x", again': texts[1]}])

        assert read(path) == [
            {"x": safe_text(texts[0]), 'of "x", again': safe_text(texts[1])},
        ]


@given(st.floats(-1e10, 1e10), st.integers(1, 4))
@example(0.25, 1)
@example(0.15, 1)
@example(-0.04, 1)
@example(99.996, 2)
@example(1.5, 3)
def test_numbers_are_rounded_as_python_does(number: float, decimals: int) -> None:
    assert number_cell(number, decimals) == str(round(number, decimals))


def test_a_number_that_is_not_known_is_an_empty_cell(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ["x", "y"], [[number_cell(math.nan, 1), number_cell(-2.0, 1)]])

    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "x,y\n,-2.0\n"


def test_a_table_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_table(path, ["x"], [{"x": 1}])

    def rows():
        yield {"x": 2}
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_table(path, ["x"], rows())

    assert path.read_text(encoding="utf-8") == "x\n1\n"


# several people


def test_each_person_of_a_video_has_a_row_and_a_verdict_of_their_own(project: Project) -> None:
    project.add(
        "pair",
        waists_m=(0.80, 0.80),
        subject="Ann",
        others={2: (0.95, 0.95, 0.95), 3: ("too_few_frames", "Hidden.")},
    )
    project.collect()

    verdict = json.loads(project.of("pair", "outcome.json").read_text(encoding="utf-8"))
    first, second, third = project.summary()

    assert [row["person"] for row in (first, second, third)] == ["1", "2", "3"]
    assert [row["waist_cm"] for row in (first, second, third)] == ["80.0", "95.0", ""]
    assert [row["estimates"] for row in (first, second, third)] == ["2", "3", "0"]
    assert (third["status"], third["code"], third["reason"]) == (
        "rejected",
        "too_few_frames",
        "Hidden.",
    )
    assert {row["frames_sampled"] for row in (first, second, third)} == {"10"}
    assert (verdict["outcome"], verdict["estimates"]) == ("ok", 2)
    assert [person["person"] for person in verdict["people"]] == [1, 2, 3]


def test_the_subject_of_a_video_is_its_first_person(project: Project) -> None:
    project.add("pair", subject="Ann", others={2: (0.95,)})
    project.collect()

    assert [row["subject"] for row in project.summary()] == ["Ann", ""]
    assert {(row["person"], row["subject"]) for row in project.tidy()} == {("1", "Ann"), ("2", "")}
    assert (project.subjects()["Ann"]["videos"], project.subjects()["Ann"]["waist_cm"]) == (
        "1",
        "80.0",
    )


def test_others_are_measured_where_the_first_person_is_rejected(project: Project) -> None:
    project.add("pair", rejection=("too_few_frames", "Hidden."), others={2: (0.95,)})
    project.collect()

    first, second = project.summary()

    assert (first["status"], second["status"]) == ("rejected", "measured")
    assert (first["waist_cm"], second["waist_cm"]) == ("", "95.0")


# subjects.csv


def test_videos_of_a_subject_are_one_row_with_their_mean_and_their_spread(project: Project) -> None:
    for video, waist_m in {"a": 0.78, "b": 0.82}.items():
        project.add(video, waists_m=(waist_m,) * 3, subject="Ann")
    project.add("c", waists_m=(0.9,) * 3, subject="Ben")
    project.add("d")
    project.collect()

    subjects = project.subjects()
    waists = {row["video"]: row for row in project.tidy() if row["measurement"] == "waist"}

    assert list(subjects) == ["Ann", "Ben"]
    ann, ben = subjects["Ann"], subjects["Ben"]
    assert (ann["videos"], ann["videos_measured"], ann["scale"]) == ("2", "2", "known_height")
    assert float(ann["waist_cm"]) == pytest.approx(math.sqrt(78 * 82), abs=0.05)
    assert ann["waist_cm_sd"] == f"{4 / math.sqrt(2):.2f}"
    assert float(ann["waist_cm_low"]) < 78 < 82 < float(ann["waist_cm_high"])
    assert [ben[f"waist_cm{end}"] for end in ("", "_low", "_high", "_sd")] == [
        *(waists["c"][column] for column in ("50%", "low", "high")),
        "",
    ]


def test_two_people_under_one_name_are_flagged(project: Project) -> None:
    project.add("a", waists_m=(0.795, 0.80, 0.805), subject="Ann")
    project.add("b", waists_m=(0.855, 0.86, 0.865), subject="Ann")
    project.add("c", waists_m=(0.795, 0.80, 0.805), subject="Ben")
    project.add("d", waists_m=(0.81, 0.82, 0.83), subject="Ben")
    project.collect()

    subjects = project.subjects()

    assert subjects["Ann"]["flags"] == "waist=videos_disagree"
    assert subjects["Ben"]["flags"] == ""
    assert list(subjects["Ann"])[-1] == "flags"


def test_a_subject_has_the_flags_of_at_least_half_of_their_videos(project: Project) -> None:
    loose, turn = found("loose_clothing", "widen"), found("no_turn", "flag")
    project.add("a", subject="Ann", findings=[loose, turn], estimate_flags="waist=not_distinct")
    project.add("b", subject="Ann", findings=[turn])
    project.add("c", subject="Ann", estimate_flags="waist=not_distinct")
    project.add("d", rejection=("no_person", "Nobody is there."), subject="Ann", findings=[loose])
    project.collect()

    assert project.subjects()["Ann"]["flags"] == "no_turn;waist=not_distinct"


def test_a_subject_all_of_whose_videos_are_rejected_has_a_row(project: Project) -> None:
    project.add("a", rejection=("no_person", "Nobody is there."), subject="Ann")
    project.add("b", rejection=("no_person", "Nobody is there."), subject="Ann")
    project.collect()

    (ann,) = project.subjects().values()

    assert (ann["videos"], ann["videos_measured"]) == ("2", "0")
    assert {value for name, value in ann.items() if "_cm" in name or "_kg" in name} == {""}


def test_without_subjects_there_is_a_header(project: Project) -> None:
    project.add("a")
    project.collect()

    text = (project.folder / "subjects.csv").read_text(encoding="utf-8")
    assert text.startswith("subject,videos,videos_measured,scale,height_cm,")
    assert len(text.splitlines()) == 1


# repeatability.csv


def test_repeatability_tells_people_from_videos_of_one(project: Project) -> None:
    for person, waist_m in {"ann": 0.7, "ben": 0.9}.items():
        for number in (1, 2):
            waists_m = (waist_m + 0.01 * number,) * 3
            project.add(f"{person}_{number}", waists_m=waists_m, subject=person)
    project.add("somebody", waists_m=(0.8,) * 3)
    project.collect()

    waist = project.repeatability()["waist"]

    assert (waist["people"], waist["videos"], waist["people_repeated"]) == ("3", "5", "2")
    assert waist["within_person_sd"] == f"{1 / math.sqrt(2):.2f}"
    assert float(waist["between_person_sd"]) == pytest.approx(10, abs=1.5)
    assert float(waist["population_sd"]) > 10
    assert waist["verdict"] == "cannot_tell"


@pytest.mark.parametrize(
    ("sheet", "taken_out"),
    [({}, "height"), ({"sex": "female"}, "sex;height"), ({"given_mass_kg": 65}, "height;mass")],
)
def test_what_the_sheet_says_of_people_is_taken_out_before_they_are_compared(
    project: Project, sheet: dict, taken_out: str
) -> None:
    for name in ("ann", "bea", "cid"):
        project.add(name, subject=name, **sheet)
    project.collect()

    rows = project.repeatability()

    assert rows["waist"]["taken_out"] == taken_out
    assert (rows["height"]["population_sd"], rows["height"]["verdict"]) == ("", "cannot_tell")
    assert (rows["mass"]["population_sd"] == "") == ("given_mass_kg" in sheet)


def test_all_tables_come_out_the_same_again_whatever_the_order(project: Project) -> None:
    for video in ("b", "a", "c"):
        project.add(video, subject="Ann", others={2: (0.9,)})
    project.collect()
    before = {name: (project.folder / f"{name}.csv").read_bytes() for name in TABLES}

    project.videos.reverse()
    project.collect()

    assert {name: (project.folder / f"{name}.csv").read_bytes() for name in TABLES} == before
