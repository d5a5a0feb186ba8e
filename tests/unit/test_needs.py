"""What backends need: asked of each by its name, at no cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from examined import ROOT, configure
from tapeless.needs import Needs, find_backend_needs, find_needs

MODULES = sorted((ROOT / "scripts/tapeless").glob("*/*_needs.py"))
LARGE = {"numpy", "pandas", "torch", "cv2", "mediapipe", "docker", "anny", "PIL", "snakemake"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_asking_loads_nothing_that_may_be_missing_or_slow(module):
    stage, backend = module.parent.name, module.stem.removesuffix("_needs")
    code = (
        "import sys; from tapeless.needs import find_backend_needs\n"
        f"find_backend_needs({stage!r}, {configure(**{stage: {'backend': backend}})!r})\n"
        f"sys.exit(' '.join({LARGE!r} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert run.stderr.strip() == ""


def test_a_backend_that_says_nothing_needs_nothing():
    assert find_backend_needs("pose", {"pose": {"backend": "guesswork"}}) == Needs()


def test_each_stage_is_known_by_its_rule():
    needed = find_needs(configure(shape={"backend": "shapy"}))
    assert {rule: needs.name for rule, needs in needed.items()} == {
        "sample_frames": "ffmpeg",
        "estimate_pose": "MediaPipe",
        "estimate_shape": "SHAPY",
    }
