"""OpenPose as a backend: what is asked of it, and that nothing it leaves out or spoils is a result.

OpenPose itself is stood in for by a program that has its command line, its files and its failures
(tests/containers/standins/openpose), run on this machine itself.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from puppets import GREEN, RED, SIZE, picture_of, standing

import select_keypoints
from containers.standins.openpose.download import BODY, FACE, HAND, made_up, make_models, recognise
from estimate_pose_openpose import main
from tapeless.configuration import with_defaults
from tapeless.containers import Allowance, ContainerFailedError, Job, allowances
from tapeless.downloads import MissingFilesError
from tapeless.images import write_image
from tapeless.keypoints import BODY_25, POSE_SUFFIX, Person, read_people, read_poses
from tapeless.outcomes import Outcome
from tapeless.pose import openpose_models
from tapeless.pose.openpose import (
    OpenPoseError,
    Options,
    build_arguments,
    keep_confident,
)
from tapeless.pose.openpose_models import (
    NETWORKS_FILE,
    find_missing_models,
    read_checksums,
    require_models,
)
from tapeless.seals import SEAL_FILE
from tapeless.selection import Rules

ROOT = Path(__file__).parents[2]
STANDIN = ROOT / "tests/containers/standins/openpose/openpose.py"
DEFAULTS = with_defaults({}, yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text()))
SETTINGS: dict[str, Any] = DEFAULTS["pose"]["openpose"]
OPTIONS = Options(**{key: SETTINGS[key] for key in SETTINGS.keys() - {"models", "gpu"}})
WEB_PAGE = "<!DOCTYPE html><title>403 Forbidden</title>"
EMPTY = np.full((SIZE[1], SIZE[0], 3), 225, np.uint8)


class Video:
    """The frames of a video, OpenPose's models, and this machine in the place of a container."""

    def __init__(self, folder: Path, *pictures: np.ndarray) -> None:
        self.folder = folder
        self.frames, self.pose = folder / "frames", folder / "pose"
        self.models = make_models(folder / "models")
        self.frames.mkdir()
        self.names = [f"frame_{number:06d}" for number in range(1, len(pictures) + 1)]
        for name, picture in zip(self.names, pictures, strict=True):
            write_image(self.frames / f"{name}.png", picture)
        Outcome(counts={"frames_sampled": len(pictures)}).write(self.frames)

    def detect(
        self, mode: str = "", pose: str = "pose", gpu: bool = False, order: str = "", **options: Any
    ) -> Path:
        """Runs the stage; `mode` is how the stand-in fails."""
        images = yaml.safe_load((ROOT / "containers/images.yaml").read_text())
        images["openpose"]["host"]["program"] = [sys.executable, str(STANDIN)]
        (self.folder / "images.yaml").write_text(yaml.safe_dump(images))
        settings = DEFAULTS["containers"] | {
            "runtime": "host",
            "images": str(self.folder / "images.yaml"),
            "mounts_file": None,
            "environment": {
                "STANDIN_OPENPOSE": mode,
                "STANDIN_OPENPOSE_BUILD": "gpu" if gpu else "cpu",
                "STANDIN_OPENPOSE_ORDER": order,
            },
        }
        allowance = Allowance(
            settings=settings,
            labels={"rule": "estimate_pose", "video": "v"},
            usage_file=self.folder / "usage.json",
        )
        main(
            self.frames,
            self.folder / pose,
            models=self.models,
            options=replace(OPTIONS, **options),
            allowance=allowance,
        )
        return self.folder / pose

    @property
    def written(self) -> list[str]:
        """All that lies in the folder of the pose, but the seal."""
        return sorted(path.name for path in self.pose.iterdir() if path.name != SEAL_FILE)


