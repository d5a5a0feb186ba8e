"""Pages made from tables are those of today's tables, and no column goes without an explanation."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import fields
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tapeless.bodies import Body
from tapeless.checks import FINDING_COLUMNS, load_checks
from tapeless.measurements import load_table
from tapeless.outcomes import REJECTION_CODES
from tapeless.reports import VERDICT_COLUMNS
from tapeless.selection import COLUMNS as KEYPOINTS_COLUMNS
from tapeless.statistics import STATISTICS_COLUMNS
from tapeless.video import Frame

DOCS = Path(__file__).parents[2] / "docs"
LIBRARY = Path(__file__).parents[2] / "scripts" / "tapeless"

FIRST = (
    *("units", "words", "seals", "outcomes", "logs", "images", "own_tables", "writing", "hiding"),
    "hints",
)
"""The modules that the page names before its table."""


@pytest.mark.parametrize("page", ["measurements.md", "checks.md", "rejections.md"])
def test_generated_pages_are_up_to_date(page: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(DOCS / "generate.py"), str(tmp_path)], check=True)

    expected = (tmp_path / page).read_text(encoding="utf-8")
    assert (DOCS / page).read_text(encoding="utf-8") == expected, "run python docs/generate.py"


def test_every_measurement_and_code_is_on_its_page() -> None:
    measurements = (DOCS / "measurements.md").read_text(encoding="utf-8")
    checks = (DOCS / "checks.md").read_text(encoding="utf-8")
    rejections = (DOCS / "rejections.md").read_text(encoding="utf-8")

    records = load_table().present(lambda _record: True)
    assert all(f"`{record.name}`" in measurements for record in records)
    assert all(f"`{code}`" in checks for code in load_checks())
    assert all(f"`{code}`" in rejections for code in REJECTION_CODES)


def test_every_measurement_has_a_picture_of_where_it_lies() -> None:
    pictures = {path.stem: path for path in (DOCS / "images" / "measurements").glob("*.png")}

    assert set(pictures) == {record.name for record in load_table().measurements}
    assert sum(path.stat().st_size for path in pictures.values()) < 1.5e6


def test_every_column_and_array_is_explained() -> None:
    text = (DOCS / "data-files.md").read_text(encoding="utf-8")
    names = {*VERDICT_COLUMNS, *STATISTICS_COLUMNS, *KEYPOINTS_COLUMNS, *FINDING_COLUMNS}
    names |= {field.name for kind in (Body, Frame) for field in fields(kind)}

    assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_a_module_knows_only_those_above_it_in_the_table_of_the_library() -> None:
    """Each module stands in the table, too, by itself or as a part of one."""
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    library = page.partition("## The library\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in library.splitlines() if line.startswith("| `")]
    places = dict.fromkeys(FIRST, 0)
    for place, row in enumerate(rows, start=1):
        places |= dict.fromkeys(re.findall(r"`([^`]+)`", row), place)

    def place_of(module: str) -> int:
        """By its own name, or else by that of a package that it is a part of."""
        found = [name for name in places if fnmatch(module, name)]
        found += [name for name in places if module.startswith(f"{name}/")]
        assert found, f"{module} is not in the table"
        return places[found[0]]

    modules = {
        path.relative_to(LIBRARY).with_suffix("").as_posix().removesuffix("/__init__"): path
        for path in sorted(LIBRARY.rglob("*.py"))
        if path.read_text(encoding="utf-8").count("\n") > 1  # else a package with nothing in it
    }
    wrong = [
        f"{module} knows {known}"
        for module, path in modules.items()
        if module != "__init__"
        for known in find_imported(path)
        if place_of(known) > place_of(module)
    ]
    assert wrong == []


def find_imported(path: Path) -> set[str]:
    """The modules of the library that one imports, as paths without an ending."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    own = {name.removeprefix("tapeless.") for name in names if name.startswith("tapeless.")}
    return {name.replace(".", "/") for name in own}
