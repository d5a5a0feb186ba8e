"""The doctor as a whole: what it takes for the route, and that no check can harm it."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from examined import ROOT, assert_failed, assert_ok, assert_unknown, configure
from tapeless.doctor import Finding, Situation, Verdict, examine, format_table, read_situation
from tapeless.doctor.examination import CHECKS, Check
from tapeless.doctor.findings import failed, ok, unknown
from tapeless.doctor.situation import merge

SITUATION = Situation(configure(), ROOT)


class TestExamination:
    def test_findings_come_in_the_order_of_the_checks(self):
        def slow(situation: Situation) -> Iterator[Finding]:
            time.sleep(0.1)
            yield ok("slow", "1")
            yield ok("slow", "2")

        def quick(situation: Situation) -> Iterator[Finding]:
            yield ok("quick", "3")

        found = examine(SITUATION, [Check("slow", slow), Check("quick", quick)])
        assert [finding.found for finding in found] == ["1", "2", "3"]

    def test_a_check_that_breaks_is_unknown_and_harms_no_other(self):
        def broken(situation: Situation) -> Iterator[Finding]:
            yield ok("before", "")
            raise ZeroDivisionError("by zero")

        before, own, other = examine(
            SITUATION, [Check("own", broken), Check("other", lambda s: [ok("other", "")])]
        )
        assert_ok(before)
        assert_unknown(own, "ZeroDivisionError: by zero")
        assert_ok(other)

    def test_a_check_that_hangs_is_unknown_and_keeps_nobody_waiting(self):
        released = threading.Event()

        def hangs(situation: Situation) -> Iterator[Finding]:
            yield ok("before", "")
            released.wait(60)

        start_s = time.monotonic()
        before, own = examine(SITUATION, [Check("own", hangs, limit_s=0.2)])
        assert time.monotonic() - start_s < 5
        released.set()
        assert_ok(before)
        assert_unknown(own, "no answer in 0 s")

    def test_every_check_survives_a_machine_without_anything(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """No programs, no home, no daemon, no project: none crashes, and failures have remedies."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PATH", "")
        monkeypatch.setenv("DOCKER_HOST", "unix:///none.sock")
        config = configure(
            pose={"backend": "openpose", "openpose": {"models": "/none"}},
            shape={"backend": "shapy", "shapy": {"data": "/none"}},
            sampling={"hwaccel": "cuda"},
        )
        findings = examine(Situation(config, tmp_path / "none"))
        failures = [finding for finding in findings if finding.verdict is Verdict.FAILED]
        assert {"ffmpeg", "Docker", "OpenPose models", "SHAPY data"} <= {f.name for f in failures}
        assert all(finding.remedy for finding in failures)

    def test_the_embedded_route_is_examined_in_a_moment(self):
        examine(SITUATION)  # what is read from the disk is read once
        start_s = time.monotonic()
        examine(SITUATION)
        assert time.monotonic() - start_s < 5  # half a second on a machine with nothing else to do

    def test_checks_have_names_of_their_own(self):
        assert len({check.name for check in CHECKS}) == len(CHECKS)


