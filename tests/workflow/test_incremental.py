"""What is done again when something changes: what depends on it, and nothing else.

Snakemake itself says what it would do, in a project that the real workflow has finished.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from projects import ROOT, SHEET, Project
from tapeless.sources import find_sources

Change = Callable[[Project], object]

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
    "draw_video": {"collect_benchmarks"},
    "collect_benchmarks": set(),
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
    "collect_benchmarks",
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


def cells(**values: object) -> Change:
    """The first row of the sheet has these cells."""
    return lambda project: project.write_sheet(SHEET[0] | values, SHEET[1])


def keys(**groups: Any) -> Change:
    """The configuration has these keys."""
    return lambda project: project.configure(**groups)


def edited(file: str) -> Change:
    """A change that alters a file below scripts/, but not what it does."""

    def edit(project: Project) -> None:
        with (project.folder / "scripts" / file).open("a", encoding="utf-8") as script:
            script.write("\n# edited\n")

    return edit


def add_a_video(project: Project) -> None:
    shutil.copy2(project.folder / "videos/walk.mp4", project.folder / "videos/new.mp4")
    project.write_sheet(*SHEET, {"video": "new", "path": "videos/new.mp4"})


def replace_a_video(project: Project) -> None:
    (project.folder / "videos/text.mp4").write_text("another text", encoding="utf-8")


def replace_a_video_by_an_older_one(project: Project) -> None:
    os.utime(project.folder / "videos/text.mp4", (1, 1))


def save_a_helper(project: Project) -> None:
    (project.folder / "scripts/tapeless/tape.py").touch()


def users_of(helper: str) -> set[str]:
    """The stages whose scripts rest on a file of the library."""
    scripts = ROOT / "scripts"
    return {
        stage
        for stage in NEXT.keys() - {"forget_frames"}
        if scripts / "tapeless" / helper in find_sources(scripts / script_of(stage))
    }


def for_video(video: str, stage: str) -> dict[str, set[str]]:
    """The jobs of one video from a stage on, and those that collect what came of all."""
    stages = after({stage})
    return jobs(stages - FOR_ALL, {video}) | jobs(stages & FOR_ALL)


COLLECTIONS = FOR_ALL - {"build_shape_space"}

CELLS = {
    "height_cm": (cells(height_cm=171), "estimate_shape"),
    "mass_kg": (cells(mass_kg=70), "estimate_shape"),
    "sex": (cells(sex="female"), "estimate_shape"),
    "vertical_fov_degrees": (cells(vertical_fov_degrees=60), "estimate_shape"),
    "distance_m": (cells(distance_m=2.4), "estimate_shape"),
    "an object": (cells(object_height_cm=200, object_height_px=300), "estimate_shape"),
    "subject": (cells(subject="Anna"), "summarize_video"),
    "start_s": (cells(start_s=0.5), "sample_frames"),
    "end_s": (cells(end_s=1.5), "sample_frames"),
}
KEYS = {
    "frames": (keys(sampling={"frames": 7}), "sample_frames"),
    "fps": (keys(sampling={"fps": 4}), "sample_frames"),
    "start_s": (keys(sampling={"start_s": 0.1}), "sample_frames"),
    "end_s": (keys(sampling={"end_s": 1.9}), "sample_frames"),
    "rotate": (keys(sampling={"rotate": 90}), "sample_frames"),
    "longest_side_px": (keys(sampling={"longest_side_px": 401}), "sample_frames"),
    "hwaccel": (keys(sampling={"hwaccel": "auto"}), "sample_frames"),
    "min_visibility": (keys(pose={"min_visibility": 0.4}), "estimate_pose"),
    "min_frames": (keys(selection={"min_frames": 5}), "select_keypoints"),
    "min_person_height_px": (keys(selection={"min_person_height_px": 101}), "select_keypoints"),
    "min_sharpness": (keys(selection={"min_sharpness": 0.2}), "select_keypoints"),
    "estimates": (keys(shape={"estimates": 1}), "estimate_shape"),
    "vertical_fov_degrees": (keys(shape={"vertical_fov_degrees": 45}), "estimate_shape"),
    "device": (keys(shape={"device": "cuda"}), "estimate_shape"),
    "blur_faces": (keys(blur_faces=False), "blur_faces"),
}
HELPERS = (
    "selection.py",
    "tape.py",
    "measurements.py",
    "data/measurements.yaml",
    "video/sample.py",
)

CHANGES: dict[str, tuple[Change, dict[str, set[str]]]] = {
    "nothing": (lambda project: None, {}),
    "a helper is saved without a change": (save_a_helper, {}),
    "a video is added": (add_a_video, for_video("new", "sample_frames")),
    "a video is replaced": (replace_a_video, for_video("text", "sample_frames")),
    "a video is replaced by an older file": (
        replace_a_video_by_an_older_one,
        for_video("text", "sample_frames"),
    ),
    **{
        f"the cell of {name}": (change, for_video("walk", stage))
        for name, (change, stage) in CELLS.items()
    },
    **{  # the provenance tells the configuration
        f"the key {name}": (change, jobs(after({stage, "write_provenance"})))
        for name, (change, stage) in KEYS.items()
    },
    "a number moves to another column": (
        cells(height_cm="", mass_kg=SHEET[0]["height_cm"]),
        for_video("walk", "estimate_shape"),
    ),
    "the key keep_frames": (keys(keep_frames=True), jobs({"write_provenance"})),
    **{
        f"the script of {stage} is edited": (edited(script_of(stage)), jobs(after({stage})))
        for stage in sorted(NEXT.keys() - {"forget_frames"})
    },
    **{
        f"{helper} is edited": (edited(f"tapeless/{helper}"), jobs(after(users_of(helper))))
        for helper in HELPERS
    },
}
"""What is changed in a finished project, and the jobs that a run would then do."""


@pytest.fixture(scope="module")
def plans(
    request: pytest.FixtureRequest, original: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[dict[str, set[str]]]]]:
    """What a run would do after each change to a copy of its own, a few looked at at once."""
    folder = tmp_path_factory.mktemp("changed")

    def plan_after(number: int, change: Change) -> dict[str, set[str]]:
        project = Project(shutil.copytree(original.folder, folder / str(number), symlinks=True))
        change(project)
        return project.plan()

    items = filter(is_of_a_change, request.session.items)
    wanted = {item.callspec.params["name"] for item in items}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {
            name: pool.submit(plan_after, number, change)
            for number, (name, (change, _)) in enumerate(CHANGES.items())
            if name in wanted
        }
        pool.shutdown(cancel_futures=True)


def is_of_a_change(item: pytest.Item) -> bool:
    return getattr(item, "function", None) is test_a_change_reruns_what_depends_on_it_and_no_more


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_reruns_what_depends_on_it_and_no_more(
    plans: dict[str, Future[dict[str, set[str]]]], name: str
):
    _, expected = CHANGES[name]
    assert plans[name].result() == expected


def test_every_helper_has_stages_that_rest_on_it():
    assert all(map(users_of, HELPERS))


def test_a_project_that_was_moved_has_nothing_to_do_not_even_by_the_shim_for_the_catalog(
    finished: Project, tmp_path: Path
):
    finished.folder.rename(tmp_path / "elsewhere")
    assert Project(tmp_path / "elsewhere").plan("--snakefile", "workflow/Snakefile") == {}


def test_a_video_removed_from_the_sheet_loses_its_row_and_recomputes_nothing(finished: Project):
    finished.write_sheet(SHEET[0])
    assert finished.plan() == jobs(COLLECTIONS)
    finished.run()
    assert set(finished.read_summary()) == {"walk"}
    assert finished.plan() == {}


def test_a_contact_sheet_that_is_deleted_is_drawn_again(finished: Project):
    (finished.results / "videos/walk/sheet.png").unlink()
    assert finished.plan() == {"draw_video": {"walk"}, "collect_benchmarks": {""}}
    assert finished.plan("sheets") == {"draw_video": {"walk"}}


def test_a_stage_that_runs_again_gets_its_frames_back_and_wakes_no_other(finished: Project):
    """And keeps them where that is asked for."""
    kept = finished.results / "videos/walk"
    made_before = {
        name: (kept / name / ".snakemake_timestamp").stat().st_mtime_ns
        for name in ("frames", "pose", "pictures")
    }
    finished.configure(keep_frames=True, selection={"min_frames": 5})
    assert "select_keypoints" in finished.plan()
    finished.run()
    assert finished.read_summary()["walk"]["status"] == "measured"
    assert {
        name: (kept / name / ".snakemake_timestamp").stat().st_mtime_ns for name in made_before
    } == made_before
    assert finished.plan() == {}
    assert len(list((kept / "frames").glob("*.png"))) == 8


def test_unblurred_pictures_are_gone_when_a_video_is_done(original: Project):
    assert list((original.results / "videos/walk/frames").rglob("*.png")) == []
    assert len(list((original.results / "videos/walk/pictures").glob("*.jpg"))) == 8
