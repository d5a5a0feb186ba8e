"""OpenGL's library: it loads, or the package that holds it is named."""

from __future__ import annotations

import re

import pytest

from examined import assert_failed, assert_ok, assert_unknown, look, only
from projects import ROOT
from tapeless.doctor import opengl
from tapeless.needs import STAGES
from tapeless.sources import find_sources

NAME = "OpenGL"
BACKENDS = "(.*?)(_(mediapipe|openpose|anny|shapy))?"
STAGES_OF_RULES = {rule: stage for stage, rule in STAGES.items()}
SEVERAL = {"view_video", "measure_video", "process_video"}  # they run the stages of others
SCRIPTS = sorted({path.stem for path in (ROOT / "scripts").glob("*.py")} - SEVERAL)


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opengl, "LIBRARY", "libNoSuchGL.so.1")


def test_this_machine_has_it():
    assert_ok(only(look("draw_video"), NAME))


@pytest.mark.usefixtures("without_library")
def test_a_system_without_it_names_the_package():
    finding = only(look("draw_video"), NAME)
    assert_failed(finding, found="libNoSuchGL.so.1", remedy="apt-get install libgl1")


def test_environments_that_snakemake_makes_are_not_judged():
    findings = look("draw_video", situation={"has_own_environments": True})
    assert_unknown(only(findings, NAME), "environments that Snakemake makes")


@pytest.mark.usefixtures("without_library")
@pytest.mark.parametrize("script", SCRIPTS)
def test_whatever_loads_opencv_needs_it_and_nothing_else(script: str):
    path = ROOT / "scripts" / f"{script}.py"
    texts = [source.read_text(encoding="utf-8") for source in (path, *find_sources(path))]
    loads = any(re.search(r"(?m)^(import|from) (cv2|mediapipe)\b", text) for text in texts)
    rule, _, backend = re.fullmatch(BACKENDS, script).groups()
    config = {STAGES_OF_RULES[rule]: {"backend": backend}} if backend else {}
    assert (NAME in look(rule, **config)) == loads
