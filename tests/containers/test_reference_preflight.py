"""Before its first job, a run of the reference route says what is missing, and runs nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from containers.standins.shapy.download import BODY_MODEL, CHECKPOINT
from projects import Project, obstacles
from reference import (
    REFERENCE_SHEET,
    ReferenceProject,
    Workstation,
    as_plain_user,
    give_to_plain_user,
    make_reference_project,
    tag_of,
)


@pytest.fixture
def project(workstation: Workstation, tmp_path: Path) -> ReferenceProject:
    """A project with one file to look at, which is no video; nothing done."""
    project = make_reference_project(tmp_path / "project", workstation)
    (project.folder / "videos/walk.mp4").write_text("no video", encoding="utf-8")
    project.write_sheet(REFERENCE_SHEET[0])
    return project


def obstacles_to(project: Project, said: str) -> dict[str, list[str]]:
    """What a run names that keeps it from starting; it did nothing at all."""
    assert "Nothing was run" in said
    assert {path.name for path in project.results.glob("*")} <= {".tapeless.lock"}
    return obstacles(said)


def test_weights_and_images_that_are_missing_are_named_with_what_to_do(
    project: ReferenceProject, tmp_path: Path
):
    data = shutil.copytree(project.workstation.data, tmp_path / "data")
    for name in (CHECKPOINT, BODY_MODEL):
        (data / name).unlink()
    project.refer(shape={"shapy": {"data": str(data)}})
    project.pin(openpose="sha256:" + 64 * "0", shapy=None)
    images = project.folder / "containers/images.yaml"
    images.write_text(images.read_text().replace(tag_of("openpose"), "tapeless-test/none:1"))

    found = obstacles_to(project, project.snakemake().stdout)

    assert set(found) == {"SHAPY data", "image openpose", "image shapy"}
    checkpoint, body_model = found["SHAPY data"]
    assert f"no {data / CHECKPOINT} (trained weights of SHAPY)" in checkpoint
    assert "shapy_data.zip from shapy.is.tue.mpg.de (SHAPY account)" in checkpoint
    assert f"no {data / BODY_MODEL}" in body_model
    (openpose,), (shapy,) = found["image openpose"], found["image shapy"]
    assert "the image tapeless-test/none:1 (sha256:000" in openpose
    assert "is not on this machine: build it as containers/openpose/README.md says" in openpose
    for found_of, program in ((openpose, "openpose"), (shapy, "shapy")):
        typed = f"tapeless pin {program} --configfile config/reference.yaml"
        assert found_of.endswith(f"-> containers/{program}/README.md, then {typed}")


def test_a_user_who_is_not_in_dockers_group_is_told_to_join_it(
    project: ReferenceProject, tmp_path: Path
):
    home = tmp_path / "home"
    home.mkdir()
    give_to_plain_user(tmp_path)
    command = as_plain_user(project.command(), home)

    found = obstacles_to(project, project.run_command(command, status=1))

    assert set(found) == {"Docker"}
    assert "this user may not use Docker" in found["Docker"][0]
    assert "sudo usermod -aG" in found["Docker"][0]


def test_a_machine_without_cards_is_told_before_it_starts(
    project: ReferenceProject, tmp_path: Path
):
    none = replace(project, workstation=project.workstation.with_cards(tmp_path / "cards", 0))
    found = obstacles_to(none, none.snakemake().stdout)
    assert set(found) == {"graphics cards"}
    assert "nvidia-smi -L" in found["graphics cards"][0]
