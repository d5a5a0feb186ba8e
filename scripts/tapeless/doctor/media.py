"""ffmpeg and ffprobe: there, new enough, able to decode what cameras write, and shut in."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

from tapeless.confinement import find_confinement
from tapeless.doctor.findings import Answer, Finding, ask, failed, ok, unknown
from tapeless.doctor.situation import Situation
from tapeless.outcomes import MachineFault

OLDEST = (5, 1)
"""The first ffmpeg that knows the options which tapeless.video gives it (-fps_mode)."""

DECODERS = {
    "H.264": {"h264"},
    "HEVC": {"hevc"},
    "VP8": {"vp8", "libvpx"},
    "VP9": {"vp9", "libvpx-vp9"},
    "AV1": {"libdav1d", "libaom-av1"},  # ffmpeg's own "av1" needs hardware
    "MPEG-4": {"mpeg4"},
    "ProRes": {"prores"},
    "Motion JPEG": {"mjpeg"},
}
"""What cameras, phones and browsers write, and ffmpeg's decoders for it; any one will do."""

_OPEN = (
    "bwrap is not installed, or may make no namespaces here: ffmpeg has limits of memory and time, "
    "but could use the network if a hostile video took it over"
)
_INSTALL = "sudo apt-get install ffmpeg"
_VERSION = re.compile(r"version n?(\d+)\.(\d+)")
_QUIET = ["-hide_banner", "-nostdin", "-v", "error"]
_ONE_FRAME = ["-f", "lavfi", "-i", "color=s=16x16", "-frames:v", "1", "-f", "null", "-"]


def check_media(situation: Situation) -> Iterator[Finding]:
    """The ffmpeg of this machine, if that is the one that decodes."""
    needs = situation.needs.get("sample_frames")
    if needs is None or needs.program:
        return
    if situation.veil:
        yield unknown("ffmpeg", f"not looked for: {situation.veil}")
        return
    findings = [_check_tool("ffmpeg"), _check_tool("ffprobe")]
    yield from findings
    if findings[0].remedy:
        return
    yield _check_decoders()
    yield _check_confinement()
    if needs.card:
        yield _check_cuda()


def _check_tool(name: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        return failed(name, "not installed", f"{_INSTALL} ({_text(OLDEST)} or newer)")
    answer = ask([path, "-version"])
    if answer.status != 0:
        return failed(name, f"{path} does not run: {answer.last_words}", _INSTALL)
    version = _read_version(answer)
    if version is None:
        return unknown(
            name, f"{path} does not say its version; it must be {_text(OLDEST)} or newer"
        )
    if version < OLDEST:
        found = f"{_text(version)} ({path}); {_text(OLDEST)} or newer is needed"
        return failed(name, found, _INSTALL)
    return ok(name, f"{_text(version)} ({path})")


def _check_decoders() -> Finding:
    """Decoders that are missing stop nobody: the videos may well need none of them."""
    answer = ask(["ffmpeg", "-hide_banner", "-decoders"])
    known = {words[1] for line in answer.output.splitlines() if len(words := line.split()) > 1}
    missing = [name for name, decoders in DECODERS.items() if not decoders & known]
    if missing:
        found = f"none for {', '.join(missing)}: videos of that kind would be rejected"
        return unknown("decoders", found, f"{_INSTALL} (a complete one)")
    return ok("decoders", ", ".join(DECODERS))


def _check_confinement() -> Finding:
    """Whether what a video could do to ffmpeg stays within ffmpeg."""
    try:
        found = find_confinement()
    except MachineFault as error:
        return failed("confinement", str(error), "sudo apt-get install util-linux")
    if found.bubblewrap is None:
        return unknown("confinement", _OPEN, "sudo apt-get install bubblewrap; docs/security.md")
    return ok("confinement", f"ffmpeg runs in {found.bubblewrap}")


def warn_of_open_ffmpeg(situation: Situation) -> str | None:
    """What a run says before it opens videos with an ffmpeg that is not shut in; None if it is,
    or where that cannot be told from here.

    Raises:
        MachineFault: if no video can be opened at all.
    """
    needs = situation.needs.get("sample_frames")
    if needs is None or needs.program or situation.veil or find_confinement().bubblewrap:
        return None
    return f"{_OPEN}. docs/security.md says what helps"


def _check_cuda() -> Finding:
    answer = ask(["ffmpeg", *_QUIET, "-init_hw_device", "cuda", *_ONE_FRAME], limit_s=20)
    if answer.status != 0:
        first = (answer.errors.strip().splitlines() or [answer.last_words])[0]
        found = f"ffmpeg makes no CUDA device: {first}"
        return failed("hwaccel cuda", found, "sampling.hwaccel: none; docs/workstation.md")
    return ok("hwaccel cuda", "ffmpeg makes a CUDA device")


def _read_version(answer: Answer) -> tuple[int, int] | None:
    found = _VERSION.search(answer.output)
    return (int(found[1]), int(found[2])) if found else None


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
