"""OpenGL's library: it loads, or the package that holds it is named."""

from __future__ import annotations

import pytest

from examined import assert_failed, assert_ok, assert_unknown, look, only
from tapeless.doctor import opengl

NAME = "OpenGL"


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
def test_a_run_that_loads_no_opencv_needs_none():
    assert NAME not in look("measure_bodies")
