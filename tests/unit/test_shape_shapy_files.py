"""What SHAPY needs of its user's downloads: what is missing is said in a table, before anything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from containers.standins.shapy.download import (
    BODY_MODEL,
    CHECKPOINT,
    DEFINITIONS,
    LANDMARKS,
    make_download,
)
from tapeless.downloads import MissingFile, MissingFilesError, format_missing
from tapeless.shape.shapy_files import (
    find_linked_data,
    find_missing_files,
    read_checksums,
    require_files,
)


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_download(tmp_path_factory.mktemp("shapy") / "data")


@pytest.fixture
def linked(tmp_path: Path, download: Path) -> Path:
    """A download whose folders are links to the whole one."""
    data = tmp_path / "data"
    data.mkdir()
    for part in download.iterdir():
        (data / part.name).symlink_to(part)
    return data


def test_a_complete_download_lacks_nothing(download):
    assert find_missing_files(download) == []
    require_files(download)


def test_of_no_download_every_file_is_missing_that_the_demo_reads(tmp_path):
    missing = find_missing_files(tmp_path / "nowhere")
    assert {file.target for file in missing} == {
        "trained_models/shapy/SHAPY_A/checkpoints/best_checkpoint",
        "body_models/smplx/SMPLX_NEUTRAL.npz",
        "expose_release/data/all_means.pkl",
        "expose_release/data/SMPLX_to_J14.pkl",
        "expose_release/utility_files/flame/SMPL-X__FLAME_vertex_ids.npy",
        "utility_files/measurements/measurement_defitions.yaml",
        "utility_files/measurements/smplx_measurements.yaml",
        "utility_files/shape_priors/female_normal.npz",
        "utility_files/shape_priors/male_normal.npz",
        "utility_files/smplx/smplx_correspondences.npz",
    }
    assert all(file.path == tmp_path / "nowhere" / file.target for file in missing)


def test_what_is_missing_comes_from_the_site_that_has_it(tmp_path):
    sources = {file.target: file.source for file in find_missing_files(tmp_path)}
    assert "smpl-x.is.tue.mpg.de (SMPL-X account)" in sources.pop(BODY_MODEL)
    assert all("shapy.is.tue.mpg.de (SHAPY account)" in source for source in sources.values())


def test_a_download_that_came_to_nothing_and_a_link_to_nothing_are_missing(tmp_path):
    for name in (CHECKPOINT, BODY_MODEL):
        (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / CHECKPOINT).write_bytes(b"")
    (tmp_path / BODY_MODEL).symlink_to(tmp_path / "gone.npz")
    targets = [file.target for file in find_missing_files(tmp_path)]
    assert {CHECKPOINT, BODY_MODEL} <= set(targets)


def test_the_error_is_a_table_that_says_what_to_do(tmp_path, download):
    with pytest.raises(MissingFilesError) as error:
        require_files(tmp_path)
    message = str(error.value)
    assert message.startswith(f"SHAPY cannot run, for want of 8 files below {tmp_path}")
    assert CHECKPOINT in message
    assert len(error.value.missing) == 8
    assert "then start again" in message.lower()


def test_landmark_files_may_be_missing_then_shapy_measures_nothing(tmp_path, download):
    data = tmp_path / "data"
    shutil.copytree(download, data)
    for name in (DEFINITIONS, LANDMARKS):
        (data / name).unlink()
    require_files(data)
    missing = find_missing_files(data)
    assert [file.target for file in missing] == [DEFINITIONS, LANDMARKS]
    assert all("shapy_height to shapy_mass, are left out" in file.consequence for file in missing)


def test_an_empty_landmark_file_is_needed_as_shapy_would_read_it(tmp_path, download):
    data = tmp_path / "data"
    shutil.copytree(download, data)
    (data / LANDMARKS).write_bytes(b"")
    with pytest.raises(MissingFilesError, match="1 file"):
        require_files(data)


def test_a_table_has_a_row_for_each_file_in_columns():
    rows = [
        MissingFile(Path("/d/a"), "weights", "here", "a"),
        MissingFile(Path("/d/bb/c"), "x", "there (account)", "bb/c"),
    ]
    assert format_missing(rows).splitlines() == [
        "missing  goes to  comes from",
        "-------  -------  ---------------",
        "weights  a        here",
        "x        bb/c     there (account)",
    ]


def test_what_is_wrong_with_a_file_stands_below_the_table():
    rows = [
        MissingFile(Path("/d/a"), "weights", "here", "a", "is not the file it should be"),
        MissingFile(Path("/d/b"), "layers", "there", "b"),
    ]
    assert format_missing(rows).splitlines()[-2:] == [
        "layers   b        there",
        "/d/a is not the file it should be.",
    ]


def test_files_that_are_linked_out_of_the_download_are_found(linked, download):
    assert find_linked_data(download) == {}
    found = find_linked_data(linked)
    assert found[BODY_MODEL] == (download / BODY_MODEL).resolve()
    assert len(found) == 10


def test_a_download_that_is_a_link_itself_is_no_link_out_of_it(tmp_path, download):
    (tmp_path / "data").symlink_to(download)
    assert find_linked_data(tmp_path / "data") == {}


def test_checksums_are_those_of_weights_and_body_model(tmp_path):
    for name in (CHECKPOINT, BODY_MODEL):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("one")
    before = read_checksums(tmp_path)
    assert list(before) == [CHECKPOINT, BODY_MODEL]
    (tmp_path / CHECKPOINT).write_text("other")
    after = read_checksums(tmp_path)
    assert (before[CHECKPOINT] != after[CHECKPOINT], before[BODY_MODEL]) == (
        True,
        after[BODY_MODEL],
    )


def test_without_a_download_there_is_a_plan_all_the_same(tmp_path):
    assert read_checksums(tmp_path) == {CHECKPOINT: "missing", BODY_MODEL: "missing"}
