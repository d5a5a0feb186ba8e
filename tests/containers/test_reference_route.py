"""The whole reference route by Snakemake: OpenPose and SHAPY in containers, over three videos.

A person, a person of known height, and an empty room; run by a user who is not root.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from projects import Project
from reference import (
    PROGRAMS,
    TALL_CM,
    ReferenceProject,
    owners,
)
from tapeless.bodies import Body
from tapeless.images import read_rgb
from tapeless.keypoints import read_person

PEOPLE = ("tall", "walk")
OURS = ("height", "chest", "waist", "hips", "mass")
AFTER_SHAPY = {
    "estimate_shape",
    "check_video",
    "measure_bodies",
    "summarize_video",
    "draw_video",
    "forget_frames",
    "collect_benchmarks",
    "collect_checks",
    "collect_reports",
    "draw_cohort",
    "write_provenance",
}
AFTER_OPENPOSE = AFTER_SHAPY | {
    "estimate_pose",
    "select_keypoints",
    "segment_person",
    "blur_faces",
}


def read_measurements(project: Project) -> pd.DataFrame:
    """The rows of measurements.csv that have numbers, by video and measurement."""
    table = pd.read_csv(project.results / "measurements.csv").dropna(subset="50%")
    return table.set_index(["video", "measurement"])


# --- what comes of it -------------------------------------------------------------------------


def test_people_are_measured_and_an_empty_room_is_rejected(reference: ReferenceProject):
    summary = reference.read_summary()
    told = ("status", "code", "scale", "frames_used", "pose_backend", "shape_backend")
    assert {video: tuple(row[key] for key in told) for video, row in summary.items()} == {
        "room": ("rejected", "no_person", "", "0", "openpose", "shapy"),
        "tall": ("measured", "", "known_height", "8", "openpose", "shapy"),
        "walk": ("measured", "", "estimated", "8", "openpose", "shapy"),
    }
    assert "Film one person" in summary["room"]["reason"]


def test_every_body_has_our_measurements_and_those_of_shapy(reference: ReferenceProject):
    """The procedures differ, so girths do, a little; what is measured is one and the same body."""
    table = read_measurements(reference)
    assert set(table.index) >= {
        (video, f"{whose}{name}") for video in PEOPLE for whose in ("", "shapy_") for name in OURS
    }
    assert set(table["count"]) == {8}
    for video in PEOPLE:
        median = table.loc[video]["50%"]
        assert median["shapy_height"] == pytest.approx(median["height"], abs=1.5)
        assert median["shapy_mass"] == pytest.approx(median["mass"], rel=0.01)
        assert median["shapy_waist"] == pytest.approx(median["waist"], rel=0.02)


def test_a_known_height_is_the_height_of_every_body(reference: ReferenceProject):
    height = read_measurements(reference).loc[("tall", "height")]
    assert (height["min"], height["max"]) == (TALL_CM, TALL_CM)


def test_the_body_is_seen_where_the_person_is(reference: ReferenceProject):
    for video in PEOPLE:
        folder = reference.results / "videos" / video
        for number in range(1, 9):
            body = Body.load(folder / f"bodies/estimate_{number}.npz")
            (points,), (focal,), (centre,) = (
                body.posed_vertices, body.camera_focal_px, body.camera_center_px,
            )  # fmt: skip
            seen = points[:, :2] * focal / points[:, 2:] + centre
            found = read_person(folder / f"keypoints/{body.frames[0]}.json")
            left, top, right, bottom = found.box
            middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
            assert middle == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=12)
            assert np.ptp(seen[:, 1]) == pytest.approx((bottom - top) / 0.93, rel=0.1)


def test_every_video_has_its_sheet_and_no_frame_is_kept(reference: ReferenceProject):
    for video in ("walk", "tall", "room"):
        folder = reference.results / "videos" / video
        assert read_rgb(folder / "sheet.png").shape[1] > 1000
        assert not list((folder / "frames").glob("*.png"))


# --- what it says of itself -------------------------------------------------------------------


def test_the_provenance_names_images_weights_and_cards(reference: ReferenceProject):
    workstation = reference.workstation
    provenance = reference.read_provenance()
    assert provenance["containers"] == {"runtime": "docker", "images": dict(workstation.digests)}
    assert {program: set(files) for program, files in provenance["weights"].items()} == {
        "openpose": {"pose/body_25/pose_iter_584000.caffemodel"},
        "shapy": {
            "trained_models/shapy/SHAPY_A/checkpoints/best_checkpoint",
            "body_models/smplx/SMPLX_NEUTRAL.npz",
        },
    }
    checksums = [sum_ for files in provenance["weights"].values() for sum_ in files.values()]
    assert all(len(sum_) == len("sha256:") + 64 for sum_ in checksums)
    cards = {"driver": "0.0-standin", "names": ["Stand-in RTX a"]}
    assert provenance["graphics_cards"] == cards
    assert "--configfile config/reference.yaml" in provenance["command"]


def test_what_each_container_used_is_written_beside_its_benchmark(reference: ReferenceProject):
    workstation = reference.workstation
    for program, rule in PROGRAMS.items():
        for video in PEOPLE:
            usage = reference.read_usage(rule, video)
            assert usage["status"] == "ok"
            assert usage["digest"] == workstation.digests[program]
            assert usage["gpus"] == list(workstation.cards.uuids)
            assert usage["wall_time_s"] > 0.1
            assert usage["memory_peak_mb"] > 0  # it is looked at twice a second only
            assert reference.usage_file(rule, video).with_name(f"{video}.tsv").exists()
    assert reference.read_usage("estimate_pose", "room")["status"] == "ok"
    assert reference.read_usage("estimate_shape", "room") == {"status": "not_run"}


def test_every_file_belongs_to_who_ran_it(reference: ReferenceProject):
    """Not even what a container wrote is root's, though Docker's daemon is."""
    walk = reference.results / "videos/walk"
    assert len(list(walk.glob("pose/*_keypoints.json"))) == 8
    assert len(list(walk.glob("bodies/shapy/*.ply"))) == 8
    mine = owners(reference.folder / "videos")
    assert mine != {(0, 0)}
    assert owners(reference.results) == mine
    assert owners(reference.folder / ".snakemake") == mine


def test_no_container_is_left(reference: ReferenceProject):
    assert reference.workstation.containers() == []


# --- what reruns, and what does not -----------------------------------------------------------


def test_a_second_run_has_nothing_to_do(finished: ReferenceProject):
    before = finished.reports()
    assert "Nothing to be done" in finished.run()
    assert finished.reports() == before


@pytest.mark.parametrize(
    ("program", "rules"), [("openpose", AFTER_OPENPOSE), ("shapy", AFTER_SHAPY)]
)
def test_another_image_reruns_what_rests_on_it_and_no_more(
    finished: ReferenceProject, program: str, rules: set[str]
):
    finished.pin(**{program: "sha256:" + 64 * "0"})
    assert set(finished.plan()) == rules


def test_what_a_job_may_use_of_the_machine_reruns_nothing(finished: ReferenceProject):
    shared = {"source": str(finished.folder / "videos"), "target": "/shared", "writable": False}
    finished.refer(
        containers={
            "time_limit_minutes": 7,
            "memory_mb": 2000,
            "shm_mb": 64,
            "volumes": [shared],
            "ulimits": {"nofile": 4096},
            "environment": {"OMP_NUM_THREADS": "1"},
        }
    )
    assert set(finished.plan()) <= {"write_provenance"}
