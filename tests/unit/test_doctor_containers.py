"""Docker, Apptainer and the host without a container being run; tests/containers has the daemon."""

from __future__ import annotations

import hashlib
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from examined import (
    OPENPOSE,
    ROOT,
    SHAPY,
    assert_failed,
    assert_ok,
    assert_unknown,
    look,
    make_program,
    only,
)
from tapeless.doctor import Finding


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which Snakemake would run, on a machine without Docker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def write_images(**programs: dict[str, Any]) -> None:
    """Writes images.yaml: that of tapeless, with other values for some keys of programs."""
    images = yaml.safe_load((ROOT / "containers/images.yaml").read_text(encoding="utf-8"))
    for program, changes in programs.items():
        for key, value in changes.items():
            images[program][key] |= value
    Path("images.yaml").write_text(yaml.safe_dump(images), encoding="utf-8")


def look_at(**containers: Any) -> dict[str, list[Finding]]:
    """What is found for a job of OpenPose."""
    if Path("images.yaml").exists():
        containers["images"] = "images.yaml"
    on_cpu = OPENPOSE | {"openpose": {"models": "models", "gpu": False}}
    return look("estimate_pose", pose=on_cpu, containers=containers)


class TestImages:
    def test_one_without_a_digest_is_to_be_built_and_pinned(self):
        """Also where Docker is down, and cannot be asked for it."""
        finding = only(look_at(), "image openpose")
        remedy = "containers/openpose/README.md, then tapeless pin openpose"
        assert_failed(finding, found="no digest", remedy=remedy)

    def test_a_file_that_is_missing_is_named(self):
        finding = only(look_at(images="none.yaml"), "images")
        assert_failed(finding, found="none.yaml", remedy="containers.*")

    @pytest.mark.parametrize("text", ["{", "openpose: 3", "[]", "openpose: {licence: x}"])
    def test_a_file_that_is_damaged_is_named(self, text: str):
        Path("images.yaml").write_text(text, encoding="utf-8")
        assert_failed(only(look_at(), "images"), found="images.yaml", remedy="containers.*")

    def test_a_file_without_the_program_is_named(self):
        write_images()
        images = yaml.safe_load(Path("images.yaml").read_text(encoding="utf-8"))
        del images["openpose"]
        Path("images.yaml").write_text(yaml.safe_dump(images), encoding="utf-8")
        assert_failed(only(look_at(), "images"), found="openpose", remedy="containers.*")

    def test_only_those_of_stages_that_run_are_needed(self):
        findings = look("draw_video", pose=OPENPOSE, shape=SHAPY)
        assert not [name for name in findings if name.startswith(("image", "Docker"))]

    def test_each_program_of_the_route_has_its_line(self):
        findings = look(
            "sample_frames",
            "estimate_pose",
            "estimate_shape",
            pose=OPENPOSE,
            shape=SHAPY,
            sampling={"ffmpeg": "container"},
        )
        for program in ("ffmpeg", "openpose", "shapy"):
            only(findings, f"image {program}")

    def test_on_other_machines_only_the_pin_can_be_told(self):
        situation = {"is_elsewhere": True}
        findings = look("estimate_pose", pose=OPENPOSE, situation=situation)
        assert "Docker" not in findings
        assert_failed(only(findings, "image openpose"), found="no digest", remedy="tapeless pin")


