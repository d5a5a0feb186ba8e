"""What of the images is built where no registry is reached: the gate of licences, and ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
import yaml
from docker.errors import BuildError

from container_jobs import IMAGES, SETTINGS
from tapeless.video import Sampling, Tools, sample_frames

RECIPES = Path(__file__).parents[2] / "containers"
Build = Callable[..., str]


@pytest.fixture(scope="module")
def build(docker_host: str, base_image: str) -> Build:
    """Builds a recipe on the tests' own base image, in the place of those that it names; the id."""
    client = docker.DockerClient(docker_host, timeout=600)

    def build(program: str, *bases: str, **arguments: str) -> str:
        image, _ = client.images.build(
            path=str(RECIPES / program),
            tag=f"tapeless-test/built-{program}:1",
            buildargs=dict.fromkeys(bases, base_image) | arguments,
            network_mode="host",
            rm=True,
            forcerm=True,  # also where the gate of licences ends a build
        )
        return str(image.id)

    return build


@pytest.fixture(scope="module")
def image(build: Build) -> str:
    """The id of the image of ffmpeg."""
    return build("ffmpeg", "BASE")


class TestLicences:
    @pytest.mark.parametrize("answer", [{}, {"I_ACCEPT_THE_LICENCE": "no"}], ids=["none", "no"])
    @pytest.mark.parametrize("program", ["openpose", "shapy"])
    def test_nothing_is_built_before_they_are_accepted(
        self, build: Build, program: str, answer: dict[str, str]
    ):
        with pytest.raises(BuildError) as stopped:
            build(program, "DEVEL", "RUNTIME", **answer)
        said = "".join(str(line.get("stream", "")) for line in stopped.value.build_log)
        assert "may not be handed on" in said
        assert "docker build --build-arg I_ACCEPT_THE_LICENCE=yes" in said
        assert "apt-get" not in said.split("I_ACCEPT_THE_LICENCE=yes")[-1]


class TestFfmpeg:
    def test_it_can_decode_on_a_card(self, docker_host: str, image: str):
        client = docker.DockerClient(docker_host)

        def say(*words: str) -> str:
            options = {"network_mode": "none", "read_only": True, "remove": True, "user": "12345"}
            return client.containers.run(
                image, ["ffmpeg", "-v", "error", *words], **options
            ).decode()

        assert "cuda" in say("-hwaccels").split()
        assert {"h264_cuvid", "hevc_cuvid"} <= set(say("-decoders").split())

    def test_frames_are_taken_with_it(
        self, docker_host: str, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("DOCKER_HOST", docker_host)
        images = yaml.safe_load(IMAGES.read_text(encoding="utf-8"))
        images["ffmpeg"]["docker"]["digest"] = image
        (tmp_path / "images.yaml").write_text(yaml.safe_dump(images), encoding="utf-8")
        settings = {**SETTINGS, "runtime": "docker", "images": str(tmp_path / "images.yaml")}
        clip = tmp_path / "clip.mp4"
        source = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=2"]
        subprocess.run(["ffmpeg", "-v", "error", *source, str(clip)], check=True)

        (tmp_path / "frames").mkdir()
        tools = Tools(settings, {"rule": "sample_frames", "video": "clip"})
        frames = sample_frames(clip, tmp_path / "frames", Sampling(frames=4), tools=tools)

        assert len(frames) == len(list((tmp_path / "frames").glob("*.png"))) == 4