@pytest.fixture(autouse=True)
def networks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up models are the right ones."""
    folder = tmp_path_factory.mktemp("known")
    known = recognise(make_models(folder), NETWORKS_FILE, folder / "networks.yaml")
    monkeypatch.setattr(openpose_models, "NETWORKS_FILE", known)


@pytest.fixture
def video(tmp_path: Path) -> Video:
    """Somebody in three frames; nobody in the third."""
    someone = picture_of((standing(x=160, stature=450), RED))
    return Video(tmp_path, someone, someone, EMPTY, someone)


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Job]]:
    """Puts a function of the folder that OpenPose writes to in the place of a run."""

    def put(write: Callable[[Path], None]) -> list[Job]:
        jobs: list[Job] = []

        def run(job: Job, settings: object, **_: object) -> None:
            jobs.append(job)
            write(job.output)

        monkeypatch.setattr(allowances, "run_container", run)
        return jobs

    return put


def write_as_openpose(folder: Path, names: list[str], people: list[object]) -> None:
    for name in names:
        content = {"version": 1.3, "people": people}
        (folder / "json" / f"{name}{POSE_SUFFIX}").write_text(json.dumps(content))


def entry(numbers: int = 75) -> dict[str, object]:
    return {"person_id": [-1], "pose_keypoints_2d": [10.5] * numbers}


# what is asked of it


def test_openpose_runs_without_a_window_on_one_card_with_body_25_in_pixels_of_the_frame():
    arguments = build_arguments(Path("/f"), Path("/m"), Path("/w"), OPTIONS)
    assert " ".join(arguments) == (
        "--image_dir /f --write_json /w/json --display 0 --render_pose 0 --model_folder /m/ "
        "--model_pose BODY_25 --net_resolution -1x368 --keypoint_scale 0 --number_people_max -1 "
        "--num_gpu 1 --num_gpu_start 0 --logging_level 3"
    )


def test_what_can_be_configured_is_asked_for():
    options = replace(OPTIONS, net_resolution="656x-1", number_people_max=2, face=True, hands=True)
    line = " ".join(build_arguments(Path("/f"), Path("/m"), Path("/w"), options))
    assert "--net_resolution 656x-1 " in line
    assert "--number_people_max 2 " in line
    assert line.endswith(" --face --hand")


def test_pictures_are_rendered_as_they_are_bare_copies_otherwise():
    line = build_arguments(Path("/f"), Path("/m"), Path("/w"), replace(OPTIONS, pictures=True))
    assert line[line.index("--render_pose") + 1] == "1"
    assert line[line.index("--write_images") + 1] == "/w/pictures"


def test_a_job_has_its_cards_its_memory_and_one_folder_to_write_to(video, pretend, monkeypatch):
    taken = []

    @contextmanager
    def take(count):
        taken.append(count)
        yield ("GPU-7",)

    monkeypatch.setattr(allowances, "take_gpus", take)
    jobs = pretend(lambda folder: write_as_openpose(folder, video.names, []))
    allowance = Allowance({}, {"rule": "estimate_pose", "video": "v"}, gpus=1, memory_mb=4000)
    main(video.frames, video.pose, models=video.models, options=OPTIONS, allowance=allowance)
    (job,) = jobs
    assert (job.program, job.gpus, job.memory_mb, taken) == ("openpose", ("GPU-7",), 4000, [1])
    assert job.labels == {"rule": "estimate_pose", "video": "v"}
    assert {m.source: m.writable for m in job.mounts} == {
        video.frames: False,
        video.models: False,
        job.output: True,
    }
    assert job.output.is_relative_to(video.pose)


def test_relative_paths_reach_the_container_as_absolute_ones(video, pretend, monkeypatch):
    jobs = pretend(lambda folder: write_as_openpose(folder, video.names, []))
    monkeypatch.chdir(video.folder)
    allowance = Allowance({}, {})
    main(Path("frames"), Path("pose"), models=Path("models"), options=OPTIONS, allowance=allowance)
    values = jobs[0].arguments[jobs[0].arguments.index("--image_dir") :][1::2]
    assert [Path(value) for value in values if "/" in value] == [
        video.frames,
        jobs[0].output / "json",
        video.models,
    ]


# models


def test_models_are_checked_for_before_anything_runs(video, pretend):
    jobs = pretend(lambda folder: None)
    for file in BODY:
        (video.models / file).unlink()
    with pytest.raises(MissingFilesError) as error:
        video.detect()
    for words in (str(video.models), "README.md", "MD5 ", "start again", *BODY):
        assert words in str(error.value)
    assert jobs == []


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, BODY),
        ({"face": True}, BODY + FACE),
        ({"hands": True}, BODY + HAND),
        ({"face": True, "hands": True}, BODY + FACE + HAND),
    ],
)
def test_only_networks_that_are_asked_for_are_needed(tmp_path, settings, missing):
    found = find_missing_models(tmp_path, SETTINGS | settings)
    assert [file.target for file in found] == list(missing)
    assert [file.path for file in found] == [tmp_path / target for target in missing]


def test_a_download_that_came_to_nothing_is_missing(video):
    (video.models / BODY[0]).write_bytes(b"")
    (missing,) = find_missing_models(video.models, SETTINGS)
    assert missing.target == BODY[0]


def test_weights_that_are_another_file_are_not_run_with(video, pretend):
    jobs = pretend(lambda folder: None)
    (video.models / BODY[0]).write_text(WEB_PAGE, encoding="utf-8")
    found, wanted = (hashlib.md5(t.encode()).hexdigest() for t in (WEB_PAGE, made_up(BODY[0])))
    with pytest.raises(MissingFilesError) as error:
        video.detect()
    assert (
        f"{video.models / BODY[0]} is not the file it should be (MD5 {found}, should be {wanted})."
    ) in str(error.value)
    assert (jobs, video.written) == ([], [])


def test_weights_of_networks_that_are_not_asked_for_may_be_anything(video):
    (video.models / FACE[0]).write_text(WEB_PAGE, encoding="utf-8")
    require_models(video.models, SETTINGS)
    (missing,) = find_missing_models(video.models, SETTINGS | {"face": True})
    assert missing.target == FACE[0]


def test_weights_that_are_made_up_are_none_of_openposes(tmp_path, monkeypatch):
    monkeypatch.setattr(openpose_models, "NETWORKS_FILE", NETWORKS_FILE)
    models = make_models(tmp_path / "models")
    found = find_missing_models(models, SETTINGS | {"face": True, "hands": True})
    assert [file.target for file in found] == [BODY[0], FACE[0], HAND[0]]
    md5s = ("78287b57cf85fa89c03f1393d368e5b7", "e747180d728fa4e4418c465828384333",
            "a82cfc3fea7c62f159e11bd3674c1531")  # fmt: skip
    for file, md5 in zip(found, md5s, strict=True):
        assert file.fault.endswith(f"should be {md5})")


def test_models_that_are_links_are_mounted_where_openpose_looks_for_them(video, pretend):
    jobs = pretend(lambda folder: write_as_openpose(folder, video.names, []))
    store = video.folder / "store"
    (video.models / "pose").rename(store)
    (video.models / "pose").symlink_to("../store")
    video.detect()
    mounts = {mount.target: mount.source for mount in jobs[0].mounts if mount.target}
    assert mounts == {
        str(video.models / file): store / Path(file).relative_to("pose") for file in BODY
    }


def test_models_that_are_links_do_on_this_machine_itself_too(video):
    (video.models / "pose").rename(video.folder / "store")
    (video.models / "pose").symlink_to(video.folder / "store")
    assert len(read_poses(video.detect(), video.names)) == 4


def test_checksums_are_those_of_the_weights_in_use(video):
    before = read_checksums(video.models, SETTINGS)
    (video.models / FACE[0]).write_text("others")
    assert list(before) == [BODY[0]]
    assert read_checksums(video.models, SETTINGS) == before
    (video.models / BODY[0]).write_text("others")
    assert read_checksums(video.models, SETTINGS) != before


def test_without_weights_there_is_a_plan_all_the_same(tmp_path):
    assert read_checksums(tmp_path, SETTINGS) == {BODY[0]: "missing"}


# what comes of it


def test_every_frame_has_a_file_also_the_empty_one(video):
    people = read_poses(video.detect(), video.names)
    assert [len(found) for found in people.values()] == [1, 1, 0, 1]
    assert Outcome.read(video.pose) == Outcome(
        counts={"frames_sampled": 4, "frames_with_people": 3}
    )
    assert video.written == [*(f"{name}{POSE_SUFFIX}" for name in video.names), "outcome.json"]
    assert json.loads((video.folder / "usage.json").read_text())["program"] == "openpose"


def test_points_are_in_pixels_of_the_frame_and_a_doubtful_one_is_zeros(video):
    person = read_poses(video.detect(), video.names)["frame_000001"][0]
    assert person.at("Neck")[0] == pytest.approx([160, 570 - 0.82 * 450], abs=12)
    assert person.height_px == pytest.approx(0.93 * 450, rel=0.05)
    assert person.points[BODY_25.index("RSmallToe")].tolist() == [0, 0, 0]
    assert person.present.sum() == 24


def test_points_that_are_not_believed_in_are_zeros_also_of_faces_and_hands():
    points = standing().points.copy()
    points[:, 2] = np.linspace(0.05, 0.95, 25)
    hand = np.column_stack([np.ones((21, 2)), np.linspace(0, 1, 21)])
    (kept,) = keep_confident([Person(points, {"hand_left_keypoints_2d": hand})], 0.5)
    believed = points[:, 2] >= 0.5
    assert (kept.present == believed).all()
    assert (kept.points[believed] == points[believed]).all()
    assert not kept.points[~believed].any()
    left = kept.parts["hand_left_keypoints_2d"]
    assert (left[:, 2] >= 0.5).tolist() == left.any(axis=1).tolist() == [False] * 10 + [True] * 11


def test_a_point_without_confidence_is_absent_though_all_are_believed():
    points = standing().points.copy()
    points[3, 2] = 0
    (kept,) = keep_confident([Person(points)], 0.0)
    assert kept.points[3].tolist() == [0, 0, 0]


def test_a_few_points_are_nobody():
    points = np.where(np.arange(25)[:, None] < 5, standing().points, 0)
    fewer = np.where(np.arange(25)[:, None] < 4, points, 0)
    assert [one.present.sum() for one in keep_confident([Person(points), Person(fewer)], 0.3)] == [
        5
    ]


def test_faces_and_hands_are_kept_when_asked_for(video):
    (person,) = read_people(video.detect(face=True, hands=True) / f"{video.names[0]}{POSE_SUFFIX}")
    assert {name: len(part) for name, part in person.parts.items()} == {
        "face_keypoints_2d": 70,
        "hand_left_keypoints_2d": 21,
        "hand_right_keypoints_2d": 21,
    }


def test_pictures_are_kept_when_asked_for_named_as_the_frames(video):
    pictures = video.detect(pictures=True) / "pictures"
    assert sorted(path.name for path in pictures.iterdir()) == [f"{n}.png" for n in video.names]
    assert (pictures / "frame_000001.png").read_bytes()[:4] == b"\x89PNG"


def test_pictures_of_an_openpose_that_names_them_as_the_frames_are_kept_too(video, pretend):
    def write(folder):
        write_as_openpose(folder, video.names, [])
        for name in video.names:
            (folder / "pictures" / f"{name}.png").write_bytes(b"picture")

    pretend(write)
    pictures = video.detect(pictures=True) / "pictures"
    assert sorted(path.name for path in pictures.iterdir()) == [f"{n}.png" for n in video.names]


def test_pictures_that_are_not_there_are_no_result(video, pretend):
    pretend(lambda folder: write_as_openpose(folder, video.names, []))
    with pytest.raises(OpenPoseError, match=r"no picture of frame_000001.*pictures: false"):
        video.detect(pictures=True)
    assert "outcome.json" not in video.written


@pytest.mark.parametrize("mode", ["nobody", "low_confidence"])
def test_nobody_in_any_frame_is_left_to_the_selection_to_reject(video, mode):
    pose = video.detect(mode)
    assert Outcome.read(pose) == Outcome(counts={"frames_sampled": 4, "frames_with_people": 0})
    assert select(video, pose).code == "no_person"


def test_the_same_person_is_measured_in_whatever_order_openpose_lists_people(tmp_path):
    pictures = [picture_of((standing(x=220, stature=450), GREEN), seed=n) for n in range(8)]
    video = Video(tmp_path, *pictures)
    kept = []
    for order in ("one", "another"):
        pose = video.detect("two_people", pose=order, order=order)
        assert select(video, pose).is_ok
        folder = tmp_path / f"keypoints_{order}"
        kept.append({path.name: path.read_bytes() for path in folder.glob("frame_*")})
    one, another = (read_poses(tmp_path / order, video.names) for order in ("one", "another"))
    assert {len(people) for people in one.values()} == {2}
    assert any(one[n][0].height_px != another[n][0].height_px for n in video.names)
    assert kept[0] == kept[1]
    assert len(kept[0]) == 8
    for path in (tmp_path / "keypoints_one").glob("frame_*"):
        assert read_people(path)[0].at("Neck")[0, 0] == pytest.approx(220, abs=12)


def test_a_verdict_from_before_is_handed_on_and_no_card_is_waited_for(video, pretend):
    jobs = pretend(lambda folder: None)
    Outcome("no_frames", "No picture could be decoded.").write(video.frames)
    assert Outcome.read(video.detect()).code == "no_frames"
    assert jobs == []


# how it fails


def test_a_run_that_breaks_off_without_a_word_names_the_frames_it_left_out(video):
    with pytest.raises(OpenPoseError) as error:
        video.detect("half")
    says = str(error.value)
    assert "2 of 4 frames have no file: frame_000003, frame_000004." in says
    for advice in ("net_resolution", "containers.memory_mb", "start again", "Starting OpenPose"):
        assert advice in says
    assert video.written == []


def test_a_frame_left_out_is_not_an_empty_frame(video, pretend):
    pretend(lambda folder: write_as_openpose(folder, video.names[1:], []))
    with pytest.raises(OpenPoseError, match="1 of 4 frames have no file: frame_000001"):
        video.detect()


def test_a_run_that_crashes_says_how_far_it_came(video):
    with pytest.raises(ContainerFailedError) as error:
        video.detect("crash")
    assert error.value.status == 1
    assert error.value.__notes__ == ["OpenPose had done 2 of 4 frames."]
    assert video.written == []


def test_a_failure_is_told_of_though_what_was_used_cannot_be_written_down(video):
    (video.folder / "usage.json").mkdir()
    with pytest.raises(ContainerFailedError) as error:
        video.detect("crash")
    assert error.value.__notes__ == ["OpenPose had done 2 of 4 frames."]


@pytest.mark.parametrize(
    ("mode", "gpu", "advice"),
    [
        ("no_gpu_memory", False, "lower pose.openpose.net_resolution, such as -1x256"),
        ("", True, "needs pose.openpose.gpu: true"),
    ],
)
def test_what_openpose_says_is_answered_with_what_to_do(video, mode, gpu, advice):
    with pytest.raises(ContainerFailedError) as error:
        video.detect(mode, gpu=gpu)
    assert advice in error.value.__notes__[0]


def test_half_a_file_is_no_pose(video):
    with pytest.raises(OpenPoseError, match=r"frame_000003_keypoints.json: not JSON.*by hand"):
        video.detect("garbage")
    assert video.written == []


def test_points_of_another_model_are_no_pose(video, pretend):
    pretend(lambda folder: write_as_openpose(folder, video.names, [entry(54)]))
    with pytest.raises(OpenPoseError, match="54 numbers; BODY_25 has 75"):
        video.detect()
    assert video.written == []


def test_after_a_failure_the_next_run_does_it_all(video):
    with pytest.raises(OpenPoseError):
        video.detect("half")
    assert len(read_poses(video.detect(), video.names)) == 4


# that the stand-in refuses what OpenPose refuses


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"--display": None}, "cannot connect to X server"),
        ({"--write_json": None}, "No output is selected"),
        ({"--model_folder": None}, "models/pose/body_25/pose_deploy.prototxt does not exist"),
        ({"--net_resolution": "-1x370"}, "multiples of 16"),
        ({"--image_dir": "/nowhere"}, "/nowhere does not exist"),
        ({"--no_such_flag": "1"}, "unknown command line flag 'no_such_flag'"),
        ({"--num_gpu": "2"}, "not as many cards"),
        ({}, "no CUDA-capable device"),
    ],
)
def test_the_stand_in_refuses_what_openpose_refuses(video, changes, says):
    words = build_arguments(video.frames, video.models, video.folder, OPTIONS)
    given = dict(zip(words[::2], words[1::2], strict=True)) | changes
    line = [word for pair in given.items() if pair[1] is not None for word in pair]
    environment = {"NVIDIA_VISIBLE_DEVICES": "0" if changes else "void"}
    run = subprocess.run(
        [sys.executable, STANDIN, *line], env=environment, capture_output=True, text=True
    )
    assert run.returncode != 0
    assert says in run.stderr
    assert not list(video.folder.glob("json/*"))


def select(video: Video, pose: Path) -> Outcome:
    """Runs the stage after this one, into `keypoints_<name of the pose>`."""
    header = "frame,time_s,source_frame,width,height,sharpness"
    rows = [
        f"{name},{i / 2},{15 * i},{SIZE[0]},{SIZE[1]},100" for i, name in enumerate(video.names)
    ]
    (video.folder / "frames.csv").write_text("\n".join([header, *rows]) + "\n")
    keypoints = video.folder / f"keypoints_{pose.name}"
    select_keypoints.main(
        video.frames,
        video.folder / "frames.csv",
        pose,
        keypoints,
        video.folder / "keypoints.csv",
        rules=Rules(min_frames=4, min_person_height_px=150, min_sharpness=0.25),
    )
    return Outcome.read(keypoints)


def test_options_are_the_keys_of_the_configuration():
    assert asdict(OPTIONS) == {key: SETTINGS[key] for key in SETTINGS.keys() - {"models", "gpu"}}
