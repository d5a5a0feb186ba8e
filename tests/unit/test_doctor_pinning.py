"""Pinning an image: its digest is written beside the file of images, and goes before that of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from examined import ROOT
from tapeless.checksums import checksum_file
from tapeless.containers import ContainerError, load_images, pinned_digest
from tapeless.doctor.pinning import pin

IMAGES = (ROOT / "containers/images.yaml").read_text(encoding="utf-8")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Apptainer, with an image of OpenPose, and a file of images."""
    (tmp_path / "openpose.sif").write_bytes(b"image")
    text = IMAGES.replace(
        "apptainer: {image: null", f"apptainer: {{image: {tmp_path}/openpose.sif", 1
    )
    (tmp_path / "images.yaml").write_text(text, encoding="utf-8")
    return {"runtime": "apptainer", "images": str(tmp_path / "images.yaml")}


def share_digest(settings: dict[str, str], digest: str) -> None:
    """Writes a digest of OpenPose into the file of images, as those do who share a registry."""
    path = Path(settings["images"])
    images = yaml.safe_load(path.read_text(encoding="utf-8"))
    images["openpose"]["apptainer"]["digest"] = digest
    path.write_text(yaml.safe_dump(images), encoding="utf-8")


def test_the_digest_is_that_of_the_image_on_this_machine(settings: dict, tmp_path: Path):
    pinned = pin("openpose", settings)
    assert (pinned.before, pinned.file) == (None, tmp_path / "images.pins.yaml")
    assert pinned_digest("openpose", settings) == pinned.now
    assert pinned.now == checksum_file(tmp_path / "openpose.sif")


def test_the_file_of_images_stays_as_it_is(settings: dict, tmp_path: Path):
    """Git tracks it: it must neither conflict nor say that the code was changed."""
    before = (tmp_path / "images.yaml").read_bytes()
    pin("openpose", settings)
    assert (tmp_path / "images.yaml").read_bytes() == before
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "*.pins.yaml" in ignored


def test_only_that_program_and_runtime_is_pinned(settings: dict, tmp_path: Path):
    before = load_images(tmp_path / "images.yaml")
    pin("openpose", settings)
    after = load_images(tmp_path / "images.yaml")
    assert after["openpose"].docker == before["openpose"].docker
    assert after["shapy"] == before["shapy"]


def test_a_pin_goes_before_a_digest_that_is_shared(settings: dict, tmp_path: Path):
    share_digest(settings, "sha256:12")
    assert pinned_digest("openpose", settings) == "sha256:12"
    pinned = pin("openpose", settings)
    assert pinned.before == "sha256:12"
    assert pinned_digest("openpose", settings) == pinned.now != "sha256:12"


def test_what_is_shared_already_needs_no_pin(settings: dict, tmp_path: Path):
    share_digest(settings, checksum_file(tmp_path / "openpose.sif"))
    assert pin("openpose", settings).file == tmp_path / "images.yaml"
    assert not (tmp_path / "images.pins.yaml").exists()


def test_pins_of_other_programs_are_kept(settings: dict, tmp_path: Path):
    pins = tmp_path / "images.pins.yaml"
    pins.write_text("shapy: {docker: 'sha256:34'}\n", encoding="utf-8")
    pin("openpose", settings)
    assert load_images(tmp_path / "images.yaml")["shapy"].docker.digest == "sha256:34"


def test_what_is_pinned_already_is_not_written_again(settings: dict, tmp_path: Path):
    now = pin("openpose", settings).now
    file = tmp_path / "images.pins.yaml"
    os.utime(file, ns=(1, 1))
    assert pin("openpose", settings).before == now
    assert file.stat().st_mtime_ns == 1


def test_each_link_to_a_shared_file_of_images_has_pins_of_its_own(settings: dict, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    link = tmp_path / "mine/images.yaml"
    link.symlink_to("../images.yaml")
    pin("openpose", settings | {"images": str(link)})
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        "images.pins.yaml",
        "images.yaml",
    ]
    assert pinned_digest("openpose", settings) is None


def test_an_image_that_is_missing_pins_nothing(settings: dict, tmp_path: Path):
    (tmp_path / "openpose.sif").unlink()
    with pytest.raises(ContainerError, match="cannot be read"):
        pin("openpose", settings)
    assert not (tmp_path / "images.pins.yaml").exists()


@pytest.mark.parametrize("text", ["{", "[1]", "openpose: sha256:12", "\ud800"])
def test_pins_that_are_damaged_say_how_to_write_them_anew(
    settings: dict, tmp_path: Path, text: str
):
    (tmp_path / "images.pins.yaml").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(ContainerError, match=r"images.pins.yaml cannot be read; remove it.*pin"):
        load_images(tmp_path / "images.yaml")


def test_programs_of_the_host_have_no_digest(settings: dict):
    with pytest.raises(ContainerError, match="no digest: choose docker or apptainer"):
        pin("openpose", settings | {"runtime": "host"})