class TestDocker:
    def test_no_daemon_is_said_once_and_images_are_not_judged(self):
        write_images(openpose={"docker": {"digest": "sha256:12"}})
        findings = look_at()
        assert_failed(only(findings, "Docker"), found="none.sock", remedy="reference-route.md")
        assert_unknown(only(findings, "image openpose"), "not looked for")

    def test_what_mends_it_is_not_said_twice(self, monkeypatch: pytest.MonkeyPatch):
        """As it is where nothing says where the daemon is."""
        monkeypatch.setattr("tapeless.containers.docker_faults._SOCKET", "/none.sock")
        monkeypatch.setattr(
            "tapeless.containers.docker_faults._find_address", lambda: ("unix:///none.sock", "")
        )
        finding = only(look_at(), "Docker")
        assert_failed(finding, found="or install it", remedy="docs/reference-route.md")
        assert finding.describe().count("docs/reference-route.md") == 1

    @pytest.fixture
    def silent_daemon(self, folder: Path) -> Iterator[None]:
        """A socket that takes what it is told and never answers."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(folder / "none.sock"))
            listening.listen()
            yield

    @pytest.mark.usefixtures("silent_daemon")
    def test_a_daemon_that_hangs_is_given_up(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("tapeless.doctor.containers.DOCKER_LIMIT_S", 1)
        assert_failed(only(look_at(), "Docker"), found="timed out", remedy="reference-route.md")

    def test_a_process_without_dockers_library_stops_nobody(self, monkeypatch: pytest.MonkeyPatch):
        """It may be in the environments that Snakemake makes."""
        monkeypatch.setitem(sys.modules, "docker", None)
        monkeypatch.delitem(sys.modules, "tapeless.containers.docker", raising=False)
        monkeypatch.delattr("tapeless.containers.docker", raising=False)
        write_images(openpose={"docker": {"digest": "sha256:12"}})
        findings = look_at()
        assert_unknown(only(findings, "Docker"), "not asked")
        assert_unknown(only(findings, "image openpose"), "not looked for")


class TestApptainer:
    @pytest.fixture(autouse=True)
    def programs(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The only folder in which programs are found."""
        (folder / "bin").mkdir()
        monkeypatch.setenv("PATH", str(folder / "bin"))
        return folder / "bin"

    def test_one_that_is_missing_is_to_be_loaded(self):
        finding = only(look_at(runtime="apptainer"), "Apptainer")
        assert_failed(finding, found="not installed", remedy="module load apptainer")

    def test_one_that_does_not_run_says_why(self, programs: Path):
        make_program(programs / "apptainer", "echo no user namespaces >&2; exit 255")
        finding = only(look_at(runtime="apptainer"), "Apptainer")
        assert_failed(finding, found="no user namespaces", remedy="reference-route.md")

    def test_image_and_version_are_told(self, programs: Path, folder: Path):
        make_program(programs / "apptainer", "echo apptainer version 1.3.4")
        (folder / "openpose.sif").write_bytes(b"image")
        digest = f"sha256:{hashlib.sha256(b'image').hexdigest()}"
        write_images(openpose={"apptainer": {"image": "openpose.sif", "digest": digest}})
        findings = look_at(runtime="apptainer")
        assert "version 1.3.4" in only(findings, "Apptainer").found
        finding = only(findings, "image openpose")
        assert_ok(finding)
        assert digest[:19] in finding.found

    def test_an_image_that_was_changed_fails(self, programs: Path, folder: Path):
        make_program(programs / "apptainer", "echo apptainer version 1.3.4")
        (folder / "openpose.sif").write_bytes(b"another image")
        write_images(openpose={"apptainer": {"image": "openpose.sif", "digest": "sha256:12"}})
        finding = only(look_at(runtime="apptainer"), "image openpose")
        assert_failed(finding, found="openpose.sif is sha256:", remedy="tapeless pin openpose")

    def test_the_file_that_pins_it_is_named(self, programs: Path, folder: Path):
        make_program(programs / "apptainer", "echo apptainer version 1.3.4")
        (folder / "openpose.sif").write_bytes(b"another image")
        write_images(openpose={"apptainer": {"image": "openpose.sif", "digest": "sha256:12"}})
        Path("images.pins.yaml").write_text("openpose: {apptainer: 'sha256:34'}", encoding="utf-8")
        finding = only(look_at(runtime="apptainer"), "image openpose")
        assert "but images.pins.yaml names sha256:34" in finding.found

    def test_an_image_that_is_missing_fails(self, programs: Path):
        make_program(programs / "apptainer", "echo apptainer version 1.3.4")
        write_images(openpose={"apptainer": {"image": "openpose.sif", "digest": "sha256:12"}})
        finding = only(look_at(runtime="apptainer"), "image openpose")
        assert_failed(finding, found="cannot be read", remedy="containers/openpose/README.md")


