"""After a real run: a person is forgotten, and no raw picture is left when none is to be kept."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from projects import SHEET, Project
from tapeless.images import read_rgb
from tapeless.keypoints import read_people
from tapeless.pictures.heads import Head, head_of
from tapeless.video import Sampling, sample_frames

FORGET = [sys.executable, "-c", "from tapeless.cli import main; main()", "forget"]


def test_of_a_forgotten_person_no_file_has_the_name_or_tells(finished: Project):
    told = list(find_told(finished, "walk"))
    assert len(told) > 50  # so that the search below can find something
    finished.run_command([*FORGET, "walk", "--yes"])
    assert list(find_told(finished, "walk")) == []
    assert list(find_told(finished, "text"))


def test_the_next_run_makes_the_reports_of_the_others_and_no_more(finished: Project):
    finished.run_command([*FORGET, "walk", "--yes"])
    assert set(finished.plan().get("sample_frames", ())) == set()
    finished.run("results/subjects.csv", "results/cohort.html", "results/provenance.json")
    assert set(finished.read_summary()) == {"text"}
    assert list(find_told(finished, "walk")) == []


def test_a_person_with_a_number_for_a_name_takes_nothing_of_the_others_along(finished: Project):
    (finished.folder / "videos/3.mp4").write_text("no video either", encoding="utf-8")
    number = {"video": "3", "path": "videos/3.mp4", "height_cm": "", "subject": "3"}
    finished.write_sheet(*SHEET, number)
    finished.run()
    before = contents(finished)
    theirs = [name for name in before if {"3", "3.log", "3.tsv", "3.mp4"} & set(Path(name).parts)]
    assert len(theirs) > 30

    said = finished.run_command([*FORGET, "3", "--yes"])
    assert "Nothing that tells of 3 was found any more" in said
    after = contents(finished)
    assert set(theirs).isdisjoint(after)
    others = {name for name in before if re.search(r"(^|/)(walk|text)[./]", name)}
    assert len(others) > 100
    assert {name: after.get(name) for name in others} == {name: before[name] for name in others}
    assert set(finished.read_summary()) == {"walk", "text"}
    plan = finished.plan()
    assert {video for videos in plan.values() for video in videos} == {""}  # the reports


def contents(project: Project) -> dict[str, bytes]:
    """What is in the files of the runs and in the recordings."""
    tops = (project.results, project.folder / "videos", project.folder / ".snakemake/log")
    return {
        str(path.relative_to(project.folder)): path.read_bytes()
        for top in tops
        for path in top.rglob("*")
        if path.is_file()
    }


def find_told(project: Project, word: str) -> list[Path]:
    """Files of the runs, and of the user's list, with a word in their name, or in what they say."""
    found = []
    for folder in ("results", ".snakemake", "videos", "config/videos.tsv"):
        top = project.folder / folder
        for path in [top, *top.rglob("*")]:
            parts = path.relative_to(project.folder).parts
            name = "/".join(parts)
            if parts[:2] in ((".snakemake", "metadata"), (".snakemake", "incomplete")):
                encoded = "".join(part.removeprefix("@") for part in parts[2:])
                name = base64.urlsafe_b64decode(encoded).decode() if encoded else ""
            content = path.read_bytes() if path.is_file() else b""
            if is_told(name.encode(), word) or is_told(content, word):
                found.append(path)
    return found


def is_told(text: bytes, word: str) -> bool:
    return word.encode() in text


@pytest.mark.parametrize(
    "target", [["sheets"], ["reports"], ["sheets", "--batch", "sheets=1/3"]], ids=" ".join
)
def test_frames_are_forgotten_whatever_finishes_a_video(project: Project, target: list[str]):
    for video in ("a.mp4", "b.mp4", "c.mp4"):
        (project.folder / "videos" / video).write_text("no video", encoding="utf-8")
    planned = project.plan(*target)
    assert len(planned["sample_frames"]) == (1 if "--batch" in target else 3)
    assert planned["forget_frames"] == planned["draw_video"] == planned["sample_frames"]

    project.configure(keep_frames=True)
    assert "forget_frames" not in project.plan(*target)


def test_no_picture_of_the_raw_video_is_left_anywhere(original: Project, tmp_path: Path):
    """In no folder of the project, and not in that for temporary files."""
    assert [path for path in (original.folder / "tmp").rglob("*") if path.is_file()] == []
    walk = original.results / "videos/walk"
    recipe = json.loads((walk / "frames/recipe.json").read_text(encoding="utf-8"))
    sampled = sample_frames(
        original.folder / recipe["video"], tmp_path, Sampling(**recipe["sampling"])
    )
    raw = {frame.frame: read_rgb(tmp_path / f"{frame.frame}.png") for frame in sampled}
    shown = {path: picture for path in files_of(original) if (picture := open_picture(path))}
    faceless = {path for path, picture in shown.items() if picture.mode == "L"}  # outlines
    kept = {walk / f"pictures/{name}.jpg" for name in raw}
    assert set(shown) - faceless == kept | set(original.results.rglob("sheet.png"))
    assert {path.parent.name for path in faceless} == {"silhouettes"}
    for name, frame in raw.items():
        picture = read_rgb(walk / f"pictures/{name}.jpg")
        (head,) = filter(None, map(head_of, read_people(walk / f"pose/{name}_keypoints.json")))
        assert detail(picture, head) < 0.3 * detail(frame, head)


def files_of(project: Project) -> Iterator[Path]:
    """All files but the recordings themselves."""
    for path in project.folder.rglob("*"):
        if path.is_file() and path.parent != project.folder / "videos":
            yield path


def open_picture(path: Path) -> Image.Image | None:
    """The picture that a file holds, whatever its name."""
    try:
        return Image.open(path)
    except (UnidentifiedImageError, OSError):
        return None


def detail(picture: NDArray[np.uint8], head: Head) -> float:
    """Energy of what changes from pixel to pixel in the middle of a head."""
    x, y, reach = int(head.x), int(head.y), int(head.across / 2)
    middle = picture[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
    return float(cv2.Laplacian(middle.astype(np.float32), cv2.CV_32F).var())


def test_forgetting_says_what_it_did_and_the_sheet_is_whole(finished: Project):
    said = finished.run_command([*FORGET, "walk", "--yes"])
    assert "Nothing that tells of walk was found any more" in said
    sheet = (finished.folder / "config/videos.tsv").read_text(encoding="utf-8")
    assert [line.split("\t")[-1] for line in sheet.splitlines()] == ["video", "text"]
    record = json.loads((finished.results / "videos/text/outcome.json").read_text())
    assert record["code"] == "not_a_video"
