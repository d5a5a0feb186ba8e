"""Weights, the body model, the folder of results, and the room on its disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from containers.standins.openpose.download import make_models, recognise
from containers.standins.shapy.download import LANDMARKS, make_download
from examined import (
    OPENPOSE,
    ROOT,
    SHAPY,
    assert_failed,
    assert_ok,
    assert_unknown,
    configure,
    look,
    only,
)
from tapeless.doctor import Situation, disk
from tapeless.doctor.disk import estimate_bytes
from tapeless.pose import openpose_models
from tapeless.pose.openpose_models import NETWORKS_FILE
from tapeless.videosheet import Video

OPENPOSE_FILES = ("pose/body_25/pose_iter_584000.caffemodel", "pose/body_25/pose_deploy.prototxt")
CHECKPOINT = "trained_models/shapy/SHAPY_A/checkpoints/best_checkpoint"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which Snakemake would run; it is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("ANNY_CACHE_DIR", raising=False)
    return tmp_path


def write(path: Path, content: bytes = b"weights") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def videos(count: int) -> dict[str, Video]:
    return {f"v{number}": Video(f"v{number}", f"v{number}.mp4") for number in range(count)}


class TestWeights:
    def test_each_that_is_missing_has_a_line_with_its_place_and_its_source(self, folder: Path):
        write(folder / "models" / OPENPOSE_FILES[1])
        (finding,) = look("estimate_pose", pose=OPENPOSE)["OpenPose models"]
        assert_failed(
            finding,
            found=f"no models/{OPENPOSE_FILES[0]}",
            remedy="containers/openpose/README.md",
        )
        (folder / "data").mkdir()
        findings = look("estimate_shape", shape=SHAPY)["SHAPY data"]
        assert len(findings) == 10
        assert [finding.verdict for finding in findings] == 8 * ["FAILED"] + 2 * ["unknown"]
        assert_failed(findings[0], found=f"no data/{CHECKPOINT}", remedy="shapy.is.tue.mpg.de")
        assert all("docs/reference-route.md" in finding.remedy for finding in findings)

    @pytest.mark.parametrize(
        ("groups", "name", "found"),
        [
            ({"shape": SHAPY}, "SHAPY data", "no folder data (shape.shapy.data)"),
            ({"pose": OPENPOSE}, "OpenPose models", "no folder models (pose.openpose.models)"),
        ],
    )
    def test_a_folder_that_is_missing_is_one_line(self, groups: dict, name: str, found: str):
        finding = only(look("estimate_pose", "estimate_shape", **groups), name)
        assert_failed(finding, found=found, remedy=f"correct {found.split('(')[1][:-1]}")

    @pytest.mark.parametrize(
        ("given", "meant"), [("shapy", "shapy/data"), ("shapy/data/body_models", "shapy/data")]
    )
    def test_files_one_level_up_or_down_are_found(self, folder: Path, given: str, meant: str):
        make_download(folder / "shapy/data")
        shape = SHAPY | {"shapy": {"data": given}}
        finding = only(look("estimate_shape", shape=shape), "SHAPY data")
        assert_failed(finding, found=given, remedy=f"did you mean {folder / meant}?")

    def test_a_folder_in_which_one_file_is_missing_is_the_right_one(self, folder: Path):
        (make_download(folder / "data") / CHECKPOINT).unlink()
        (folder / "data/old").mkdir()
        finding = only(look("estimate_shape", shape=SHAPY), "SHAPY data")
        assert_failed(finding, found=f"no data/{CHECKPOINT}", remedy="shapy.is.tue.mpg.de")

    def test_an_empty_file_is_none(self, folder: Path):
        write(folder / "models" / OPENPOSE_FILES[0], b"")
        assert len(look("estimate_pose", pose=OPENPOSE)["OpenPose models"]) == 2

    def test_those_that_are_there_are_told_by_their_checksums(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ):
        models = make_models(folder / "models")
        networks = recognise(models, NETWORKS_FILE, folder / "networks.yaml")
        monkeypatch.setattr(openpose_models, "NETWORKS_FILE", networks)
        finding = only(look("estimate_pose", pose=OPENPOSE), "OpenPose models")
        assert_ok(finding)
        content = (models / OPENPOSE_FILES[0]).read_bytes()
        assert f"sha256:{hashlib.sha256(content).hexdigest()[:12]}" in finding.found

    def test_without_shapys_landmarks_its_own_measurements_are_left_out(self, folder: Path):
        (make_download(folder / "data") / LANDMARKS).unlink()
        missing, there = look("estimate_shape", shape=SHAPY)["SHAPY data"]
        assert_unknown(missing, f"no data/{LANDMARKS} (landmarks): SHAPY's own measurements")
        assert "shapy.is.tue.mpg.de" in missing.remedy
        assert_ok(there)

    def test_a_web_page_in_the_place_of_weights_fails(self, folder: Path):
        """As a server that is gone sends it."""
        write(folder / "models" / OPENPOSE_FILES[0], b"<!DOCTYPE html>")
        write(folder / "models" / OPENPOSE_FILES[1])
        assert_failed(
            only(look("estimate_pose", pose=OPENPOSE), "OpenPose models"),
            found=f"models/{OPENPOSE_FILES[0]} is not the file it should be (MD5 "
            f"{hashlib.md5(b'<!DOCTYPE html>').hexdigest()}, should be 78287b57cf85fa89c03f1393d36",
            remedy="containers/openpose/README.md",
        )

    def test_other_machines_may_have_what_is_not_here(self):
        situation = {"is_elsewhere": True}
        for finding in look("estimate_shape", shape=SHAPY, situation=situation)["SHAPY data"]:
            assert_unknown(finding, "no folder data")

    def test_none_are_needed_for_stages_that_do_not_run(self):
        findings = look("draw_video", pose=OPENPOSE, shape=SHAPY)
        assert not {"OpenPose models", "SHAPY data"} & set(findings)


class TestBodyModel:
    def test_it_need_not_be_there_yet(self):
        finding = only(look("estimate_shape"), "body model")
        assert_ok(finding)
        assert "first run" in finding.found

    def test_one_that_was_prepared_is_found(self, folder: Path):
        write(folder / "resources/anny/tapeless_body_v1_anny_0.6.2.safetensors")
        write(folder / "resources/anny_shape_space.npz")
        assert only(look("estimate_shape"), "body model").found == "prepared"

    def test_shapy_needs_none(self):
        assert "body model" not in look("estimate_shape", shape=SHAPY)


class TestVideos:
    def test_none_yet_is_said_and_stops_nobody(self, folder: Path):
        finding = only(look("draw_video", videos="nowhere"), "videos")
        assert_unknown(finding, "no folder nowhere")
        (folder / "nowhere").mkdir()
        assert_unknown(only(look("draw_video", videos="nowhere"), "videos"), "none yet in nowhere/")
        write(folder / "config/videos.tsv")
        findings = look("draw_video")
        assert_unknown(only(findings, "videos"), "none yet in config/videos.tsv")
        assert "videos" not in only(findings, "disk space").found

    def test_videos_that_are_there_need_no_line(self):
        assert "videos" not in look("draw_video", situation={"videos": videos(1)})


class TestResults:
    def test_their_folder_need_not_be_there_yet(self, folder: Path):
        finding = only(look("draw_video", situation={"results": folder / "a/b/c"}), "results")
        assert_ok(finding)
        assert not (folder / "a").exists()

    def test_what_stands_in_the_way_of_the_folder_is_named(self, folder: Path):
        write(folder / "results")
        finding = only(look("draw_video"), "results")
        assert_failed(finding, found=f"cannot write to {folder}/results", remedy="pathvars.results")

    def test_a_file_system_that_cannot_be_written_to_fails(self):
        """Even root writes nothing to /proc."""
        finding = only(look("draw_video", situation={"results": Path("/proc/results")}), "results")
        assert_failed(finding, found="cannot write to /proc", remedy="config/README.md")

    def test_looking_leaves_nothing_behind(self, folder: Path):
        look("draw_video")
        assert [path for path in folder.iterdir() if path.name != "cache"] == []


class TestDiskSpace:
    def test_a_few_videos_have_room(self):
        finding = only(look("draw_video", situation={"videos": videos(3)}), "disk space")
        assert_ok(finding)
        assert "for 3 videos to measure" in finding.found

    def test_more_than_any_disk_holds_fails(self):
        finding = only(
            look(
                "draw_video",
                situation={"videos": videos(20_000)},
                sampling={"frames": 1000, "longest_side_px": 8192},
                keep_frames=True,
            ),
            "disk space",
        )
        assert_failed(finding, found="for 20000 videos", remedy="pathvars.results")

    def test_videos_on_s3_take_more(self, folder: Path):
        here, there = (
            {"v0": Video("v0", path), "v1": Video("v1", path)}
            for path in ("v.mp4", "s3://lab/v.mp4")
        )
        needed = [
            only(look("draw_video", situation={"videos": both}), "disk space").found
            for both in (here, there)
        ]
        assert needed[0].split("; ")[1] != needed[1].split("; ")[1]

    def test_videos_that_are_done_take_no_more(self, folder: Path):
        for name in ("v0", "v2"):
            write(folder / "results/videos" / name / "outcome.json", b"{}")
        finding = only(look("draw_video", situation={"videos": videos(3)}), "disk space")
        assert "for 1 videos to measure" in finding.found

    def test_a_file_system_that_does_not_say_stops_nobody(self):
        """Like /proc, which holds 0 of 0 bytes."""
        situation = {"results": Path("/proc/results"), "videos": videos(3)}
        assert_unknown(only(look("draw_video", situation=situation), "disk space"), "does not say")

    @pytest.mark.parametrize(
        "more",
        [
            {"keep_frames": True},
            {"sampling": {"frames": 48}},
            {"sampling": {"fps": 10}},
            {"sampling": {"fps": 10, "start_s": 2, "end_s": 8}},
            {"sampling": {"longest_side_px": 1200}},
            {"shape": SHAPY},
            {"shape": {"backend": "shapy", "shapy": {"meshes": True}}},
            {"pose": {"backend": "openpose", "openpose": {"pictures": True}}},
        ],
    )
    def test_it_grows_with_what_is_kept(self, more: dict):

        few = estimate_bytes(Situation(configure(), ROOT), 10)
        assert estimate_bytes(Situation(configure(**more), ROOT), 10) > 1.1 * few

    def test_what_a_job_fills_and_frees_again_counts_for_as_many_jobs_as_there_are_cores(self):
        one, many = (estimate_bytes(Situation(configure(), ROOT), number) for number in (1, 10_000))
        at_work = disk.estimate_frames_bytes(configure())
        kept = one - at_work
        assert many == pytest.approx(10_000 * kept + (os.cpu_count() or 1) * at_work)

    @pytest.mark.parametrize("is_elsewhere", [False, True], ids=["cores", "jobs of a cluster"])
    def test_or_as_the_run_may_have_at_a_time(self, is_elsewhere: bool):
        few, many = (
            estimate_bytes(
                Situation(configure(), ROOT, at_once=number, is_elsewhere=is_elsewhere), 10_000
            )
            for number in (1, 100)
        )
        assert many - few == pytest.approx(99 * disk.estimate_frames_bytes(configure()))

    def test_it_counts_for_each_card_on_which_videos_share_a_container(self):
        shared = configure(shape={"backend": "shapy"}, containers={"videos_per_container": 1000})
        one, four = (estimate_bytes(Situation(shared, ROOT, cards=n), 10_000) for n in (1, 4))
        assert four - one == pytest.approx(3000 * disk.estimate_frames_bytes(shared))

    def test_copies_of_videos_on_s3_count_for_as_many_as_are_sampled_at_a_time(self):
        situation = Situation(configure(), ROOT, at_once=4)
        none, two, all_of_them = (estimate_bytes(situation, 100, remote) for remote in (0, 2, 100))
        assert two > none
        assert all_of_them - none == pytest.approx(2 * (two - none))

    def test_it_counts_for_as_many_videos_as_share_a_container_if_these_are_more(self):
        shared = {"shape": {"backend": "shapy"}, "containers": {"videos_per_container": 1000}}
        alone = shared | {"containers": {"videos_per_container": 1}}
        many, few = (
            estimate_bytes(Situation(configure(**more), ROOT), 10_000) for more in (shared, alone)
        )
        at_work = disk.estimate_frames_bytes(configure())
        assert many - few == pytest.approx((1000 - (os.cpu_count() or 1)) * at_work)

    @pytest.mark.parametrize(
        ("route", "is_elsewhere"),
        [
            ({"shape": {"backend": "shapy"}}, True),
            ({"sampling": {"hwaccel": "cuda", "ffmpeg": "container"}}, False),
        ],
        ids=["on a cluster", "where only ffmpeg has a container"],
    )
    def test_it_does_not_where_none_is_shared(self, route: dict, is_elsewhere: bool):
        many, one = (
            configure(**route, containers={"videos_per_container": number}) for number in (1000, 1)
        )
        needed = {
            estimate_bytes(Situation(config, ROOT, is_elsewhere=is_elsewhere), 10_000)
            for config in (many, one)
        }
        assert len(needed) == 1

    def test_the_estimate_is_within_a_factor_of_two_of_a_real_clip(self):
        """24 frames of 338 x 600, all kept: 12.8 MB of results."""

        situation = Situation(configure(keep_frames=True), ROOT)
        growth = estimate_bytes(situation, 1001) - estimate_bytes(situation, 1000)
        assert 6.4e6 < growth < 25.6e6


def test_a_disk_that_may_just_do_stops_nobody(monkeypatch: pytest.MonkeyPatch):

    needed = disk.estimate_bytes(Situation(configure(), ROOT), 10)
    usage = type("Usage", (), {"total": 2 * needed, "free": 0.7 * needed})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    findings = look("draw_video", situation={"videos": videos(10)})
    assert_unknown(only(findings, "disk space"), "free")


@pytest.mark.parametrize("takes_card", [True, False], ids=["with a card", "without"])
def test_frames_of_all_videos_may_wait_for_a_card(
    monkeypatch: pytest.MonkeyPatch, takes_card: bool
):
    """Cores that are idle sample on meanwhile; more room than that is enough for anything."""
    route = {"shape": {"device": "cuda" if takes_card else "cpu"}}
    situation = Situation(configure(**route), ROOT, at_once=4)
    needed = disk.estimate_bytes(situation, 1000)
    for_all = needed + 996 * disk.estimate_frames_bytes(situation.config)
    for free, is_doubtful in ((0.9 * for_all, takes_card), (1.1 * for_all, False)):
        usage = type("Usage", (), {"total": 2 * for_all, "free": free})
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder, usage=usage: usage)
        findings = look("draw_video", situation={"videos": videos(1000), "at_once": 4}, **route)
        finding = only(findings, "disk space")
        if is_doubtful:
            assert_unknown(finding, "frames that wait for a card")
            assert "docs/scaling.md#disk" in finding.remedy
        else:
            assert_ok(finding)
