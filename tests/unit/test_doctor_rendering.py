"""Off-screen rendering: a real context is made, or the reason told."""

from __future__ import annotations

import pytest

from examined import assert_failed, assert_ok, assert_unknown, look, only

NAME = "off-screen OpenGL"


def test_this_machine_renders_without_a_screen():
    finding = only(look("draw_video"), NAME)
    assert_ok(finding)
    assert finding.found  # the name of what renders


def test_a_system_without_drivers_names_the_packages(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/no/such/driver.json")
    finding = only(look("draw_video"), NAME)
    assert_failed(finding, found="EGL makes no context", remedy="apt-get install libegl1")


def test_a_device_that_is_not_there_fails_as_rendering_would(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EGL_DEVICE_ID", "99")
    assert_failed(only(look("draw_video"), NAME), found="99", remedy="apt-get install")


def test_another_way_to_render_is_not_judged(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYOPENGL_PLATFORM", "osmesa")
    assert_unknown(only(look("draw_video"), NAME), "osmesa")


def test_environments_that_snakemake_makes_are_not_judged():
    findings = look("draw_video", situation={"has_own_environments": True})
    assert_unknown(only(findings, NAME), "environments that Snakemake makes")


def test_a_run_that_draws_nothing_needs_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EGL_DEVICE_ID", "99")
    assert NAME not in look("estimate_pose")
