"""The stages of a video as few jobs: the same results as with a job each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from projects import ROOT, SHEET, Project, make_project

RULES = ROOT / "rules"
JOINED = {
    "sample_frames.smk",
    "pose_mediapipe.smk",
    "select_keypoints.smk",
    "segment_person.smk",
    "blur_faces.smk",
    "shape_anny.smk",
    "measure_bodies.smk",
    "check_video.smk",
    "summarize_video.smk",
    "draw_video.smk",
}


@pytest.fixture(scope="module")
def few(original: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The videos of the finished project, done with few jobs."""
    project = make_project(tmp_path_factory.mktemp("few") / "project")
    for video in (original.folder / "videos").iterdir():
        (project.folder / "videos" / video.name).write_bytes(video.read_bytes())
    project.write_sheet(*SHEET)
    project.configure(jobs_per_video="few")
    project.run()
    return project


def test_reports_and_pictures_are_those_of_many_jobs(few: Project, original: Project):
    assert few.reports() == original.reports()


def test_two_jobs_make_all_that_a_video_has(few: Project):
    logs = {path.parent.name for path in (few.results / "logs").glob("*/walk.log")}
    assert logs == {"view_video", "measure_video"}


def test_unblurred_pictures_are_gone_when_a_video_is_done(few: Project):
    assert list((few.results / "videos/walk/frames").rglob("*.png")) == []


def test_a_change_of_nothing_computes_nothing_and_one_of_a_name_only_measures(few: Project):
    assert few.plan() == {}
    few.write_sheet(SHEET[0] | {"subject": "Anna"}, SHEET[1])
    again = {rule: videos for rule, videos in few.plan().items() if videos != {""}}
    assert again == {"measure_video": {"walk"}}


def test_its_rules_have_all_parameters_of_the_rules_of_the_stages():
    """What changes a result must be told of there, too."""
    few_jobs = (RULES / "few_jobs.smk").read_text(encoding="utf-8")
    for name in sorted(JOINED):
        assert [key for key in parameters(RULES / name) if not is_there(key, few_jobs)] == [], name


def parameters(rules: Path) -> list[str]:
    """The names of the parameters of the rules of a file, and of what one of them holds."""
    text = rules.read_text(encoding="utf-8")
    blocks = re.findall(r"^    params:\n((?:        .*\n)+)", text, re.MULTILINE)
    return re.findall(r"\b(\w+)=", "".join(blocks))


def is_there(key: str, rules: str) -> bool:
    return re.search(rf'\b{key}=|"{key}":', rules) is not None
