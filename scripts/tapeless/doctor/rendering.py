"""Off-screen rendering: whether the system's OpenGL really makes a context without a screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tapeless.doctor.findings import Finding, ask, failed, ok, unknown
from tapeless.doctor.situation import Situation

_NAME = "off-screen OpenGL"
_PROBE = Path(__file__).with_name("rendering_probe.py")
_INSTALL = "sudo apt-get install libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri libgles2"


def check_rendering(situation: Situation) -> Iterator[Finding]:
    """Does what contact sheets do, in a process of its own, as drivers have been seen to crash."""
    if not situation.runs("draw_video"):
        return
    platform = os.environ.get("PYOPENGL_PLATFORM", "egl")
    if situation.veil or platform != "egl":
        yield unknown(_NAME, f"not tried: {situation.veil or f'PYOPENGL_PLATFORM is {platform}'}")
        return
    answer = ask([sys.executable, "-P", str(_PROBE)], limit_s=20)
    if answer.status == 0:
        yield ok(_NAME, answer.output.strip())
    elif "No module named" in answer.last_words:
        yield unknown(_NAME, f"not tried: {answer.last_words}", "make setup")
    else:
        yield failed(_NAME, f"EGL makes no context: {answer.last_words}", _INSTALL)
