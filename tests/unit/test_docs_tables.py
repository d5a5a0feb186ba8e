"""Pages made from tables are those of today's tables, and no column goes without an explanation."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
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
