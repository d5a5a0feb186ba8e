"""SHAPY as a backend: a body for each frame, and nothing from a SHAPY that went wrong.

SHAPY itself is stood in for by a program that has its command line, its files, its silences and its
failures (tests/containers/standins/shapy), run on this machine itself.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from puppets import standing

from containers.standins.shapy.download import (
    CHECKPOINT,
    DEFINITIONS,
    LANDMARKS,
)
from shapy_videos import Video, install
from tapeless.bodies import Body
from tapeless.containers import ContainerFailedError, Job, allowances
from tapeless.downloads import MissingFilesError
from tapeless.keypoints import BODY_25, Person, PoseFileError, write_people
from tapeless.measurements import measure_body
from tapeless.outcomes import Outcome, Rejected
from tapeless.people import people_of
from tapeless.seals import find_damage
from tapeless.shape import shapy
from tapeless.shape.shapy_files import ShapyError
from tapeless.shape.shapy_frames import LeftOut, choose_frames
from tapeless.shape.shapy_weights import WeightsWatch
from tapeless.shape.shapy_workplace import Workplace


@pytest.fixture
def video(tmp_path: Path, regressor: Path, one_card: None) -> Video:
    """Four frames of somebody."""
    return Video.on_host(tmp_path / "video", regressor)


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Job]]:
    """Puts lines and files in the place of a run."""

    def put(*lines: str) -> list[Job]:
        jobs: list[Job] = []

        def run(job: Job, settings: object, *, listener: Any, **_: object) -> None:
            jobs.append(job)
            for line in lines:
                listener(line)

        monkeypatch.setattr(allowances, "run_container", run)
        return jobs

    return put


def with_points(count: int, confidence: float = 0.9) -> Person:
    """Somebody of whom the first points of BODY_25 were found."""
    points = standing().points.copy()
    points[:, 2] = confidence
    return Person(np.where(np.arange(25)[:, None] < count, points, 0))


def write_keypoints(folder: Path, *people: Person) -> Path:
    for number, person in enumerate(people, start=1):
        write_people(folder / f"frame_{number:06d}.json", [person])
    return folder


# what comes of it


def test_there_is_a_body_for_each_usable_frame_in_time_order_and_nothing_else(video):
    outcome = video.estimate()
    bodies = video.read_bodies()
    counts = {"estimates": 4, "frames_used": 4, "frames_left_out": 0}
    assert outcome == Outcome(counts=counts)
    assert [body.frames.tolist() for body in bodies] == [[name] for name in video.names]
    files = [*(f"estimate_{n}.npz" for n in range(1, 5)), "left_out.csv", "outcome.json"]
    assert video.written == files
    assert video.left_out == {}
    assert {(b.topology, b.backend, b.backend_version, b.scale) for b in bodies} == {
        ("smplx", "shapy", "SHAPY_A", "estimated")
    }
    assert json.loads((video.folder / "usage.json").read_text())["program"] == "shapy"


def test_the_bodies_can_be_measured_and_differ_as_estimates_do(video):
    video.estimate()
    heights = [measure_body(body)["height"] for body in video.read_bodies()]
    assert min(heights) > 1.6
    assert max(heights) < 1.85
    assert len(set(heights)) == 4


def test_a_known_stature_is_the_stature_of_every_body(video):
    outcome = video.estimate(stature_m=1.9)
    bodies = video.read_bodies()
    assert outcome.is_ok
    assert {body.scale for body in bodies} == {"known_height"}
    assert [measure_body(body)["height"] for body in bodies] == pytest.approx([1.9] * 4, abs=1e-5)


def test_of_several_people_each_has_bodies_and_the_stature_is_that_of_the_first(video):
    outcome = Outcome.read(video.keypoints)
    for person, frames in ((1, video.names), (2, video.names[:3]), (3, video.names[:1])):
        folder = video.keypoints / f"person_{person}"
        folder.mkdir()
        outcome.write(folder)
        for name in frames:
            shutil.copy(video.keypoints / f"{name}.json", folder)
    assert video.estimate(stature_m=1.9).counts["estimates"] == 4
    people = people_of(video.bodies)
    outcomes = [Outcome.read(folder) for folder in people.values()]
    assert [one.code for one in outcomes] == [None, None, "too_few_frames"]
    scales = [Body.load(people[n] / "estimate_1.npz").scale for n in (1, 2)]
    assert scales == ["known_height", "estimated"]
    tables = [folder / "left_out.csv" for folder in people.values()]
    assert find_damage(video.bodies) == []
    for table in tables:
        table.write_text("damaged")
    assert len(find_damage(video.bodies)) == len(tables) == 3
    assert json.loads((video.folder / "usage.json").read_text())["runs"] == 2


def test_the_body_is_seen_where_the_person_is(video):
    video.estimate(stature_m=1.6)
    for body, person in zip(video.read_bodies(), video.people, strict=True):
        (points,), (focal,), (center,) = (
            body.posed_vertices, body.camera_focal_px, body.camera_center_px,
        )  # fmt: skip
        seen = points[:, :2] * focal / points[:, 2:] + center
        left, top, right, bottom = person.box
        middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
        assert middle == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=15)
        assert np.ptp(seen[:, 1]) == pytest.approx((bottom - top) / 0.93, rel=0.08)


def test_without_its_landmarks_shapy_gives_bodies_all_the_same(video, tmp_path):
    regressor = install(tmp_path / "other")
    data = regressor.parent / "data"
    shutil.copytree(video.data, data)
    for name in (DEFINITIONS, LANDMARKS):
        (data / name).unlink()
    outcome = Video.on_host(tmp_path / "v", regressor).estimate()
    assert outcome.counts["estimates"] == 4


def test_meshes_and_pictures_are_kept_when_asked_for(video):
    video.estimate(meshes=True, pictures=True)
    kept = [name for name in video.written if name.startswith("shapy/")]
    endings = (".ply", "_hd_stage_02_overlay.png")
    assert kept == sorted(f"shapy/{name}{ending}" for name in video.names for ending in endings)


def test_a_rejected_video_is_handed_on_and_nothing_runs(video, pretend):
    jobs = pretend()
    Outcome("no_person", "Nobody is there.").write(video.keypoints)
    assert video.estimate() == Outcome("no_person", "Nobody is there.")
    assert (jobs, video.left_out) == ([], {})


# what it is given


def test_only_the_usable_frames_are_looked_at(video):
    (video.keypoints / "frame_000002.json").unlink()
    video.estimate()
    used = [body.frames[0] for body in video.read_bodies()]
    assert used == [name for name in video.names if name != "frame_000002"]


def test_the_command_is_that_of_the_contract(tmp_path, regressor, video):
    settings = {"runtime": "docker", "images": str(video.folder / "images.yaml")}
    place = Workplace.at(tmp_path, regressor.parent / "data", settings)
    assert " ".join(place.arguments(meshes=False, pictures=True)) == (
        "--exp-cfg configs/b2a_expose_hrnet_demo.yaml "
        f"--output-folder {tmp_path}/scratch/results --datasets openpose --split test "
        "--save-params true --save-mesh false --save-vis true "
        f"--exp-opts output_folder={tmp_path}/scratch/model part_key=pose "
        f"datasets.pose.openpose.data_folder={tmp_path}/inputs "
        "datasets.pose.openpose.img_folder=images datasets.pose.openpose.keyp_folder=keypoints "
        "datasets.batch_size=1 datasets.pose_shape_ratio=1.0 datasets.pose.num_workers.test=0"
    )


def test_shapy_finds_the_download_at_its_side_and_can_write_to_its_own_folder_only(tmp_path, video):
    settings = {"runtime": "docker", "images": str(video.folder / "images.yaml")}
    place = Workplace.at(tmp_path, video.data, settings)
    assert {(m.source, m.target, m.writable) for m in place.mounts} == {
        (video.data, "/opt/shapy/data", False),
        (tmp_path / "inputs", None, False),
        (tmp_path / "scratch", None, True),
    }
    place.stage(video.frames, video.keypoints, video.names[:2])
    linked = (tmp_path / "scratch/model/checkpoints").readlink()
    assert str(linked) == f"/opt/shapy/data/{Path(CHECKPOINT).parent}"
    staged = sorted(path.name for path in (tmp_path / "inputs").rglob("frame_*"))
    assert staged == [f"{n}.{e}" for n in video.names[:2] for e in ("json", "png")]


def test_files_that_are_linked_out_of_the_download_are_seen_too(tmp_path, video):
    data = tmp_path / "data"
    shutil.copytree(video.data, data)
    (data / "body_models").rename(tmp_path / "models")
    (data / "body_models").symlink_to(tmp_path / "models")
    settings = {"runtime": "docker", "images": str(video.folder / "images.yaml")}
    place = Workplace.at(tmp_path, data, settings)
    name = "smplx/SMPLX_NEUTRAL.npz"
    assert {m.target: m.source for m in place.mounts}[f"/opt/shapy/data/body_models/{name}"] == (
        tmp_path / "models" / name
    )


@pytest.mark.parametrize("name", ["a b #1", "it's: {x}", 'say "é" ~'])
def test_folders_may_have_names_that_mean_something_in_yaml(tmp_path, video, name):
    other = Video.on_host(tmp_path / name, Path(video.entry["host"]["workdir"]))
    assert other.estimate().is_ok


def test_a_folder_that_shapy_would_take_for_a_variable_is_refused(tmp_path, video):
    other = Video.on_host(tmp_path / "${HOME}", Path(video.entry["host"]["workdir"]))
    with pytest.raises(ShapyError, match="start of a variable: choose another folder"):
        other.estimate()


# people whom SHAPY leaves out without a word


def test_frames_with_too_little_to_see_are_left_out_and_listed(video, caplog):
    write_people(video.keypoints / "frame_000003.json", [with_points(5)])
    with caplog.at_level(logging.WARNING):
        outcome = video.estimate()
    assert outcome.counts == {"estimates": 3, "frames_used": 3, "frames_left_out": 1}
    reason = "SHAPY believes in 5 points, where it needs 6"
    assert video.left_out == {"frame_000003": reason}
    assert f"frame_000003 is left out: {reason}" in caplog.text


@pytest.mark.parametrize(
    ("name", "confidence", "is_believed"),
    [("Nose", 0.05, True), ("Nose", 0.04, False), ("Neck", 0.4, True), ("Neck", 0.39, False),
     ("LWrist", 0.2, True), ("RWrist", 0.19, False)],
)  # fmt: skip
def test_how_sure_a_point_must_be_depends_on_what_it_is_of(tmp_path, name, confidence, is_believed):
    others = [n for n in BODY_25 if n not in ("Nose", "Neck", "LWrist", "RWrist")][:5]
    points = standing().points.copy()
    keep = np.isin(BODY_25, [*others, name])[:, None]
    points[BODY_25.index(name), 2] = confidence
    keypoints = write_keypoints(tmp_path, Person(np.where(keep, points, 0)), standing())
    assert ("frame_000001" in choose_frames(keypoints, LeftOut())) == is_believed


def test_points_on_one_line_are_too_little(tmp_path):
    keypoints = write_keypoints(tmp_path, standing(width=0.0), standing())
    left_out = LeftOut()
    assert choose_frames(keypoints, left_out) == ["frame_000002"]
    assert "lie on one line" in left_out.reasons["frame_000001"]


def test_too_few_frames_reject_the_video_before_anything_runs(video, pretend):
    jobs = pretend()
    for name in video.names[:2]:
        write_people(video.keypoints / f"{name}.json", [with_points(5)])
    outcome = video.estimate(min_frames=3)
    assert outcome.code == "too_few_frames"
    assert outcome.counts == {"frames_used": 2, "frames_left_out": 2}
    assert "Only 2 of the 4 usable frames" in outcome.reason
    assert (jobs, video.written) == ([], ["left_out.csv", "outcome.json"])
    assert list(video.left_out) == video.names[:2]


def test_nobody_left_is_a_rejection_whatever_is_asked_for(tmp_path):
    with pytest.raises(Rejected, match="Only 0 of the 1"):
        choose_frames(write_keypoints(tmp_path, with_points(3)), LeftOut(), min_frames=0)


def test_two_people_in_a_file_are_a_fault_of_the_program(tmp_path):
    write_people(tmp_path / "frame_000001.json", [standing(), standing()])
    with pytest.raises(PoseFileError, match="2 people where one is expected"):
        choose_frames(tmp_path, LeftOut())


# SHAPY that goes wrong


def test_nothing_runs_without_the_weights(video, tmp_path, pretend):
    jobs = pretend()
    data = tmp_path / "data"
    shutil.copytree(video.data, data)
    (data / CHECKPOINT).unlink()
    with pytest.raises(MissingFilesError, match=r"shapy\.is\.tue\.mpg\.de"):
        video.estimate(data=data)
    assert (jobs, video.written) == ([], [])


def test_a_shapy_that_loses_its_weights_is_stopped(video, tmp_path, monkeypatch):
    """Such as a network drive that goes away: SHAPY itself would end well, with random bodies."""
    regressor = install(tmp_path / "other")
    shutil.copytree(video.data, regressor.parent / "data")
    other = Video.on_host(tmp_path / "v", regressor)
    checkpoint = regressor.parent / "data" / CHECKPOINT
    monkeypatch.setattr(shapy, "require_files", lambda data: checkpoint.unlink())
    with pytest.raises(ShapyError, match=r"did not load its weights.*No checkpoint found"):
        other.estimate()
    assert other.written == []


def test_other_weights_are_none(video):
    with pytest.raises(ShapyError, match=r"did not load its weights.*expose/body_only"):
        video.estimate("other_weights")
    assert video.written == []


def test_weights_without_what_was_trained_are_none(video):
    """SHAPY takes what a checkpoint has, and leaves the rest random."""
    with pytest.raises(
        ShapyError, match=r"did not load its weights.*such as backbone\.conv1\.weight"
    ):
        video.estimate("missing_keys")
    assert video.written == []


def test_weights_may_lack_what_shapy_has_from_other_files(video, caplog):
    with caplog.at_level(logging.WARNING):
        assert video.estimate("missing_buffers").is_ok
    assert "SHAPY's weights lack what it takes from its other files: ['param_mean'," in caplog.text


@pytest.mark.parametrize(
    ("keys", "is_right"),
    [
        ("['model.J_regressor', 'model.extra_joint_regressor', 'betas_idxs']", True),
        ("['backbone.bn1.num_batches_tracked', 'regressor.mean_param']", True),
        ("['b2a_males.a2b.weight', 'projection.scale']", True),
        ("['backbone.bn1.running_var']", False),
        ("['model.faces_tensor', 'regressor.module.layer_000.0.bias']", False),
        ("['model.faces_tensor', 'b2a_males.a … (9000 more bytes)", False),
    ],
)
def test_what_weights_may_lack_is_what_is_not_learnt(tmp_path, keys, is_right):
    watch = WeightsWatch(tmp_path / "best_checkpoint")
    watch.hear(f"load_checkpoint:96 - Loading checkpoint from {tmp_path}/best_checkpoint!")
    line = f"load_checkpoint:102 - The following keys were not found: {keys}"
    with nullcontext() if is_right else pytest.raises(ShapyError, match="so none was kept"):
        watch.hear(line)
        watch.require()


def test_a_log_that_says_nothing_of_weights_is_no_proof_of_them(video, pretend):
    pretend("Use joint regressor: True")
    with pytest.raises(ShapyError, match="its log says nothing of any"):
        video.estimate()


@pytest.mark.parametrize(
    ("mode", "names"),
    [("skip_some", "1 of 4 frames have no result"), ("half", "1 of 4 frames have no result")],
)
def test_a_frame_without_a_result_is_never_passed_over(video, mode, names):
    with pytest.raises(ShapyError, match=names):
        video.estimate(mode)
    assert video.written == []


def test_a_picture_that_was_asked_for_is_part_of_the_result(video, monkeypatch):
    monkeypatch.setattr(
        Workplace,
        "arguments",
        lambda self, *, meshes, pictures, asked=Workplace.arguments: asked(
            self, meshes=meshes, pictures=False
        ),
    )
    with pytest.raises(ShapyError, match="4 of 4 frames have no result"):
        video.estimate(pictures=True)


def test_a_result_that_is_none_fails_the_job(video):
    with pytest.raises(ShapyError, match=r"wrote of frame_000001 is no result.*Object arrays"):
        video.estimate("pickle")
    assert video.written == []


def test_a_frame_of_no_number_is_left_out_like_any_other_without_a_body(video):
    """Else it would fail its video however often that is run again."""
    outcome = video.estimate("one_nan")
    assert outcome.counts == {"estimates": 3, "frames_used": 3, "frames_left_out": 1}
    ((_, reason),) = video.left_out.items()
    assert reason == "v_shaped has values that are not finite"
    assert len(video.read_bodies()) == 3


@pytest.mark.parametrize(
    ("mode", "why"), [("giant", "the body is 5."), ("nan", "v_shaped has values that are not")]
)
def test_too_few_bodies_of_plausible_size_reject_the_video(video, mode, why):
    outcome = video.estimate(mode)
    assert outcome.code == "no_fit"
    assert outcome.counts == {"frames_used": 0, "frames_left_out": 4}
    assert "in 0 of 4 frames, where at least 3 are needed" in outcome.reason
    assert video.written == ["left_out.csv", "outcome.json"]
    assert list(video.left_out) == video.names
    assert all(reason.startswith(why) for reason in video.left_out.values())


def test_a_crash_is_a_crash(video):
    with pytest.raises(ContainerFailedError, match="illegal memory access") as error:
        video.estimate("crash")
    assert error.value.status == 1
    assert video.written == []


def test_a_card_that_runs_full_is_answered_with_what_helps_shapy(video):
    with pytest.raises(ContainerFailedError) as error:
        video.estimate("gpu_oom")
    assert error.value.code == "gpu_out_of_memory"
    (note,) = error.value.__notes__
    assert note.endswith("it needs a card with more memory, or shape.backend: anny.")


@pytest.mark.parametrize(("mode", "gpus"), [("", 0), ("no_gpu_memory", 1)])
def test_without_a_card_it_says_what_is_needed(video, mode, gpus):
    with pytest.raises(ShapyError, match="no graphics card that it can work with"):
        video.estimate(mode, gpus=gpus)


def test_a_shapy_of_this_machine_that_reads_another_download_is_refused(video, tmp_path):
    shutil.copytree(video.data, tmp_path / "data")
    with pytest.raises(Exception, match=r"nothing can be mounted: make .* a link to it"):
        video.estimate(data=tmp_path / "data")
