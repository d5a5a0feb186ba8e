"""The user's own measurements: what they measure, and what is said of mistakes before a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from solids import as_body, stack, table_for
from test_measuring import circle, mannequin

import collect_reports
import measure_bodies
import summarize_video
from tapeless.anatomy import JOINTS
from tapeless.bodies import Body
from tapeless.checks import write_checks
from tapeless.configuration import find_config_faults, with_defaults
from tapeless.custom_measurements import find_custom_faults
from tapeless.measurements import load_table, measure, measure_body
from tapeless.outcomes import Outcome

SCHEMA = yaml.safe_load(
    (Path(__file__).parents[2] / "schemas" / "config.schema.yaml").read_text(encoding="utf-8")
)
BELLY = {"name": "belly", "definition": "Taut girth at the navel.", "kind": "girth", "at": "navel"}
FOREARM = {
    "name": "mid_forearm",
    "definition": "Taut girth midway along the forearm.",
    "kind": "girth",
    "bone": "forearm",
    "share": 0.5,
}


@pytest.fixture(scope="module")
def body() -> Body:
    return mannequin()


def value_of(body: Body, record: dict[str, Any]) -> float:
    return measure_body(body, load_table(custom=[record]))[record["name"]]


def test_the_users_measurements_come_after_all_others() -> None:
    own, names = (
        [record.name for record in load_table(custom=custom).measurements]
        for custom in ([], [BELLY, FOREARM])
    )

    assert names == [*own, "belly", "mid_forearm"]


def test_a_girth_lies_at_a_landmark_or_between_two_or_across_a_bone(body: Body) -> None:
    at = value_of(body, BELLY)
    between = value_of(body, {**_without(BELLY, "at"), "between": ["crotch", "navel"], "share": 1})

    assert between == pytest.approx(at) == pytest.approx(measure_body(body)["waist"])
    assert value_of(body, FOREARM) == pytest.approx(circle(0.0325), rel=1e-3)
    at_elbow = {**_without(FOREARM, "share"), "at": "elbow"}
    assert value_of(body, at_elbow) == pytest.approx(circle(0.04), rel=2e-2)


def test_lines_go_through_landmarks_and_joints(body: Body) -> None:
    def line(kind: str, *through: str) -> float:
        record = {"name": "x", "definition": "A line.", "kind": kind, "through": list(through)}
        return value_of(body, record)

    assert line("height", "knee") == pytest.approx(0.47)
    assert line("height", "knee", "ankle") == pytest.approx(0.38)
    assert line("distance", "shoulder", "elbow", "wrist") == pytest.approx(0.55)
    assert line("distance", "left_hip", "right_hip") == pytest.approx(0.2)
    assert line("path", "navel", "crotch") >= line("distance", "navel", "crotch") - 1e-9


def test_a_record_knows_its_quantity_and_its_columns() -> None:
    girth, breadth = load_table(
        custom=[
            BELLY,
            {
                "name": "hip_breadth",
                "definition": "Straight from hip to hip.",
                "kind": "distance",
                "through": ["left_hip", "right_hip"],
                "quantity": "breadth",
            },
        ]
    ).measurements[-2:]

    assert (girth.quantity, girth.si_column, girth.report_column) == (
        "girth",
        "belly_m",
        "belly_cm",
    )
    assert (breadth.quantity, breadth.power) == ("breadth", 1)


def test_what_a_body_does_not_tell_is_flagged_and_stops_nothing() -> None:
    tube = as_body(stack([0, 0.9, 1.8], 0.15, 0.15, corners=24))
    table = table_for(tube, {"bust": 1.3, "navel": 1.1, "crotch": 0.8})
    own = load_table(custom=[FOREARM]).measurements[-1]

    table = replace(table, measurements=(*table.measurements, own))

    assert measure(tube, table).flags["mid_forearm"] == ("cannot_tell",)
    assert measure_body(tube, table)["waist"] > 0.9


def test_a_girth_of_the_torso_that_lies_below_the_crotch_cannot_be_told(body: Body) -> None:
    feet = body.joints.copy()
    feet[JOINTS.index("head")] = (0, 0.4, 0)  # such as a body whose head hangs down
    record = {**BELLY, "at": "head"}

    measured = measure(replace(body, joints=feet), load_table(custom=[record]))

    assert measured.flags["belly"] == ("cannot_tell",)
    assert "belly" not in dict(measured.values)


def test_a_path_keeps_to_landmarks_that_are_on_the_skin_of_the_body(body: Body) -> None:
    """On this topology the bust is a place between shoulders and hips, inside the chest."""
    record = {"name": "x", "definition": "A line.", "kind": "path", "through": ["bust", "navel"]}

    assert measure(body, load_table(custom=[record])).flags["x"] == ("cannot_tell",)


def test_what_is_nothing_cannot_be_told_and_has_no_interval(body: Body, tmp_path: Path) -> None:
    """On a body that stands straight, the shoulders are equally high."""
    slope = {
        "name": "slope",
        "definition": "Height of the left acromion above the right one.",
        "kind": "height",
        "through": ["left_acromion", "right_acromion"],
    }

    statistics = statistics_of(body, tmp_path, [slope])

    assert "slope" not in set(statistics["measurement"])
    assert statistics["low"].min() > 0


@pytest.mark.parametrize("lacking", ["hip", "shoulder", "pelvis", "knee"])
def test_a_body_without_a_joint_stops_no_video(body: Body, tmp_path: Path, lacking: str) -> None:
    kept = [name for name in JOINTS if lacking not in name]
    places = [JOINTS.index(name) for name in kept]

    statistics = statistics_of(
        replace(body, joints=body.joints[places], joint_names=np.array(kept)), tmp_path, []
    ).set_index("measurement")

    assert statistics["50%"]["height"] == pytest.approx(180)
    untold = statistics.index[statistics["count"] == 0]
    assert set(untold) <= {"chest", "waist", "hips"}
    assert (statistics["flags"][untold] == "cannot_tell").all()
    assert len(untold) > 0


def statistics_of(body: Body, folder: Path, custom: list[dict[str, Any]]) -> pd.DataFrame:
    """What the last two stages make of a video of one body."""
    bodies = folder / "bodies"
    bodies.mkdir()
    Outcome(counts={"estimates": 1}).write(bodies)
    replace(body, frames=np.array(["frame_000001"])).save(bodies / "estimate_1.npz")
    (folder / "keypoints.csv").write_text("frame,person\nframe_000001,1\n", encoding="utf-8")
    write_checks(folder / "checks.csv", [])
    measure_bodies.main(bodies, folder / "measured", folder / "bodies.csv", custom=custom)
    summarize_video.main(
        folder / "measured",
        folder / "bodies.csv",
        folder / "keypoints.csv",
        folder / "checks.csv",
        folder / "statistics.csv",
        folder / "outcome.json",
        video="one",
        subject="somebody",
        pose_backend="mediapipe",
        shape_backend="anny",
        custom=custom,
    )
    return pd.read_csv(folder / "statistics.csv")


def _without(record: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != key}


MISTAKES = [
    ({"name": "waist"}, "has a name that is taken already"),
    ({"name": "shapy_belly"}, "has a name with shapy_, which is for SHAPY's own"),
    (
        {"kind": "height", "at": None, "through": ["navel"], "name": "waist_contour"},
        "has the column waist_contour_m, as waist has; choose another name",
    ),
    ({"at": "knee"}, "is a girth of the torso, and knee is below it; write bone"),
    ({"at": None, "between": ["crotch", "left_ankle"], "share": 0.5}, "left_ankle is below it"),
    (
        {"kind": "path", "at": None, "through": ["left_acromion", "left_elbow"]},
        "left_elbow is a joint inside the body; name a landmark of the skin, or write kind: dist",
    ),
    ({"at": "navle"}, r"has an unknown landmark navle \(did you mean navel\?\)"),
    ({"at": "42"}, r"has an unknown landmark 42 \(known: "),
    ({"bone": "femur", "share": 0.5, "at": None}, r"has an unknown bone femur \(known: neck"),
    ({"at": None}, "must say where the girth lies: at, or between with share, or bone"),
    ({"between": ["navel", "bust"], "share": 0.5}, "must say where the girth lies"),
    ({"at": None, "between": ["navel", "bust"]}, "has between, which goes with share"),
    ({"bone": "forearm", "share": 0.5}, "has bone, which goes with either share or at"),
    ({"through": ["navel"]}, "is a girth, which has no key through"),
    ({"quantity": "length"}, "is a girth, so that its quantity is girth, not length"),
    ({"kind": "path"}, "is a path, which has no key at; write through"),
    ({"kind": "path", "at": None, "through": ["navel"]}, "must go through 2 to 19 landmarks"),
    ({"kind": "height", "at": None}, "must go through 1 to 2 landmarks"),
    (
        {"kind": "height", "at": None, "through": ["navel"], "quantity": "girth"},
        "quantity is length or breadth, not girth",
    ),
]


@pytest.mark.parametrize(("change", "message"), MISTAKES)
def test_a_mistake_is_said_with_the_record_it_is_in(change: dict[str, Any], message: str) -> None:
    record = {key: value for key, value in {**BELLY, **change}.items() if value is not None}

    with pytest.raises(ValueError, match=message) as caught:
        load_table(custom=[FOREARM, record])
    assert f"measurements.custom.1 ({record['name']})" in str(caught.value)


def test_two_records_of_one_name_are_a_mistake() -> None:
    assert find_custom_faults([BELLY, BELLY]) == [
        "measurements.custom.1 (belly) has a name that is taken already; choose another one"
    ]


def test_mistakes_are_reported_before_a_run_with_all_others() -> None:
    config = {"measurements": {"custom": [{**BELLY, "at": "navle"}]}, "sampling": {"start_s": -1}}

    faults = find_config_faults(with_defaults(config, SCHEMA), SCHEMA)

    assert len(faults) == 2
    assert any("navle" in fault for fault in faults)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "9 lives"}, "measurements.custom.0.name must be small letters"),
        ({"name": "belly\n"}, "measurements.custom.0.name must be small letters"),
        ({"kind": "sum"}, "measurements.custom.0.kind must be one of girth, path"),
        ({"above": "navel"}, "unknown key measurements.custom.0.above"),
        ({"share": 2}, "measurements.custom.0.share must be from 0 to 1"),
        ({"between": ["navel"]}, "measurements.custom.0.between must be a list of 2"),
    ],
)
def test_a_record_of_another_form_is_a_fault_of_the_configuration(
    change: dict[str, Any], message: str
) -> None:
    config = with_defaults({"measurements": {"custom": [{**BELLY, **change}]}}, SCHEMA)

    assert [fault for fault in find_config_faults(config, SCHEMA) if message in fault]


def test_numbers_in_a_record_may_come_from_the_command_line_as_text() -> None:
    records = [{**FOREARM, "share": "0.5"}]

    config = with_defaults({"measurements": {"contours": "true", "custom": records}}, SCHEMA)

    assert config["measurements"]["custom"][0]["share"] == 0.5
    assert find_config_faults(config, SCHEMA) == []


def test_the_users_measurements_are_columns_of_every_report(body: Body, tmp_path: Path) -> None:
    tables = ("summary", "measurements", "subjects", "repeatability")

    statistics_of(body, tmp_path, [BELLY])
    collect_reports.main(
        [tmp_path / "statistics.csv"],
        [tmp_path / "outcome.json"],
        **{name: tmp_path / f"{name}.csv" for name in tables},
        custom=[BELLY],
    )

    of_video, summary, tidy, subjects, repeated = (
        pd.read_csv(tmp_path / f"{name}.csv") for name in ("bodies", *tables)
    )
    assert of_video["belly_m"][0] == pytest.approx(of_video["waist_m"][0])
    for table in (summary, subjects):
        assert table["belly_cm"][0] == table["waist_cm"][0]
        assert table["belly_cm_low"][0] < table["belly_cm"][0] < table["belly_cm_high"][0]
    (row,) = tidy[tidy["measurement"] == "belly"].to_dict("records")
    assert (row["unit"], row["definition"]) == ("cm", BELLY["definition"])
    assert "belly" in set(repeated["measurement"])
