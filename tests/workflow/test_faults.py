"""Wrong configurations and sheets stop before any job, with all faults in one message."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from projects import Project


def refused(project: Project, *arguments: str) -> str:
    """What a run says that must not start any job."""
    run: subprocess.CompletedProcess[str] = project.snakemake(*arguments)
    assert run.returncode != 0, run.stdout
    assert not project.results.exists()
    return run.stdout


def listed(said: str) -> list[str]:
    return [line.removeprefix("  - ") for line in said.splitlines() if line.startswith("  - ")]


def test_all_faults_of_configuration_and_sheet_are_said_in_one_message(project: Project):
    (project.folder / "videos/walk.mp4").write_text("no video", encoding="utf-8")
    project.configure(
        blurr_faces=True, sampling={"frames": 5, "rotate": 45}, shape={"estimates": "many"}
    )
    project.configure(selection={"min_frames": 6})
    project.write_sheet(
        {"video": "a", "path": "videos/walk.mp4", "height_cm": "1.8"},
        {"video": "a", "path": "videos/walk.mp4", "height_cm": "1800", "sex": "f"},
        {"video": "b/c", "path": "videos/none.mp4", "start_s": 3, "end_s": 2},
    )
    said = refused(project)
    assert listed(said) == [
        "unknown key blurr_faces (did you mean blur_faces?)",
        "sampling.rotate must be one of 0, 90, 180, 270, is 45",
        "shape.estimates must be a whole number, is 'many'",
        "selection.min_frames (6) must not exceed sampling.frames (5): "
        "no video would ever have enough",
        "config/videos.tsv, line 2: height_cm must be from 80 to 250, is 1.8 "
        "(metres? then write 180)",
        "config/videos.tsv, line 3: height_cm must be from 80 to 250, is 1800 "
        "(millimetres? then write 180)",
        "config/videos.tsv, line 3: sex must be one of female, male, is 'f'",
        "config/videos.tsv, line 3: the id a is that of line 2 already",
        "config/videos.tsv, line 4: video must be 1 to 100 letters (a-z), digits, dots, "
        "underscores and dashes that start with a letter, a digit or an underscore, is 'b/c'",
        "config/videos.tsv, line 4: there is no file 'videos/none.mp4'",
        "config/videos.tsv, line 4: start_s (3) must be before end_s (2)",
    ]
    assert "Nothing was run: the configuration and the list of videos have 11 faults." in said
    assert "config/README.md explains every key and every column." in said


@pytest.mark.parametrize("missing", ["empty folder", "no folder", "empty sheet"])
def test_with_no_videos_a_run_says_what_to_do(project: Project, missing: str):
    if missing == "no folder":
        (project.folder / "videos").rmdir()
    if missing == "empty sheet":
        project.write_sheet()
    said = refused(project)
    assert (
        "There are no videos to measure. Put some into the folder videos, or list them in the "
        "sheet config/videos.tsv" in said
    )


def test_a_video_that_is_not_listed_cannot_be_asked_for(project: Project):
    (project.folder / "videos/walk.mp4").write_text("no video", encoding="utf-8")
    said = refused(project, "results/videos/none.mp4/sheet.png")
    assert "There is no video 'none.mp4'" in said


def test_a_project_without_videos_passes_the_linter(project: Project):
    assert project.run("--lint").rstrip().endswith("your workflow is in a good condition!")


def test_a_key_on_the_command_line_is_checked_too(project: Project):
    (project.folder / "videos/walk.mp4").write_text("no video", encoding="utf-8")
    said = refused(project, "--config", 'sampling={"frames": 0}')
    assert listed(said) == ["sampling.frames must be from 1 to 1000, is 0"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "containers/images.yaml cannot be read (No such file or directory)"),
        ("{", "containers/images.yaml is not YAML; correct it: while parsing"),
        ("openpose: 3", "containers/images.yaml is not as it should be"),
        ("{}", "containers/images.yaml has no entry 'openpose'"),
    ],
)
def test_a_bad_file_of_images_is_a_fault_like_any_other(
    project: Project, content: str | None, fault: str
):
    (project.folder / "videos/walk.mp4").write_text("no video", encoding="utf-8")
    project.configure(
        pose={"backend": "openpose", "openpose": {"models": "models"}},
        sampling={"start_s": 2, "end_s": 1},
    )
    images = project.folder / "containers/images.yaml"
    images.unlink()
    if content is not None:
        images.write_text(content, encoding="utf-8")
    said = refused(project, "--dry-run")
    span, found = listed(said)
    assert span == "sampling.start_s (2) must be before sampling.end_s (1)"
    assert found.startswith(fault)
    assert "Traceback" not in said


def test_a_bad_file_of_images_does_not_matter_where_nothing_is_run_from_it(project: Project):
    (project.folder / "containers/images.yaml").unlink()
    (project.folder / "videos/walk.mp4").write_text("no video", encoding="utf-8")
    project.run("--dry-run")


def test_the_workflow_brings_its_images_to_any_folder(project: Project, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "videos").mkdir(parents=True)
    shutil.move(project.folder / "config", elsewhere / "config")
    (elsewhere / "videos/walk.mp4").write_text("no video", encoding="utf-8")
    folders = ('pose={"openpose": {"models": "none"}}', 'shape={"shapy": {"data": "none"}}')
    said = Project(elsewhere).run(
        *("--dry-run", "--snakefile", str(project.folder / "Snakefile")),
        *("--configfile", "config/reference.yaml", "--config", *folders),
    )
    assert "estimate_shape" in said


def test_the_example_sheet_needs_nothing_but_its_videos(project: Project):
    example = project.folder / "config/videos.example.tsv"
    sheet = example.rename(Path(example.parent / "videos.tsv"))
    faults = listed(refused(project))
    assert len(faults) == len(sheet.read_text(encoding="utf-8").splitlines()) - 1
    assert all("there is no file" in fault for fault in faults)
