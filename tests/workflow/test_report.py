"""What a user gets out of a finished run: tables, a page, provenance; and use as a module."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

from projects import Project


def test_the_page_needs_no_other_file_and_holds_tables_sheets_and_captions(
    original: Project, tmp_path: Path
):
    page = tmp_path / "report.html"
    original.run("--report", str(page))
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"'](?!data:)[^\"'>]", html)
    tables = ("summary.csv", "measurements.csv", "subjects.csv", "repeatability.csv")
    for name in (*tables, "cohort.html", "sheet.png", "statistics.csv"):
        assert name in html
    for caption in ("A row per video.", "95 % interval", "The sampled frames of"):
        assert caption in re.sub(r"\\n|\s+", " ", html)
    assert "walk" in html


def test_every_video_has_a_row_measured_or_rejected(original: Project):
    rows = original.read_summary()
    assert {name: row["status"] for name, row in rows.items()} == {
        "walk": "measured",
        "text": "rejected",
    }
    assert rows["text"]["code"] == "not_a_video"
    assert rows["walk"]["scale"] == "known_height"


def test_every_video_has_its_sheet_also_a_rejected_one(original: Project):
    for video in ("walk", "text"):
        picture = original.results / "videos" / video / "sheet.png"
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_all_people_are_on_one_page_without_a_picture_of_anybody(original: Project):
    page = (original.results / "cohort.html").read_text(encoding="utf-8")
    assert "<strong>1 measured, 1 rejected</strong>" in page
    assert "not_a_video" in page
    assert not re.search(r"image/(png|jpeg)|https?://", page)


def test_provenance_tells_what_was_typed_and_what_was_set(original: Project):
    provenance = json.loads((original.results / "provenance.json").read_text(encoding="utf-8"))
    assert "snakemake" in provenance["command"]
    assert "--cores 2" in provenance["command"]
    assert provenance["config"]["sampling"]["frames"] == 8


def test_every_job_left_a_log_and_the_heavy_ones_their_cost(original: Project):
    logs = {path.parent.name for path in (original.results / "logs").glob("*/walk.log")}
    costs = {path.parent.name for path in (original.results / "benchmarks").glob("*/walk.tsv")}
    assert costs == logs - {"forget_frames"}
    for cost in (original.results / "benchmarks").glob("*/walk.tsv"):
        (row,) = csv.DictReader(cost.open(encoding="utf-8"), delimiter="\t")
        assert float(row["s"]) > 0


ANOTHER_WORKFLOW = """
module tapeless:
    snakefile: "tapeless/Snakefile"
    config: {"videos": "clips", "sheet": None}
    pathvars:
        results="measured",

use rule * from tapeless as tapeless_*
"""


def test_another_workflow_can_import_this_one_and_choose_where_results_go(
    project: Project, tmp_path: Path, footage: Path
):
    """As a module, everything but the body model comes to lie below the folder chosen."""
    host = tmp_path / "host"
    (host / "clips").mkdir(parents=True)
    shutil.copy2(footage, host / "clips")
    (host / "tapeless").symlink_to(project.folder)
    (host / "Snakefile").write_text(ANOTHER_WORKFLOW, encoding="utf-8")
    said = Project(host).run("--dry-run", "tapeless_all")
    outputs = set(re.findall(r"Missing output files: (.+?)(?:;|$)", said, re.MULTILINE))
    paths = {path for line in outputs for path in line.split(", ")}
    assert {path.split("/")[0] for path in paths} == {"measured", "resources"}
    assert "measured/videos/walk.mp4/frames" in paths
