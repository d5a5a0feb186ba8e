"""What is done again when something changes: what depends on it, and nothing else.

Snakemake itself says what it would do, in a project that the real workflow has finished.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from projects import SHEET, Project
from tapeless.sources import find_sources

NEXT = {
    "build_shape_space": {"estimate_shape"},
    "sample_frames": {
        "estimate_pose",
        "select_keypoints",
        "segment_person",
        "blur_faces",
        "check_video",
    },
    "estimate_pose": {"select_keypoints", "blur_faces", "draw_video", "forget_frames"},
    "select_keypoints": {"segment_person", "estimate_shape", "summarize_video", "draw_video"},
    "segment_person": {"estimate_shape", "draw_video", "forget_frames"},
    "blur_faces": {"draw_video", "forget_frames"},
    "forget_frames": set(),
    "estimate_shape": {"measure_bodies", "draw_video", "forget_frames"},
    "measure_bodies": {"check_video", "summarize_video"},
    "check_video": {"summarize_video", "collect_checks", "forget_frames"},
    "collect_checks": set(),
    "summarize_video": {"draw_video", "collect_reports"},
    "draw_video": set(),
    "collect_reports": {"write_provenance", "draw_cohort"},
    "draw_cohort": set(),
    "write_provenance": set(),
}
"""Which stages read what a stage writes."""

SCRIPTS = {
    "estimate_pose": "estimate_pose_mediapipe.py",
    "estimate_shape": "estimate_shape_anny.py",
}
FOR_ALL = {
    "build_shape_space",
    "collect_checks",
    "collect_reports",
    "draw_cohort",
    "write_provenance",
}
"""Rules that run once, not for every video."""
VIDEOS = {"walk", "text"}


def after(stages: Iterable[str]) -> set[str]:
    """These stages, and all that come after them."""
    found: set[str] = set()
    pending = list(stages)
    while pending:
        stage = pending.pop()
        if stage not in found:
            found.add(stage)
            pending += NEXT[stage]
    return found


def jobs(stages: Iterable[str], videos: set[str] = VIDEOS) -> dict[str, set[str]]:
    return {stage: {""} if stage in FOR_ALL else set(videos) for stage in stages}


def script_of(stage: str) -> str:
    return SCRIPTS.get(stage, f"{stage}.py")


def edit(path: Path) -> None:
    """A change that alters the file, but not what it does."""
    with path.open("a", encoding="utf-8") as file:
        file.write("\n# edited\n")


def test_a_finished_project_has_nothing_to_do(finished: Project):
    assert finished.plan() == {}


def test_a_project_that_was_moved_has_nothing_to_do(finished: Project, tmp_path: Path):
    finished.folder.rename(tmp_path / "elsewhere")
    assert Project(tmp_path / "elsewhere").plan() == {}


def test_the_shim_for_the_catalog_finds_the_same_project_finished(finished: Project):
    assert finished.plan("--snakefile", "workflow/Snakefile") == {}


ALL_OF_A_VIDEO = after({"sample_frames"}) - FOR_ALL
REPORTS = after({"collect_checks", "collect_reports"})


def test_an_added_video_runs_its_own_jobs_and_the_collection(finished: Project, footage: Path):
    shutil.copy2(footage, finished.folder / "videos/new.mp4")
    finished.write_sheet(*SHEET, {"video": "new", "path": "videos/new.mp4"})
    assert finished.plan() == jobs(ALL_OF_A_VIDEO, {"new"}) | jobs(REPORTS)


def test_a_video_removed_from_the_sheet_loses_its_row_and_recomputes_nothing(finished: Project):
    finished.write_sheet(SHEET[0])
    assert finished.plan() == jobs(REPORTS)
    finished.run()
    assert set(finished.read_summary()) == {"walk"}
    assert finished.plan() == {}


def test_a_replaced_video_runs_its_own_chain(finished: Project):
    (finished.folder / "videos/text.mp4").write_text("another text", encoding="utf-8")
    assert finished.plan() == jobs(ALL_OF_A_VIDEO, {"text"}) | jobs(REPORTS)


def test_a_video_replaced_by_an_older_file_runs_its_own_chain(finished: Project):
    os.utime(finished.folder / "videos/text.mp4", (1, 1))
    assert finished.plan() == jobs(ALL_OF_A_VIDEO, {"text"}) | jobs(REPORTS)


@pytest.mark.parametrize(
    ("cells", "stage"),
    [
        ({"height_cm": 171}, "estimate_shape"),
        ({"mass_kg": 70}, "estimate_shape"),
        ({"sex": "female"}, "estimate_shape"),
        ({"distance_m": 2.4, "vertical_fov_degrees": 60}, "estimate_shape"),
        ({"subject": "Anna"}, "summarize_video"),
        ({"start_s": 0.5}, "sample_frames"),
        ({"end_s": 1.5}, "sample_frames"),
    ],
    ids=str,
)
def test_a_cell_of_the_sheet_reruns_that_video_from_the_stage_that_reads_it(
    finished: Project, cells: dict[str, object], stage: str
):
    finished.write_sheet(SHEET[0] | cells, SHEET[1])
    assert finished.plan() == jobs(after({stage}) - FOR_ALL, {"walk"}) | jobs(REPORTS)


@pytest.mark.parametrize(
    ("config", "stage"),
    [
        ({"sampling": {"frames": 7}}, "sample_frames"),
        ({"sampling": {"fps": 4}}, "sample_frames"),
        ({"sampling": {"start_s": 0.1}}, "sample_frames"),
        ({"sampling": {"end_s": 1.9}}, "sample_frames"),
        ({"sampling": {"rotate": 90}}, "sample_frames"),
        ({"sampling": {"longest_side_px": 401}}, "sample_frames"),
        ({"sampling": {"hwaccel": "auto"}}, "sample_frames"),
        ({"pose": {"min_visibility": 0.4}}, "estimate_pose"),
        ({"selection": {"min_frames": 5}}, "select_keypoints"),
        ({"selection": {"min_person_height_px": 101}}, "select_keypoints"),
        ({"selection": {"min_sharpness": 0.2}}, "select_keypoints"),
        ({"shape": {"estimates": 1}}, "estimate_shape"),
        ({"shape": {"vertical_fov_degrees": 45}}, "estimate_shape"),
        ({"shape": {"device": "cuda"}}, "estimate_shape"),
        ({"blur_faces": False}, "blur_faces"),
        ({"keep_frames": True}, "write_provenance"),
    ],
    ids=str,
)
def test_a_parameter_reruns_the_stages_that_depend_on_it(
    finished: Project, config: dict[str, Any], stage: str
):
    finished.configure(**config)
    expected = after({stage, "write_provenance"})  # which tells the configuration
    if config == {"keep_frames": True}:
        expected.discard("forget_frames")
    assert finished.plan() == jobs(expected)


@pytest.mark.parametrize("stage", sorted(NEXT.keys() - {"forget_frames"}))
def test_an_edited_script_reruns_its_stage_and_those_after_it(finished: Project, stage: str):
    edit(finished.folder / "scripts" / script_of(stage))
    assert finished.plan() == jobs(after({stage}))


@pytest.mark.parametrize(
    "helper",
    ["selection.py", "tape.py", "measurements.py", "data/measurements.yaml", "video/sample.py"],
)
def test_an_edited_helper_reruns_exactly_the_stages_that_import_it(finished: Project, helper: str):
    edit(finished.folder / "scripts/tapeless" / helper)
    scripts = finished.folder / "scripts"
    users = {
        stage
        for stage in NEXT.keys() - {"forget_frames"}
        if scripts / "tapeless" / helper in find_sources(scripts / script_of(stage))
    }
    assert users
    assert finished.plan() == jobs(after(users))


def test_a_helper_that_was_saved_without_a_change_reruns_nothing(finished: Project):
    (finished.folder / "scripts/tapeless/tape.py").touch()
    assert finished.plan() == {}


def test_a_stage_that_runs_again_gets_its_frames_back_and_wakes_no_other(finished: Project):
    kept = finished.results / "videos/walk"
    made_before = {
        name: (kept / name / ".snakemake_timestamp").stat().st_mtime_ns
        for name in ("frames", "pose", "pictures")
    }
    finished.configure(selection={"min_frames": 5})
    said = finished.run()
    assert "Choosing the person to measure" in said
    assert finished.read_summary()["walk"]["status"] == "measured"
    assert {
        name: (kept / name / ".snakemake_timestamp").stat().st_mtime_ns for name in made_before
    } == made_before
    assert finished.plan() == {}


def test_unblurred_pictures_are_gone_when_a_video_is_done(original: Project):
    assert list((original.results / "videos/walk/frames").rglob("*.png")) == []
    assert len(list((original.results / "videos/walk/pictures").glob("*.jpg"))) == 8


def test_frames_are_kept_when_asked_for(finished: Project):
    finished.configure(keep_frames=True, selection={"min_frames": 5})
    finished.run()
    assert len(list((finished.results / "videos/walk/frames").glob("*.png"))) == 8
