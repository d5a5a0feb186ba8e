"""The stages of a video as few jobs, or as one: the same results as with a job each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from projects import ROOT, SHEET, Project, make_project, wait_for

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
JOBS = {"few": {"view_video", "measure_video"}, "one": {"process_video"}}
"""The jobs of a video, by `jobs_per_video`."""
AFTER_A_NAME = {"few": {"measure_video"}, "one": {"process_video"}}
"""Those that are done again when the name of a video's person changes."""


@pytest.fixture(scope="module", params=JOBS)
def way(request: pytest.FixtureRequest) -> str:
    """A value of `jobs_per_video`."""
    return str(request.param)


@pytest.fixture(scope="module")
def done(way: str, original: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The videos of the finished project, done in this way.

    The run with one job a video was killed in the middle of it, and the job then lived on.
    """
    project = make_project(tmp_path_factory.mktemp(way) / "project")
    for video in (original.folder / "videos").iterdir():
        (project.folder / "videos" / video.name).write_bytes(video.read_bytes())
    project.write_sheet(*SHEET)
    project.configure(jobs_per_video=way)
    if way == "one":
        killed = project.start()
        wait_for(lambda: (project.results / "videos/walk/keypoints.csv").exists(), killed)
        killed.kill()
        killed.wait()
    project.run()
    return project


def jobs_again(project: Project) -> Mapping[str, set[str]]:
    """What a run would do, but for what it does for all videos together."""
    return {rule: videos for rule, videos in project.plan().items() if videos != {""}}


def test_reports_and_pictures_are_those_of_many_jobs_also_after_a_kill(
    done: Project, original: Project
):
    assert done.reports() == original.reports()


def test_its_jobs_make_all_that_a_video_has(done: Project, way: str):
    logs = {path.parent.name for path in (done.results / "logs").glob("*/walk.log")}
    assert logs == JOBS[way]


def test_unblurred_pictures_are_gone_when_a_video_is_done(done: Project):
    assert list((done.results / "videos/walk/frames").rglob("*.png")) == []


def test_what_changes_is_done_again_and_no_more(done: Project, way: str):
    assert done.plan() == {}

    done.write_sheet(SHEET[0] | {"subject": "Anna"}, SHEET[1])
    assert jobs_again(done) == {rule: {"walk"} for rule in AFTER_A_NAME[way]}
    done.write_sheet(*SHEET)

    config = done.folder / "config/config.yaml"
    before = config.read_bytes()
    done.configure(pose={"min_visibility": 0.25}, selection={"min_sharpness": 0.5})  # exchanged
    assert jobs_again(done) == {rule: {"walk", "text"} for rule in JOBS[way]}
    config.write_bytes(before)


@pytest.mark.parametrize(
    ("on_a_card", "expected"),
    [
        ({"sampling": {"hwaccel": "cuda"}}, {"sample_frames", "estimate_pose", "process_video"}),
        ({"shape": {"device": "cuda"}}, {"view_video", "estimate_shape", "measure_video"}),
    ],
)
def test_what_takes_a_card_is_a_job_of_its_own(
    project: Project, on_a_card: Mapping[str, Any], expected: set[str]
):
    (project.folder / "videos/text.mp4").write_text("no video", encoding="utf-8")
    project.configure(jobs_per_video="one", **on_a_card)
    assert jobs_again(project).keys() == expected


@pytest.mark.parametrize(("way", "rule"), [("many", "sample_frames"), ("few", "view_video")])
def test_frames_of_a_video_on_s3_come_back_by_the_rule_that_its_page_names(
    project: Project, way: str, rule: str
):
    (project.folder / "videos/text.mp4").write_text("no video", encoding="utf-8")
    project.configure(jobs_per_video=way)
    page = (ROOT / "docs/storage.md").read_text(encoding="utf-8")
    assert rule in page.partition("## Results on S3")[0]
    assert rule in project.plan("--forcerun", rule)


def test_who_begins_with_more_than_a_thousand_videos_hears_of_fewer_jobs(project: Project):
    """Unless it was chosen, or it would compute anew what is there."""
    (project.folder / "videos/text.mp4").write_text("no video", encoding="utf-8")
    one_video = ("--dry-run", "results/videos/v0/frames.csv")
    hint = "With `jobs_per_video: one` they are planned and measured in less time"

    def said(videos: int) -> str:
        rows = ({"video": f"v{number}", "path": "videos/text.mp4"} for number in range(videos))
        project.write_sheet(*rows)
        return " ".join(project.run(*one_video).split())

    assert said(1001).count(f"There are 1001 videos. {hint}") == 1
    assert hint not in said(1000)
    project.configure(jobs_per_video="one")
    assert hint not in said(1001)
    project.configure(jobs_per_video="many")
    (project.results / "videos").mkdir(parents=True)
    assert hint not in said(1001)


def test_its_rules_have_all_parameters_of_the_rules_of_the_stages():
    """What changes a result must be told of there, too, by the same keys of the configuration."""
    files = ("few_jobs.smk", "view_video.smk", "measure_video.smk")
    joined = "".join((RULES / name).read_text(encoding="utf-8") for name in files)
    for name in sorted(JOINED):
        assert [key for key in parameters(RULES / name) if not is_there(key, joined)] == [], name
        assert configured(parameters_of(RULES / name)) - configured(joined) == set(), name


def test_what_the_configuration_says_is_told_of_by_name():
    """As one parameter, for Snakemake compares parameters without their names."""
    for rules in RULES.glob("*.smk"):
        lines = re.findall(r"^        \w+=\w+\[.*", parameters_of(rules), re.MULTILINE)
        assert lines == [], rules.name


def parameters_of(rules: Path) -> str:
    """The parameters of the rules of a file."""
    text = rules.read_text(encoding="utf-8")
    return "".join(re.findall(r"^    params:\n((?:        .*\n)+)", text, re.MULTILINE))


def parameters(rules: Path) -> list[str]:
    """The names of the parameters of the rules of a file, and of what each of them holds."""
    found = re.findall(r'\b(\w+)=|"(\w+)":', parameters_of(rules))
    return ["".join(names) for names in found]


def configured(rules: str) -> set[tuple[str, str]]:
    """The names of what the configuration says, and the keys that say it."""
    return set(re.findall(r'(\w+)"?(?:=|: )(config\[[^\n,]*)', rules))


def is_there(key: str, rules: str) -> bool:
    return re.search(rf'\b{key}=|"{key}":', rules) is not None
