"""What all tests share: where the body model is kept, a rendered person, and a finished project."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from projects import SHEET, PluggedProject, Project, make_project

# Tests press Ctrl-C, which what a script starts in the background ignores, and its children too,
# and hang up, which `nohup` has ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Read when anny is first imported, so before any test module is.
os.environ.setdefault("ANNY_CACHE_DIR", str(Path(__file__).parents[1] / "resources" / "anny"))


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
def one_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One card to give away, whether this machine has one or not."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("TAPELESS_GPU_SLOTS", str(tmp_path / "slots"))


@pytest.fixture(scope="session")
def regressor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of SHAPY's stand-in on this machine, with a complete download beside it."""
    from containers.standins.shapy.download import make_download
    from shapy_videos import install

    folder = tmp_path_factory.mktemp("shapy")
    make_download(folder / "data")
    return install(folder)


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
