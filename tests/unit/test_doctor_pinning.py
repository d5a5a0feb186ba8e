"""Writing a digest into the file of images changes that value and not a byte besides."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml
from examined import ROOT

from tapeless.checksums import checksum_file
from tapeless.containers import ContainerError, load_images
from tapeless.doctor.pinning import pin, replace_digest

DIGEST = f"sha256:{'ab' * 32}"
IMAGES = (ROOT / "containers/images.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("program", ["openpose", "shapy", "ffmpeg"])
@pytest.mark.parametrize("runtime", ["docker", "apptainer"])
def test_only_the_one_value_of_the_shipped_file_changes(program: str, runtime: str):
    before, changed = replace_digest(IMAGES, program, runtime, DIGEST)
    assert before == yaml.safe_load(IMAGES)[program][runtime]["digest"]
    lines = zip(IMAGES.splitlines(), changed.splitlines(), strict=True)
    assert sum(old != new for old, new in lines) == 1
    expected = yaml.safe_load(IMAGES)
    expected[program][runtime]["digest"] = DIGEST
    assert yaml.safe_load(changed) == expected


@pytest.mark.parametrize(
    ("written", "before"),
    [
        ("null", None),
        ("~", None),
        ("sha256:1", "sha256:1"),
        ("'sha256:1'", "sha256:1"),
        ('"null"', "null"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "p: {docker: {image: x, digest: @}}",
        "p:\n  docker:\n    digest: @   # here\n    image: x\n",
        "p:\r\n  docker: {digest: @}\r\n",
        "# é ü 😀\np: {docker: {digest: @}} # digest: null\n",
        "\ufeffp: {docker: {digest: @}}",
        "o: {docker: {digest: 1}}\np: {apptainer: {digest: 2}, docker: {digest: @}}",
    ],
)
def test_however_it_is_written_comments_and_the_rest_stay(
    text: str, written: str, before: str | None
):
    found = replace_digest(text.replace("@", written), "p", "docker", "D")
    assert found == (before, text.replace("@", '"D"'))


def test_a_value_that_is_left_out_is_put_in():
    assert replace_digest("p: {docker: {digest: }}", "p", "docker", "D")[1] == (
        'p: {docker: {digest: "D" }}'
    )
    assert replace_digest("p:\n  docker:\n    digest:\n", "p", "docker", "D")[1] == (
        'p:\n  docker:\n    digest: "D"\n'
    )


@pytest.mark.parametrize(
    "text", ["", "p: 3", "p: {docker: null}", "p: {docker: {image: x}}", "o: {docker: {digest: 1}}"]
)
def test_a_file_without_a_place_for_it_is_left_to_its_owner(text: str):
    with pytest.raises(ContainerError, match=r"no key digest.*write `digest: null`"):
        replace_digest(text, "p", "docker", "D")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    """Apptainer, with an image of OpenPose, and a file of images that its group may write."""
    (tmp_path / "openpose.sif").write_bytes(b"image")
    file = tmp_path / "images.yaml"
    text = IMAGES.replace(
        "apptainer: {image: null", f"apptainer: {{image: {tmp_path}/openpose.sif", 1
    )
    file.write_text(text, encoding="utf-8")
    file.chmod(0o664)
    return {"runtime": "apptainer", "images": str(file)}


def test_the_digest_is_that_of_the_image_on_this_machine(settings: dict, tmp_path: Path):
    pinned = pin("openpose", settings)
    assert (pinned.before, pinned.file) == (None, tmp_path / "images.yaml")
    assert load_images(pinned.file)["openpose"].apptainer.digest == pinned.now
    assert pinned.now == checksum_file(tmp_path / "openpose.sif")


def test_what_is_pinned_already_is_not_written_again(settings: dict):
    now = pin("openpose", settings).now
    file = Path(str(settings["images"]))
    os.utime(file, ns=(1, 1))
    assert pin("openpose", settings).before == now
    assert file.stat().st_mtime_ns == 1


def test_the_file_keeps_its_rights_and_a_link_to_it_stays_one(settings: dict, tmp_path: Path):
    link = tmp_path / "link.yaml"
    link.symlink_to("images.yaml")
    pin("openpose", settings | {"images": str(link)})
    assert link.is_symlink()
    assert stat.S_IMODE((tmp_path / "images.yaml").stat().st_mode) == 0o664
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "images.yaml",
        "link.yaml",
        "openpose.sif",
    ]


def test_an_image_that_is_missing_changes_nothing(settings: dict, tmp_path: Path):
    (tmp_path / "openpose.sif").unlink()
    before = (tmp_path / "images.yaml").read_bytes()
    with pytest.raises(ContainerError, match="cannot be read"):
        pin("openpose", settings)
    assert (tmp_path / "images.yaml").read_bytes() == before


def test_programs_of_the_host_have_no_digest(settings: dict):
    with pytest.raises(ContainerError, match="no digest: choose docker or apptainer"):
        pin("openpose", settings | {"runtime": "host"})
