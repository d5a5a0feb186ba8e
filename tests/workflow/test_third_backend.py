"""A backend that is added as CONTRIBUTING says is known to all who look after the machine."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
import yaml

from projects import Project, obstacles

NEEDS = """
from pathlib import Path
from tapeless.downloads import MissingFile, checksum_files
from tapeless.needs import Card, Downloads, Needs

def find_needs(config):
    own = config["pose"]["stickman"]
    return Needs(
        name="Stickman",
        environment="containers",
        program="stickman",
        card=Card(needed_mb=700_000),
        downloads=Downloads(
            name="Stickman weights",
            key="pose.stickman.weights",
            folder=own["weights"] and Path(own["weights"]),
            page="docs/stickman.md",
            find_missing=lambda folder: [
                MissingFile(folder / "w.bin", "weights", "stick.example", "w.bin")
                for _ in [1] if not (folder / "w.bin").exists()
            ],
            read_checksums=lambda folder: checksum_files(folder, ["w.bin"]),
        ),
        faults=() if own["sticks"] > 1 else ("pose.stickman.sticks must be 2 or more",),
    )
"""
CHOSEN = 'pose={"backend": "stickman", "stickman": {"weights": "weights"}}'
TAPELESS = "from tapeless.cli import main; main()"
FOUND = {"graphics cards", "image stickman", "Stickman weights"}
ON_CARDS = {"CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture
def project(project: Project) -> Project:
    """A project with a third pose backend: its rules, its needs, its keys and its image."""
    rules = project.folder / "rules"
    text = (rules / "pose_openpose.smk").read_text(encoding="utf-8")
    text = text.replace('"openpose"', '"stickman"').replace("_openpose.py", "_stickman.py")
    own = [line for line in text.splitlines() if "OPENPOSE" not in line and "_openpose" not in line]
    (rules / "pose_stickman.smk").write_text("\n".join(own), encoding="utf-8")
    scripts = project.folder / "scripts"
    (scripts / "estimate_pose_stickman.py").write_text("", encoding="utf-8")
    (scripts / "tapeless/pose/stickman_needs.py").write_text(NEEDS, encoding="utf-8")
    add_keys(project.folder / "schemas/config.schema.yaml")
    add_image(project.folder / "containers/images.yaml")
    (project.folder / "videos/text.mp4").write_text("no video", encoding="utf-8")
    return project


def add_keys(schema: Path) -> None:
    content = yaml.safe_load(schema.read_text(encoding="utf-8"))
    pose = content["properties"]["pose"]["properties"]
    pose["backend"]["enum"].append("stickman")
    keys = {
        "weights": {"type": ["string", "null"], "default": None},
        "sticks": {"type": "integer", "default": 5},
    }
    pose["stickman"] = {"type": "object", "properties": keys}
    schema.write_text(yaml.safe_dump(content), encoding="utf-8")


def add_image(images: Path) -> None:
    content = yaml.safe_load(images.read_text(encoding="utf-8"))
    content["stickman"] = content["openpose"]
    images.write_text(yaml.safe_dump(content), encoding="utf-8")


def test_what_its_configuration_lacks_is_a_fault(project: Project):
    given = 'pose={"backend": "stickman", "stickman": {"sticks": 1}}'
    run = project.snakemake("--dry-run", "--config", given)
    assert run.returncode != 0
    assert (
        "pose.stickman.weights must be given with pose.backend: stickman; docs/stickman.md"
        in run.stdout
    )
    assert "pose.stickman.sticks must be 2 or more" in run.stdout


def test_a_run_looks_for_what_it_needs_before_its_first_job(project: Project):
    run = project.snakemake("--config", CHOSEN, environment=ON_CARDS)
    assert run.returncode != 0
    assert set(obstacles(run.stdout)) - {"Docker"} == FOUND


def test_a_stage_that_does_not_run_needs_nothing(project: Project):
    run = project.snakemake("frames", "--config", CHOSEN, environment=ON_CARDS)
    assert run.returncode == 0, run.stdout


def test_the_doctor_looks_for_it_too(project: Project):
    command = [sys.executable, "-c", TAPELESS, "doctor", "--config", CHOSEN]
    said = project.run_command(command, status=1)
    for name in FOUND:
        assert f"\n{name}" in said, said
    assert "stickman and anny" in said


def test_its_image_and_its_weights_are_in_the_provenance(project: Project):
    (project.folder / "weights").mkdir()
    (project.folder / "weights/w.bin").write_bytes(b"weights")
    project.results.mkdir()
    (project.results / "summary.csv").write_text("video\n", encoding="utf-8")
    only = ("results/provenance.json", "--allowed-rules", "write_provenance")
    project.run(*only, "--config", CHOSEN)
    run = json.loads((project.results / "provenance.json").read_text(encoding="utf-8"))
    assert run["containers"]["images"] == {"stickman": None}
    checksum = hashlib.sha256(b"weights").hexdigest()
    assert run["weights"] == {"stickman": {"w.bin": f"sha256:{checksum}"}}
    assert "graphics_cards" in run
