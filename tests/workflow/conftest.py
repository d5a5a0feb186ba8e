"""A project to run Snakemake in, and one that is finished: real work on a rendered person."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from projects import SHEET, Project, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without videos, nothing done."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Project:
    """A finished project with two videos, `walk` and `text` (which is none), in a sheet."""
    project = make_project(tmp_path_factory.mktemp("original") / "project")
    shutil.copy2(footage, project.folder / "videos/walk.mp4")
    (project.folder / "videos/text.mp4").write_text("no video", encoding="utf-8")
    project.write_sheet(*SHEET)
    project.run()
    return project


@pytest.fixture
def finished(original: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, for a test to change."""
    shutil.copytree(original.folder, tmp_path / "copy", symlinks=True)
    return Project(tmp_path / "copy")
