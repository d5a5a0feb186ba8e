"""The doctor and a real Docker daemon: images, digests, cards, rights, and what was left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from click.testing import CliRunner, Result
from docker_daemon import import_empty

from examined import (
    OPENPOSE,
    ROOT,
    assert_failed,
    assert_ok,
    assert_unknown,
    configure,
    look,
    only,
)
from tapeless.cli import main
from tapeless.containers.jobs import LABEL_PREFIX, make_labels
from tapeless.doctor import Finding, Situation, find_obstacles

TAG = "tapeless-test/doctor:1"
NVIDIA = "NVIDIA in Docker"


@pytest.fixture
def image(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of an image without any file, in the daemon that is spoken to."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    yield import_empty(docker_host, TAG)
    docker.DockerClient(docker_host).images.remove(TAG, force=True)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The file of images of tapeless, in which that of OpenPose is the test's."""
    content = (ROOT / "containers/images.yaml").read_text(encoding="utf-8")
    file = tmp_path / "images.yaml"
    file.write_text(content.replace("tapeless/openpose:1.7.0", TAG), encoding="utf-8")
    return file


def pin(file: Path, digest: str) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["openpose"]["docker"]["digest"] = digest
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def look_at(images: Path, **containers: Any) -> Mapping[str, list[Finding]]:
    """What is found for jobs of OpenPose."""
    settings = {"images": str(images), **containers}
    return look("estimate_pose", pose=OPENPOSE, containers=settings)


def containers_of(address: str) -> set[str]:
    return {c.id for c in docker.DockerClient(address).containers.list(all=True)}


class TestImages:
    def test_the_one_that_is_pinned_serves(self, image: str, images: Path):
        pin(images, image)
        findings = look_at(images)
        assert_ok(only(findings, "Docker"))
        finding = only(findings, "image openpose")
        assert_ok(finding)
        assert f"{TAG} {image[:19]}" in finding.found

    def test_another_one_of_that_name_fails(self, image: str, images: Path):
        pin(images, f"sha256:{'12' * 32}")
        finding = only(look_at(images), "image openpose")
        assert_failed(finding, found=f"is {image}", remedy="tapeless pin openpose")
        assert_failed(
            only(look_at(images, pull=True), "image openpose"),
            found=f"is {image}",
            remedy="tapeless pin openpose",
        )

    def test_one_that_is_not_here_fails_unless_it_may_be_fetched(
        self, docker_host: str, images: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("DOCKER_HOST", docker_host)
        pin(images, f"sha256:{'12' * 32}")
        finding = only(look_at(images), "image openpose")
        assert_failed(finding, found="is not on this machine", remedy="openpose/README.md")
        assert_unknown(only(look_at(images, pull=True), "image openpose"), "fetches it")

    def test_pin_writes_the_id_of_the_one_that_is_here(self, image: str, images: Path):
        said = self.call_pin(images)
        assert said.exit_code == 0, said.output
        assert f"openpose, docker: {image} in {images.with_suffix('.pins.yaml')}" in said.output
        assert_ok(only(look_at(images), "image openpose"))

    def test_pin_changes_nothing_where_there_is_none(
        self, docker_host: str, images: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("DOCKER_HOST", docker_host)
        said = self.call_pin(images)
        assert said.exit_code == 1
        assert "is not on this machine" in said.output
        assert list(images.parent.glob("*.pins.yaml")) == []

    def call_pin(self, images: Path) -> Result:
        return CliRunner().invoke(
            main, ["pin", "openpose", "--config", f"containers={{images: {images}}}"]
        )


class TestCards:
    @pytest.mark.usefixtures("image")
    def test_a_daemon_that_gives_them_to_containers_serves(self, docker_host: str, images: Path):
        before = containers_of(docker_host)
        assert_ok(only(look_at(images), NVIDIA))
        assert containers_of(docker_host) == before

    def test_a_daemon_that_cannot_fails_as_a_job_would(
        self, docker_host_without_nvidia: str, images: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("DOCKER_HOST", docker_host_without_nvidia)
        assert_unknown(only(look_at(images), NVIDIA), "no image to try it with")
        import_empty(docker_host_without_nvidia, TAG)
        finding = only(look_at(images), NVIDIA)
        assert_failed(finding, found="gets no card", remedy="install nvidia-container-toolkit")
        assert containers_of(docker_host_without_nvidia) == set()

    @pytest.mark.usefixtures("image")
    def test_nobody_asks_where_no_job_needs_one(self, images: Path):
        on_cpu = OPENPOSE | {"openpose": {"models": "models", "gpu": False}}
        assert NVIDIA not in look("estimate_pose", pose=on_cpu, containers={"images": str(images)})


class TestRights:
    def test_a_user_outside_of_the_group_is_told_how_to_join_it(
        self, image: str, images: Path, public_folder: Path
    ):
        pin(images, image)
        images = Path(shutil.copy(images, public_folder))
        assert_ok(only(look_at(images), "Docker"))
        with as_nobody():
            findings = look_at(images)
        finding = only(findings, "Docker")
        assert_failed(finding, found="usermod -aG", remedy="docs/reference-route.md")
        assert_unknown(only(findings, "image openpose"), "not looked for")


@contextmanager
def as_nobody() -> Iterator[None]:
    """This process as another user, who is in no group."""
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@pytest.mark.usefixtures("image")
def test_what_killed_jobs_left_behind_is_removed_before_a_run(docker_host: str, images: Path):
    """And nothing else: neither containers of jobs that live, nor those of others."""
    with subprocess.Popen([sys.executable, "-c", ""]) as job:
        job.wait()
    dead = {f"{LABEL_PREFIX}pid": str(job.pid), f"{LABEL_PREFIX}pid_started": "1"}
    containers = docker.DockerClient(docker_host).containers
    command = {"image": TAG, "command": ["nothing"]}
    left = containers.create(**command, labels=make_labels({}) | dead)
    alive = containers.create(**command, labels=make_labels({}))
    others = containers.create(**command)
    try:
        config = configure(pose=OPENPOSE, containers={"images": str(images)})
        find_obstacles(Situation(config, ROOT, rules=frozenset({"draw_video"})))
        assert left.id in containers_of(docker_host)
        find_obstacles(Situation(config, ROOT, rules=frozenset({"estimate_pose"})))
        assert containers_of(docker_host) >= {alive.id, others.id}
        assert left.id not in containers_of(docker_host)
    finally:
        for container in (alive, others):
            container.remove(force=True)
