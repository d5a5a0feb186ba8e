"""SHAPY in a real container: what it sees, what it may write, and what becomes of its failures."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import docker
import pytest

from containers.standins.shapy.download import BODY_MODEL, CHECKPOINT, make_download
from shapy_videos import STANDIN, Video
from tapeless.containers import ContainerError
from tapeless.measurements import measure_body
from tapeless.outcomes import Outcome
from tapeless.shape import shapy
from tapeless.shape.shapy_files import ShapyError

IMAGE = "tapeless-test/shapy:1"


@pytest.fixture(scope="module")
def digest(make_image: Callable[[Path, str], str]) -> str:
    return make_image(STANDIN, IMAGE)


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_download(tmp_path_factory.mktemp("shapy"))


@pytest.fixture
def make_video(
    tmp_path: Path,
    docker_host: str,
    digest: str,
    download: Path,
    one_card: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Video]:
    """Makes videos for which SHAPY runs in a container, with a card to give away."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    entry = {"docker": {"image": IMAGE, "digest": digest}}
    return lambda name: Video(tmp_path / name, download, "docker", entry)


@pytest.fixture
def video(make_video: Callable[[str], Video]) -> Video:
    return make_video("video")


def containers(docker_host: str) -> list[Any]:
    return docker.DockerClient(docker_host).containers.list(all=True)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_a_video_gives_bodies_that_belong_to_who_runs_the_stage(video, docker_host):
    outcome = video.estimate(stature_m=1.75, meshes=True, pictures=True)
    bodies = video.read_bodies()
    extras = [f"shapy/{n}{e}" for n in video.names for e in (".ply", "_hd_stage_02_overlay.png")]
    own = ["left_out.csv", "outcome.json", "shapy", *(f"estimate_{n}.npz" for n in range(1, 5))]
    counts = {"estimates": 4, "frames_used": 4, "frames_left_out": 0}
    assert outcome == Outcome(counts=counts)
    assert video.written == sorted(extras + own)
    assert [body.frames.tolist() for body in bodies] == [[name] for name in video.names]
    assert measure_body(bodies[0])["height"] == pytest.approx(1.75, abs=1e-5)
    assert {path.stat().st_uid for path in video.bodies.rglob("*")} == {os.getuid()}
    assert json.loads((video.folder / "usage.json").read_text())["status"] == "ok"
    assert containers(docker_host) == []


def test_frames_keypoints_and_download_stay_as_they_are(video):
    before = [snapshot(f) for f in (video.frames, video.keypoints, video.data)]
    video.estimate()
    assert [snapshot(f) for f in (video.frames, video.keypoints, video.data)] == before


def test_a_download_of_links_is_seen_in_the_container(video, tmp_path):
    """Models are often kept in one place for many programs."""
    data, store = tmp_path / "data", tmp_path / "store"
    shutil.copytree(video.data, data)
    store.mkdir()
    (data / "body_models").rename(store / "body_models")
    (data / "body_models").symlink_to("../store/body_models")
    (data / CHECKPOINT).rename(store / "checkpoint")
    (data / CHECKPOINT).symlink_to(store / "checkpoint")
    assert (data / BODY_MODEL).exists()
    assert video.estimate(data=data).is_ok


def test_weights_that_are_gone_in_the_container_stop_it(video, tmp_path, docker_host, monkeypatch):
    data = tmp_path / "data"
    shutil.copytree(video.data, data)
    monkeypatch.setattr(shapy, "require_files", lambda data: (data / CHECKPOINT).unlink())
    with pytest.raises(ShapyError, match="No checkpoint found"):
        video.estimate(data=data)
    assert (video.written, containers(docker_host)) == ([], [])


def test_weights_with_parts_missing_stop_it(video, docker_host):
    with pytest.raises(ShapyError, match=r"not all in them, such as backbone\.conv1\.weight"):
        video.estimate("missing_keys")
    assert (video.written, containers(docker_host)) == ([], [])


@pytest.mark.parametrize("mode", ["half", "skip_some"])
def test_a_run_that_leaves_frames_out_is_no_result(video, docker_host, mode):
    with pytest.raises(ShapyError, match="1 of 4 frames have no result"):
        video.estimate(mode)
    assert (video.written, containers(docker_host)) == ([], [])


@pytest.mark.parametrize(
    ("mode", "settings", "code"),
    [
        ("crash", {}, "failed"),
        ("oom", {"memory_mb": 200}, "out_of_memory"),
        ("hang", {"time_limit_minutes": 0.1}, "time_limit"),
    ],
)
def test_a_run_that_fails_leaves_nothing(video, docker_host, mode, settings, code):
    with pytest.raises(ContainerError) as error:
        video.estimate(mode, containers=settings)
    assert error.value.code == code
    assert (video.written, containers(docker_host)) == ([], [])


def test_without_a_card_it_says_what_is_needed(video):
    with pytest.raises(ShapyError, match="no graphics card"):
        video.estimate(gpus=0)


def test_two_videos_at_once_share_neither_card_nor_folder(make_video, docker_host, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    videos = [make_video("one"), make_video("other")]
    jobs = [get_context("fork").Process(target=video.estimate) for video in videos]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(120)
    assert [job.exitcode for job in jobs] == [0, 0]
    assert [len(video.read_bodies()) for video in videos] == [4, 4]
    usages = [json.loads((video.folder / "usage.json").read_text()) for video in videos]
    assert sorted(usage["gpus"] for usage in usages) == [["0"], ["1"]]
    assert containers(docker_host) == []
