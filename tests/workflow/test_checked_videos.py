"""Checks in the workflow: every measured video has them, and what they find reaches the reports."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np

from projects import ROOT, SHEET, Project
from tapeless.bodies import Body
from tapeless.checks import load_checks
from tapeless.checks.clothing import shape_oddness
from tapeless.checks.findings import judge
from tapeless.population import draw_adults, rest_body
from tapeless.scenes import vertex_normals
from tapeless.shape.anny_space import ShapeSpace


def read_checks(project: Project) -> dict[tuple[str, str], dict[str, str]]:
    with (project.results / "checks.csv").open(encoding="utf-8", newline="") as file:
        return {(row["video"], row["check"]): row for row in csv.DictReader(file)}


def test_a_measured_video_is_checked_and_a_rejected_one_is_not(original: Project) -> None:
    rows = read_checks(original)
    assert set(rows) == {("walk", code) for code in load_checks()}
    verdicts = {check: row["verdict"] for (_, check), row in rows.items()}
    assert verdicts["no_turn"] == verdicts["camera_moves"] == verdicts["not_an_adult"] == "pass"
    assert rows["walk", "camera_moves"]["person"] == ""
    assert rows["walk", "no_turn"]["person"] == "1"
    assert float(rows["walk", "no_turn"]["value"]) == 90


def test_a_child_is_rejected_unless_the_configuration_lets_it_pass(finished: Project) -> None:
    finished.write_sheet({**SHEET[0], "height_cm": 120}, SHEET[1])
    finished.run()
    row = finished.read_summary()["walk"]
    assert (row["status"], row["code"]) == ("rejected", "not_an_adult")
    assert "the body model is one of adults" in row["reason"]

    finished.configure(checks={"reject": []})
    assert finished.plan()["check_video"] == {"walk", "text"}
    assert "estimate_shape" not in finished.plan()
    finished.run()
    row = finished.read_summary()["walk"]
    assert row["status"] == "measured"
    assert "not_an_adult" in row["flags"].split(";")


def in_a_shirt(body: Body, off_m: float) -> Body:
    """What a perfect fit would make of a shirt that stands off the trunk."""
    x, y, _ = body.vertices.T / body.vertices[:, 1].max()
    is_trunk = (y > 0.45) & (y < 0.80) & (np.abs(x) < 0.13)
    normals = vertex_normals(body.vertices, body.faces.astype(np.int64))
    return replace(body, vertices=body.vertices + off_m * is_trunk[:, None] * normals)


def test_a_very_loose_shirt_makes_an_odd_shape_of_everybody(original: Project) -> None:
    assert original.results.exists()  # with the space, which that run made if it was missing
    space, check = ShapeSpace.load(ROOT / "resources/anny_shape_space.npz"), "loose_clothing"
    for adult in draw_adults(4, 2, varied_beyond_prior=True):  # seed 2 is that for tuning
        for off_m, verdict in ((0.0, "pass"), (0.06, "fail")):
            reading = shape_oddness([in_a_shirt(rest_body(adult), off_m)], space)
            found = judge(load_checks()[check], reading, person=1, rejecting=())
            assert found.verdict == verdict, (adult.sex, off_m, reading)
