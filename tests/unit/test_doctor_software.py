"""Python's packages, Snakemake and its profile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examined import ROOT, assert_failed, assert_ok, assert_unknown, configure, look, only
from tapeless.doctor.software import ENVIRONMENTS
from tapeless.needs import STAGES, find_backend_needs, find_needs


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The code of a project whose only environment, of sample_frames, is for a test to fill."""
    (tmp_path / "envs").mkdir()
    (tmp_path / "Snakefile").write_text('min_version("9.19")\n', encoding="utf-8")
    return tmp_path


def look_at(project: Path, *requirements: str, **situation: Any) -> dict[str, Any]:
    lines = [
        "dependencies:",
        "  - python=3.11",
        "  - pip:",
        *(f"      - {r}" for r in requirements),
    ]
    (project / "envs/video.yaml").write_text("\n".join(lines), encoding="utf-8")
    return look("sample_frames", situation={"project": project, **situation})


class TestPackages:
    def test_all_of_the_embedded_route_are_here(self):
        assert_ok(only(look(), "packages"))

    def test_those_that_are_missing_are_named_together(self, project: Path):
        pins = (f"numpy=={np.__version__}", "no-such-package==1.0", "nor.this==2.0")
        finding = only(look_at(project, *pins), "packages")
        assert_failed(finding, found="no-such-package", remedy="make setup")
        assert "numpy" not in finding.found

    def test_another_version_is_told_but_stops_nobody(self, project: Path):
        finding = only(look_at(project, "numpy==0.1"), "packages")
        assert_unknown(finding, f"numpy {np.__version__}")
        assert finding.remedy == "make setup"

    @pytest.mark.parametrize(
        ("distribution", "version"), [("opencv-contrib-python", "4.11.0.86"), ("pillow", "13.0.0")]
    )
    def test_a_package_is_found_though_it_is_imported_by_another_name(
        self, project: Path, distribution: str, version: str
    ):
        assert_ok(only(look_at(project, f"{distribution}=={version}"), "packages"))

    def test_only_those_of_stages_that_run_are_needed(self, project: Path):
        look_at(project, "no-such-package==1.0")
        (project / "envs/measure.yaml").write_text(
            f"dependencies:\n- pip:\n  - numpy=={np.__version__}\n", encoding="utf-8"
        )
        assert_ok(only(look("measure_bodies", situation={"project": project}), "packages"))

    def test_those_that_snakemake_installs_itself_are_not_judged(self, project: Path):
        findings = look_at(project, "no-such-package==1.0", has_own_environments=True)
        assert_unknown(only(findings, "packages"), "environments")

    def test_every_rule_with_an_environment_is_known_by_it(self):
        """Joined jobs are looked at as the stages that they run."""
        for rules in (ROOT / "rules").glob("*.smk"):
            text = "\n" + rules.read_text(encoding="utf-8")
            for block in text.split("\nrule ")[1:]:
                rule = block.split(":")[0]
                environment = re.search(r'"\.\./envs/(\w+)\.yaml"', block)
                if environment and environment[1] != "joined" and "script:" in block:
                    assert environment[1] in self.environments_of(rule, rules.stem), rule

    def environments_of(self, rule: str, file: str) -> set[str | None]:
        """The environments that the doctor takes a rule of a file of rules to run in."""
        stage, _, backend = file.partition("_")
        if stage in STAGES:
            return {
                find_backend_needs(stage, configure(**{stage: {"backend": backend}})).environment
            }
        if rule in (needed := find_needs(configure())):
            return {needed[rule].environment}
        return {name for name, rules in ENVIRONMENTS.items() if rule in rules}


class TestSnakemake:
    def test_this_one_is_new_enough(self):
        assert_ok(only(look("sample_frames"), "Snakemake"))

    def test_one_older_than_the_workflow_asks_for_fails(self, project: Path):
        (project / "Snakefile").write_text('min_version("99.1")\n', encoding="utf-8")
        finding = only(look_at(project), "Snakemake")
        assert_failed(finding, found="99.1 or newer is needed", remedy="make setup")


class TestProfile:
    def test_the_one_that_is_taken_unless_told_otherwise_is_named(self):
        assert "profiles/default" in only(look("draw_video"), "profile").found

    def test_its_absence_is_said(self, project: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(project)
        assert "not here" in only(look_at(project), "profile").found

    def test_the_users_own_is_named(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("SNAKEMAKE_PROFILE", "mine")
        assert "mine" in only(look("draw_video"), "profile").found

    def test_the_reference_route_has_a_better_one(self):
        findings = look("estimate_pose", pose={"backend": "openpose"})
        assert "profiles/workstation" in only(findings, "profile").found