class TestHost:
    def test_a_program_that_is_not_named_fails(self):
        finding = only(look_at(runtime="host"), "image openpose")
        assert_failed(finding, found="does not say what to run", remedy="openpose/README.md")
        assert finding.describe().count("README.md") == 1

    @pytest.mark.parametrize("program", [None, "/no/openpose.bin"])
    def test_nothing_is_to_be_pinned(self, program: str | None):
        """The host has no digests."""
        write_images(openpose={"host": {"program": program}})
        assert "tapeless pin" not in only(look_at(runtime="host"), "image openpose").remedy

    @pytest.mark.parametrize("program", ["openpose", "shapy"])
    def test_the_page_of_each_program_says_what_to_write(self, program: str):
        text = (ROOT / f"containers/{program}/README.md").read_text(encoding="utf-8")
        (line,) = re.findall(r"^host: .*", text, flags=re.MULTILINE)
        assert set(yaml.safe_load(line)["host"]) == {"program", "workdir"}

    def test_a_program_that_is_not_there_fails(self):
        write_images(openpose={"host": {"program": "/no/openpose.bin"}})
        finding = only(look_at(runtime="host"), "image openpose")
        assert_failed(finding, found="/no/openpose.bin is not installed", remedy="README.md")

    def test_a_folder_that_is_not_there_fails(self, folder: Path):
        program = make_program(folder / "openpose.bin")
        write_images(openpose={"host": {"program": str(program), "workdir": "/no/folder"}})
        finding = only(look_at(runtime="host"), "image openpose")
        assert_failed(finding, found="/no/folder is no folder", remedy="README.md")

    def test_a_program_that_is_there_serves(self, folder: Path):
        program = make_program(folder / "openpose.bin")
        write_images(openpose={"host": {"program": str(program), "workdir": str(folder)}})
        finding = only(look_at(runtime="host"), "program openpose")
        assert_ok(finding)
        assert finding.found == str(program)


class TestVolumes:
    def test_those_of_the_configuration_and_of_the_user_are_told(self, folder: Path):
        for name in ("one", "two"):
            (folder / name).mkdir()
        (folder / "mounts.yaml").write_text(f"- source: {folder}/two\n", encoding="utf-8")
        finding = only(
            look_at(
                runtime="host",
                volumes=[{"source": str(folder / "one")}],
                mounts_file=str(folder / "mounts.yaml"),
            ),
            "volumes",
        )
        assert_ok(finding)
        assert f"{folder}/one, {folder}/two" in finding.found

    def test_one_that_is_not_there_fails(self):
        finding = only(look_at(runtime="host", volumes=[{"source": "/no/drive"}]), "volumes")
        assert_failed(finding, found="/no/drive does not exist", remedy="containers.*")

    def test_a_file_of_mounts_that_is_no_list_fails(self, folder: Path):
        (folder / "mounts.yaml").write_text("source: /mnt\n", encoding="utf-8")
        finding = only(look_at(runtime="host", mounts_file=str(folder / "mounts.yaml")), "volumes")
        assert_failed(finding, found="must be a list", remedy="containers.*")
        assert "\n" not in finding.describe()


class TestMemory:
    def test_more_than_this_machine_has_is_said_and_stops_nobody(self):
        finding = only(look_at(runtime="host", memory_mb=10**9), "memory")
        assert_unknown(finding, "containers.memory_mb is 1000000000, and this machine has ")
        assert "containers.memory_mb" in finding.remedy

    def test_what_it_has_needs_no_line(self):
        assert "memory" not in look_at(runtime="host", memory_mb=16)
