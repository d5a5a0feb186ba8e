"""After a real run: a person is forgotten, and no raw picture is left when none is to be kept."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from projects import Project

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


def test_forgetting_says_what_it_did_and_the_sheet_is_whole(finished: Project):
    said = finished.run_command([*FORGET, "walk", "--yes"])
    assert "Nothing that tells of walk was found any more" in said
    sheet = (finished.folder / "config/videos.tsv").read_text(encoding="utf-8")
    assert [line.split("\t")[-1] for line in sheet.splitlines()] == ["video", "text"]
    record = json.loads((finished.results / "videos/text/outcome.json").read_text())
    assert record["code"] == "not_a_video"
