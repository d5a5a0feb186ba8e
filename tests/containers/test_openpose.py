"""OpenPose in a real container: every frame has its file, or the stage fails and says why."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest
import yaml

import select_keypoints
from containers.standins.openpose.download import make_models, recognise
from estimate_pose_openpose import main
from tapeless.configuration import with_defaults
from tapeless.containers import Allowance, ContainerError, ContainerFailedError
from tapeless.images import write_image
from tapeless.keypoints import POSE_SUFFIX, read_person, read_poses
from tapeless.outcomes import Outcome
from tapeless.pose import openpose_models
from tapeless.pose.openpose import OpenPoseError, Options
from tapeless.pose.openpose_models import NETWORKS_FILE
from tapeless.seals import SEAL_FILE
from tapeless.selection import Rules

ROOT = Path(__file__).parents[2]
DEFAULTS = with_defaults({}, yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text()))
WALL, SKIN, SHIRT, TROUSERS = (225, 225, 225), (205, 160, 130), (190, 40, 40), (40, 45, 90)
FRAMES = 6
EMPTY_FRAME = "frame_000003"


def person_at(x: int, crown: int, soles: int) -> np.ndarray:
    """A picture of somebody made of boxes, with something to see on the clothes."""
    picture = np.full((600, 338, 3), WALL, np.uint8)
    stature = soles - crown
    for top, bottom, half_width, colour in (
        (0.0, 0.16, 0.05, SKIN),
        (0.16, 0.5, 0.1, SHIRT),
        (0.5, 1.0, 0.09, TROUSERS),
    ):
        rows = slice(crown + round(top * stature), crown + round(bottom * stature))
        columns = slice(x - round(half_width * stature), x + round(half_width * stature))
        picture[rows, columns] = colour
        picture[rows, columns][::7, ::7] += 20
    return picture


class Stage:
    """The frames of a video, and the stage run in a container of the stand-in."""

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder, self.frames = folder, folder / "frames"
        self.frames.mkdir()
        for number in range(1, FRAMES + 1):
            name = f"frame_{number:06d}"
            is_empty = name == EMPTY_FRAME
            picture = np.full((600, 338, 3), WALL, np.uint8)
            write_image(
                self.frames / f"{name}.png", picture if is_empty else person_at(220, 100, 560)
            )
        self.names = [f"frame_{number:06d}" for number in range(1, FRAMES + 1)]
        Outcome(counts={"frames_sampled": FRAMES}).write(self.frames)
        self.models = make_models(folder / "models")
        images = yaml.safe_load((ROOT / "containers/images.yaml").read_text())
        images["openpose"]["docker"] = {"image": "tapeless-test/openpose:1", "digest": digest}
        (folder / "images.yaml").write_text(yaml.safe_dump(images))

    def run(
        self, mode: str = "", *, pose: str = "pose", order: str = "", gpus: int = 1, **settings: Any
    ) -> Path:
        settings = DEFAULTS["containers"] | {
            "images": str(self.folder / "images.yaml"),
            "mounts_file": None,
            "environment": {"STANDIN_OPENPOSE": mode, "STANDIN_OPENPOSE_ORDER": order},
            "memory_mb": 400,
            **settings,
        }
        keys = DEFAULTS["pose"]["openpose"].keys() - {"models", "gpu"}
        options = {key: DEFAULTS["pose"]["openpose"][key] for key in keys}
        main(
            self.frames,
            self.folder / pose,
            models=self.models,
            options=replace(Options(**options), pictures=True),
            allowance=Allowance(settings, {"rule": "estimate_pose", "video": "v"}, gpus),
        )
        return self.folder / pose

    def select(self, pose: Path) -> Outcome:
        rows = [f"{name},{i / 2},{15 * i},338,600,100" for i, name in enumerate(self.names)]
        header = "frame,time_s,source_frame,width,height,sharpness"
        (self.folder / "frames.csv").write_text("\n".join([header, *rows]) + "\n")
        keypoints = pose.with_name(f"keypoints_{pose.name}")
        select_keypoints.main(
            self.frames,
            self.folder / "frames.csv",
            pose,
            keypoints,
            self.folder / "keypoints.csv",
            rules=Rules(min_frames=4, min_person_height_px=150, min_sharpness=0.1),
        )
        return Outcome.read(keypoints)


@pytest.fixture(scope="module")
def digest(make_image: Callable[[Path, str], str]) -> str:
    return make_image(Path(__file__).parent / "standins/openpose", "tapeless-test/openpose:1")


@pytest.fixture
def stage(
    tmp_path: Path,
    docker_host: str,
    digest: str,
    one_card: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    """A stage with one card to give away."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    stage = Stage(tmp_path, digest)
    networks = recognise(stage.models, NETWORKS_FILE, tmp_path / "networks.yaml")
    monkeypatch.setattr(openpose_models, "NETWORKS_FILE", networks)
    return stage


