"""ffmpeg and ffprobe: whether they are there, run, are new enough, and can decode."""

from __future__ import annotations

from pathlib import Path

import pytest

from examined import assert_failed, assert_ok, assert_unknown, look, make_program, only
from tapeless.confinement import Confinement
from tapeless.doctor import Finding

VERSION = 'echo "${0##*/} version 6.0 Copyright"'


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found; it is empty."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def look_at_media(**sampling: object) -> dict[str, list[Finding]]:
    return look("sample_frames", sampling=sampling)


def test_the_ffmpeg_of_this_machine_serves():
    findings = look_at_media()
    for name in ("ffmpeg", "ffprobe", "decoders", "confinement"):
        assert_ok(only(findings, name))
    assert "hwaccel cuda" not in findings


def test_an_ffmpeg_that_is_not_shut_in_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "tapeless.doctor.media.find_confinement",
        lambda: Confinement(bubblewrap=None, is_other_user=False),
    )
    finding = only(look_at_media(), "confinement")
    assert_unknown(finding, "network")
    assert "bubblewrap" in finding.remedy


@pytest.mark.parametrize("missing", ["ffmpeg", "ffprobe"])
def test_a_tool_that_is_missing_is_to_be_installed(tools: Path, missing: str):
    (other,) = {"ffmpeg", "ffprobe"} - {missing}
    make_program(tools / other, VERSION)
    findings = look_at_media()
    assert_failed(only(findings, missing), found="not installed", remedy="apt-get install ffmpeg")
    assert_ok(only(findings, other))


def test_a_tool_that_does_not_run_is_told_from_one_that_does(tools: Path):
    make_program(tools / "ffmpeg", VERSION)
    make_program(tools / "ffprobe", "echo libx.so: cannot open shared object file >&2", "exit 127")
    broken = only(look_at_media(), "ffprobe")
    assert_failed(broken, found="cannot open shared object file", remedy="apt-get install")


@pytest.mark.parametrize(
    ("version", "serves"),
    [("5.0.2", False), ("5.1.9-0+deb12u1", True), ("n7.1", True), ("10.0", True)],
)
def test_it_must_be_as_new_as_the_options_that_it_is_given(tools: Path, version: str, serves: bool):
    for name in ("ffmpeg", "ffprobe"):
        make_program(tools / name, f"echo {name} version {version} Copyright")
    finding = only(look_at_media(), "ffmpeg")
    if serves:
        assert_ok(finding)
    else:
        assert_failed(finding, found="5.1 or newer is needed", remedy="apt-get install ffmpeg")


def test_a_version_of_another_form_stops_nobody(tools: Path):
    for name in ("ffmpeg", "ffprobe"):
        make_program(tools / name, f"echo {name} version N-109468-gd39b34123d Copyright")
    assert_unknown(only(look_at_media(), "ffmpeg"), "does not say its version")


def test_missing_decoders_are_named_but_stop_nobody(tools: Path):
    lines = (" VFS..D h264  H.264", " V....D libdav1d  dav1d", " VF...D mpeg4  MPEG-4")
    listing = [f"echo '{line}'" for line in lines]
    make_program(tools / "ffmpeg", 'if [ "$1" = -version ]; then', VERSION, "else", *listing, "fi")
    make_program(tools / "ffprobe", VERSION)
    finding = only(look_at_media(), "decoders")
    assert_unknown(finding, "none for HEVC, VP8, VP9, ProRes, Motion JPEG:")


def test_decoding_on_a_card_is_tried_for_real(cuda_is_absent: None):
    finding = only(look_at_media(hwaccel="cuda"), "hwaccel cuda")
    assert_failed(finding, found="makes no CUDA device", remedy="sampling.hwaccel: none")


@pytest.fixture
def cuda_is_absent() -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a graphics card")


def test_a_tool_that_hangs_is_given_up(tools: Path, monkeypatch: pytest.MonkeyPatch):
    from tapeless.doctor import findings as module

    ask = module.ask
    monkeypatch.setattr("tapeless.doctor.media.ask", lambda command: ask(command, limit_s=0.2))
    make_program(tools / "ffmpeg", "/bin/sleep 60")
    make_program(tools / "ffprobe", VERSION)
    (finding,) = look_at_media()["ffmpeg"]
    assert_unknown(finding, "did not answer")


def test_the_ffmpeg_of_an_image_or_an_environment_is_not_sought_on_this_machine(tools: Path):
    in_image = look("sample_frames", sampling={"ffmpeg": "container"})
    assert "ffprobe" not in in_image
    for where, why in (("has_own_environments", "environments"), ("is_elsewhere", "machines")):
        assert_unknown(only(look("sample_frames", situation={where: True}), "ffmpeg"), why)


def test_forgotten_frames_are_sampled_again_on_the_cpu():
    again = {"recalls": True}
    findings = look("blur_faces", sampling={"hwaccel": "cuda"}, situation=again)
    assert_ok(only(findings, "ffmpeg"))
    assert not {"hwaccel cuda", "graphics cards"} & set(findings)
    image = look("blur_faces", sampling={"ffmpeg": "container"}, situation=again)
    assert_failed(only(image, "image ffmpeg"), found="no digest", remedy="tapeless pin ffmpeg")


def test_jobs_that_read_no_video_need_no_ffmpeg(tools: Path):
    assert "ffmpeg" not in look("draw_video")
