"""What all tests share: where the body model is kept, a rendered person, and a finished project."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from projects import SHEET, PluggedProject, Project, make_project

# Tests press Ctrl-C, which what a script starts in the background ignores, and its children too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Read when anny is first imported, so before any test module is.
os.environ.setdefault("ANNY_CACHE_DIR", str(Path(__file__).parents[1] / "resources" / "anny"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of Slurm go first: they wait more than they work, while .ci/run has others beside."""
    items.sort(key=lambda item: "tests/slurm/" not in item.nodeid)


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of one rendered person, who turns once."""
    from tapeless.population import draw_adults
    from tapeless.synthetic import Shot, film_person

    video = tmp_path_factory.mktemp("footage") / "walk.mp4"
    (adult,) = draw_adults(1, 7, varied_beyond_prior=True)
    shot = Shot(width_px=360, height_px=640, seconds=2, frames_per_second=8)
    film_person(adult, video, seed=7, shot=shot)
    return video


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without videos, nothing done."""
    return make_project(tmp_path)


@pytest.fixture
def plugged_project(project: Project) -> PluggedProject:
    """The same, where Snakemake has the plugins of clusters and storage."""
    return PluggedProject(project.folder)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Project:
    """A finished project with two videos, `walk` and `text` (which is none), in a sheet.

    Temporary files went to its folder `tmp`.
    """
    project = make_project(tmp_path_factory.mktemp("original") / "project")
    shutil.copy2(footage, project.folder / "videos/walk.mp4")
    (project.folder / "videos/text.mp4").write_text("no video", encoding="utf-8")
    project.write_sheet(*SHEET)
    (project.folder / "tmp").mkdir()
    run = project.snakemake(environment={"TMPDIR": str(project.folder / "tmp")})
    assert run.returncode == 0, run.stdout
    return project


@pytest.fixture
def finished(original: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, for a test to change."""
    shutil.copytree(original.folder, tmp_path / "copy", symlinks=True)
    return Project(tmp_path / "copy")
