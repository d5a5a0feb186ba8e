"""Files of any name are sampled by the real workflow, and each has its verdict."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from projects import Project

NAMES = [
    "with space.mp4",
    "q'uo\"te.mp4",
    "$(touch pwned).mp4",
    "`touch pwned`.mp4",
    "new\nline.mp4",
    "br{ace}s.mp4",
    "{video}.mp4",
    "{.mp4",
    "<results>.mp4",
    "<unknown>.mp4",
    "ümläut é.mp4",
    "😀.mp4",
    "-rf.mp4",
    "--help",
    " lead.mp4",
    "trail ",
    "same.mp4",
    "same.mov",
    "one/same.mp4",
    "two/same.mp4",
    "semi;colon&|.mp4",
    "*.mp4",
    "%s.mp4",
    "back\\slash.mp4",
    "concat:secret",
    os.fsdecode(b"latin-\xe9.mp4"),
]


def test_every_name_reaches_its_verdict_and_runs_nothing(project: Project):
    for name in NAMES:
        path = project.folder / "videos" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no video", encoding="utf-8")
    project.run("frames")
    outcomes = [project.read_outcome(p.name, "frames") for p in stages(project)]
    assert [outcome["code"] for outcome in outcomes] == ["not_a_video"] * len(NAMES)
    assert not list(project.folder.rglob("pwned*"))
    assert project.plan("frames") == {}


def stages(project: Project) -> list[Path]:
    return sorted((project.results / "videos").iterdir())


def test_an_unreadable_file_is_rejected_beside_others(project: Project):
    for name in ("closed.mp4", "open.mp4"):
        (project.folder / "videos" / name).write_text("no video", encoding="utf-8")
    (project.folder / "videos/closed.mp4").chmod(0)
    command = project.command("frames")
    if os.geteuid() == 0:  # whom permissions do not stop, unless this right is given up
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    project.run_command(command)
    codes = {
        path.name: project.read_outcome(path.name, "frames")["code"] for path in stages(project)
    }
    assert codes == {"closed.mp4": "unreadable", "open.mp4": "not_a_video"}


@pytest.mark.parametrize("kind", ["folder link", "file link"])
def test_links_are_followed(project: Project, tmp_path: Path, kind: str):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "walk.mp4").write_text("no video", encoding="utf-8")
    target = elsewhere if kind == "folder link" else elsewhere / "walk.mp4"
    (project.folder / "videos/link").symlink_to(target)
    project.run("frames")
    ((video),) = stages(project)
    assert project.read_outcome(video.name, "frames")["code"] == "not_a_video"