def containers(docker_host: str) -> list[Any]:
    return docker.DockerClient(docker_host).containers.list(all=True)


def test_every_frame_has_its_file_and_all_belongs_to_who_runs_the_stage(stage, docker_host):
    pose = stage.run()
    people = read_poses(pose, stage.names)
    assert {name for name, found in people.items() if not found} == {EMPTY_FRAME}
    assert Outcome.read(pose) == Outcome(
        counts={"frames_sampled": FRAMES, "frames_with_people": FRAMES - 1}
    )
    written = sorted(path.relative_to(pose) for path in pose.rglob("*"))
    files = [Path(f"{n}{POSE_SUFFIX}") for n in stage.names] + [
        Path("outcome.json"),
        Path(SEAL_FILE),
    ]
    pictures = [Path("pictures"), *(Path("pictures") / f"{n}.png" for n in stage.names)]
    assert written == sorted(files + pictures)
    assert {path.stat().st_uid for path in pose.rglob("*")} == {os.getuid()}
    assert containers(docker_host) == []


def test_of_several_people_the_larger_is_measured_in_whatever_order_they_are_listed(stage):
    chosen = []
    for order in ("one", "another"):
        pose = stage.run("two_people", pose=order, order=order)
        assert {len(found) for found in read_poses(pose, stage.names).values()} == {1, 2}
        assert stage.select(pose).is_ok
        kept = sorted((stage.folder / f"keypoints_{order}").glob("frame_*.json"))
        chosen.append([read_person(path).points.tolist() for path in kept])
        assert {round(read_person(path).at("Neck")[0, 0], -1) for path in kept} == {220}
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == FRAMES - 1


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_models_that_are_links_are_seen_in_the_container(stage, kind):
    """They are often kept in one place for many programs."""
    store = stage.folder / "store"
    weights = stage.models / "pose/body_25/pose_iter_584000.caffemodel"
    store.mkdir()
    if kind == "folder":
        (stage.models / "pose").rename(store / "pose")
        (stage.models / "pose").symlink_to("../store/pose")
    else:
        weights.rename(store / "weights")
        (store / "link").symlink_to("weights")
        weights.symlink_to(store / ("weights" if kind == "file" else "link"))
    assert len(read_poses(stage.run(), stage.names)) == FRAMES


def test_a_run_that_breaks_off_without_a_word_is_no_result(stage, docker_host):
    with pytest.raises(OpenPoseError, match="3 of 6 frames have no file: frame_000004, "):
        stage.run("half")
    assert list((stage.folder / "pose").iterdir()) == []
    assert containers(docker_host) == []


@pytest.mark.parametrize(
    ("mode", "settings", "code", "notes"),
    [
        ("crash", {}, "failed", ["OpenPose had done 3 of 6 frames."]),
        ("oom", {"memory_mb": 100}, "out_of_memory", ["OpenPose had done 3 of 6 frames."]),
        (
            "hang",
            {"time_limit_minutes": 0.1},
            "time_limit",
            ["OpenPose had done 1 of 6 frames."],
        ),
    ],
)
def test_a_run_that_fails_says_how_far_it_came(stage, docker_host, mode, settings, code, notes):
    with pytest.raises(ContainerError) as error:
        stage.run(mode, **settings)
    assert (error.value.code, error.value.__notes__) == (code, notes)
    assert list((stage.folder / "pose").iterdir()) == []
    assert containers(docker_host) == []


def test_without_a_card_openpose_fails_and_says_what_it_needs(stage):
    with pytest.raises(ContainerFailedError) as error:
        stage.run(gpus=0)
    assert "pose.openpose.gpu: true" in error.value.__notes__[0]