class TestTable:
    def test_each_finding_is_one_line_and_a_failure_ends_with_its_remedy(self):
        gone = failed("long name", "gone\naway", "apt-get it")
        table = format_table([ok("a", "1.0"), gone, unknown("b", "perhaps")])
        assert table.splitlines() == [
            "a          ok       1.0",
            "long name  FAILED   gone away -> apt-get it",
            "b          unknown  perhaps",
        ]

    def test_a_terminal_has_wrapped_lines_and_red_failures(self):
        gone = failed("long name", "the file that was there is gone", "apt-get it and run it again")
        table = format_table([ok("a", "1.0"), gone], width=40)
        assert table.replace(click.style("FAILED ", fg="red"), "<red> ").splitlines() == [
            "a          ok       1.0",
            "long name  <red>   the file that was",
            "                    there is gone",
            "                    -> apt-get it and",
            "                       run it again",
        ]

    def test_a_path_is_not_broken_on_a_narrow_terminal(self):
        path = "/a-long-folder/of-a-study/file.npz"
        assert path in format_table([failed("name", path, "it")], width=10)

    def test_nothing_found_is_no_table(self):
        assert format_table([]) == ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run Snakemake in, with the configuration of tapeless."""
    (tmp_path / "config").mkdir()
    shutil.copy2(ROOT / "config/config.yaml", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.usefixtures("folder")
class TestRoute:
    def read(self, *configfiles: Path, **settings: Any) -> Situation:
        situation, findings = read_situation(ROOT, configfiles, settings)
        assert situation is not None, findings
        return situation

    def test_without_further_files_it_is_that_of_config_yaml(self):
        assert self.read().config == configure(
            containers={
                "images": str(ROOT / "containers/images.yaml"),
                "mounts_file": "~/.config/tapeless/mounts.yaml",
            }
        )

    def test_images_are_those_of_the_folder_before_those_of_tapeless(self, folder: Path):
        write(folder / "containers/images.yaml", {})
        assert self.read().config["containers"]["images"] == "containers/images.yaml"

    def test_later_files_win_key_by_key_and_settings_over_all(self, tmp_path: Path):
        first = write(tmp_path / "1.yaml", {"shape": {"estimates": 2, "device": "cuda"}})
        second = write(tmp_path / "2.yaml", {"shape": {"device": "cpu"}, "blur_faces": False})
        situation = self.read(first, second, blur_faces=True)
        shape = situation.config["shape"]
        assert (shape["estimates"], shape["device"], shape["backend"]) == (2, "cpu", "anny")
        assert situation.config["blur_faces"] is True

    def test_a_file_may_be_json(self, tmp_path: Path):
        own = write(tmp_path / "own.json", json.dumps({"sampling": {"frames": 7}}))
        assert self.read(own).config["sampling"]["frames"] == 7

    def test_videos_are_those_that_a_run_would_measure(self, folder: Path):
        write(folder / "videos/walk.mp4", "no video")
        assert set(self.read().videos) == {"walk.mp4"}

    def test_results_and_resources_go_where_pathvars_say(self, tmp_path: Path):
        own = write(tmp_path / "own.yaml", {"pathvars": {"results": "/data/results"}})
        situation = self.read(own)
        assert situation.results == Path("/data/results")
        assert situation.resources == Path("resources")

    def test_every_fault_is_found_and_the_rest_is_still_examined(self, folder: Path):
        write(folder / "config/videos.tsv", "video\tpath\nwalk\tnone.mp4\n")
        situation, findings = read_situation(ROOT, [ROOT / "config/reference.yaml"])
        assert situation is not None
        assert situation.programs == ["openpose", "shapy"]
        faults = ["pose.openpose.models must be", "shape.shapy.data must be", "no file 'none.mp4'"]
        for finding, fault in zip(findings, faults, strict=True):
            assert_failed(finding, found=fault, remedy="config/README.md")

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            ("{", "own.yaml: "),
            ("[]", "own.yaml: it must hold keys and values"),
            ("# nothing", "own.yaml: it is empty: write {} into it"),
            ("sampling: 3", "sampling must be a group of keys"),
            ("shape: {device: tpu}", "shape.device must be one of cpu, cuda"),
            ("posse: {}", "unknown key posse (did you mean pose?)"),
        ],
    )
    def test_a_file_that_cannot_be_understood_is_all_that_is_said(
        self, tmp_path: Path, content: str, found: str
    ):
        situation, (finding,) = read_situation(ROOT, [write(tmp_path / "own.yaml", content)])
        assert situation is None
        assert_failed(finding, found=found, remedy="config/README.md")

    @pytest.mark.parametrize(
        ("key", "value", "written"),
        [
            ("shape.device", "cuda", "'shape={device: cuda}'"),
            ("pose.openpose.models", "/m", "'pose={openpose: {models: /m}}'"),
            ("shape.devise", "cuda", "(known: "),
            ("device.shape", "cuda", "(known: "),
        ],
    )
    def test_a_key_of_a_group_given_with_a_point_is_written_out(
        self, key: str, value: str, written: str
    ):
        situation, (finding,) = read_situation(ROOT, settings={key: value})
        assert situation is None
        assert_failed(finding, found=f"unknown key {key} ", remedy="config/README.md")
        assert written in finding.found

    def test_a_file_that_changes_nothing_holds_braces(self, folder: Path):
        assert self.read(write(folder / "own.yaml", "{}")).config == self.read().config

    def test_an_empty_file_is_refused_as_snakemake_refuses_it(self, folder: Path):
        with pytest.raises(WorkflowError, match="keys at top level"):
            load_configfile(write(folder / "own.yaml", "# nothing"))

    def test_a_folder_without_config_yaml_may_have_another_file(self, folder: Path):
        (folder / "config/config.yaml").unlink()
        own = write(folder / "own.yaml", {"blur_faces": False})
        assert self.read(own).config["blur_faces"] is False
        situation, (finding,) = read_situation(ROOT)
        assert situation is None
        assert_failed(finding, found="config/config.yaml", remedy="config/README.md")


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ({"a": {"b": 1, "c": {"d": 2}}}, {"a": {"c": {"e": 3}}}),
        ({"a": 1}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {"a": None}),
        ({"a": [1, 2]}, {"a": [3]}),
        ({}, {"a": {}}),
        ({"a": {"b": 1}}, {"a": {}}),
    ],
)
def test_files_are_merged_as_snakemake_does_it(below: dict, above: dict):
    expected = json.loads(json.dumps(below))
    update_config(expected, above)
    merge(below, above)
    assert below == expected


def test_a_rule_that_has_no_job_is_not_of_the_route():
    config = configure(
        pose={"backend": "openpose"}, shape={"device": "cuda"}, sampling={"ffmpeg": "container"}
    )
    everything = Situation(config, ROOT)
    assert everything.programs == ["ffmpeg", "openpose"]
    assert set(everything.needs) == {"sample_frames", "estimate_pose", "estimate_shape"}
    some = Situation(config, ROOT, rules=frozenset({"estimate_pose"}))
    assert some.programs == ["openpose"]
    assert set(some.needs) == {"estimate_pose"}
