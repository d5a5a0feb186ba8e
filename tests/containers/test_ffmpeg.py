"""The ffmpeg of a container: the same pictures, by a program that sees one file and leaves nothing.

The daemon is real, and so is the ffmpeg: that of this machine, in an image. Cards are made up.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from container_jobs import IMAGES, SETTINGS
from projects import Project, make_project
from tapeless.containers import ContainerError
from tapeless.outcomes import Rejected
from tapeless.video import MediaToolError, Sampling, Tools, sample_frames, write_table
from tapeless.video.recall import recall_frames, write_recipe
from tapeless.video.tools import run_tool

STANDIN = Path(__file__).parent / "standins/ffmpeg"
SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="session")
def ffmpeg_image(make_image, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of an image with this machine's ffmpeg."""
    folder = tmp_path_factory.mktemp("ffmpeg") / "image"
    shutil.copytree(STANDIN, folder)
    (folder / "machine/lib").mkdir(parents=True)
    for name in ("ffmpeg", "ffprobe"):
        program = shutil.which(name)
        assert program is not None
        shutil.copy(program, folder / "machine")
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            words = line.split()
            if "=>" in words:
                shutil.copy(words[2], folder / "machine/lib" / words[0])
            elif words[0].startswith("/"):
                shutil.copy(words[0], folder / "machine/lib/loader")
    return make_image(folder, "tapeless-test/ffmpeg:1")


@pytest.fixture
def settings(
    docker_host: str, ffmpeg_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The section `containers` of the configuration."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    docker_image = {"image": "tapeless-test/ffmpeg:1", "digest": ffmpeg_image}
    images = write_images(tmp_path, docker=docker_image)
    return {**SETTINGS, "runtime": "docker", "images": images}


@pytest.fixture
def tools(settings: Mapping[str, Any]) -> Tools:
    return Tools(settings, {"rule": "sample_frames", "video": "clip"})


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a test picture, turned by its own account, below a folder with a bad name."""
    folder = tmp_path_factory.mktemp("clip") / "a, b=c: 'd' \"é\""
    folder.mkdir()
    path = folder / "{my} 100% clip.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=4"]
    coding = ["-c:v", "libx264", "-g", "25", "-metadata:s:v", "rotate=90"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *coding, f"file:{path}"], check=True)
    return path


def write_images(folder: Path, **entry: Any) -> str:
    """Writes a file of images whose `ffmpeg` has these keys; its path."""
    images = yaml.safe_load(IMAGES.read_text(encoding="utf-8"))
    images["ffmpeg"] |= entry
    path = folder / "images.yaml"
    path.write_text(yaml.safe_dump(images), encoding="utf-8")
    return str(path)


def sampled(clip: Path, folder: Path, sampling: Sampling, tools: Tools) -> dict[str, bytes]:
    """All that sampling writes."""
    folder.mkdir()
    write_table(folder / "frames.csv", sample_frames(clip, folder, sampling, tools=tools))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def containers() -> list[Any]:
    return docker.from_env().containers.list(all=True)


class TestPictures:
    @pytest.mark.parametrize(
        "sampling",
        [
            Sampling(frames=8),
            Sampling(fps=20, longest_side_px=2000),
            Sampling(frames=1, start_s=3.0, rotate=180),
        ],
        ids=["few", "many and large", "one"],
    )
    def test_they_are_those_of_the_same_ffmpeg_outside(
        self, clip: Path, tmp_path: Path, tools: Tools, sampling: Sampling
    ):
        inside = sampled(clip, tmp_path / "inside", sampling, tools)
        assert inside == sampled(clip, tmp_path / "outside", sampling, Tools())
        assert len(inside) > 1
        assert containers() == []

    def test_those_of_a_long_video_are_sought(
        self, clip: Path, tmp_path: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("tapeless.video.sample.FRAMES_PER_SEEK", 10)
        inside = sampled(clip, tmp_path / "inside", Sampling(frames=3), tools)
        assert inside == sampled(clip, tmp_path / "outside", Sampling(frames=3), Tools())

    def test_a_path_may_lead_through_links_and_upwards(
        self, clip: Path, tmp_path: Path, tools: Tools
    ):
        (tmp_path / "folder").symlink_to(clip.parent)
        (tmp_path / "link.mp4").symlink_to(clip)
        assert len(sampled(tmp_path / "link.mp4", tmp_path / "a", Sampling(frames=2), tools)) == 3
        through = tmp_path / "folder" / clip.name
        assert len(sampled(through, tmp_path / "b", Sampling(frames=2), tools)) == 3
        (tmp_path / "c").mkdir()
        upwards = tmp_path / "c/../link.mp4"
        assert len(sampled(upwards, tmp_path / "d", Sampling(frames=2), tools)) == 3

    def test_what_is_no_video_is_rejected_in_the_same_words(self, tmp_path: Path, tools: Tools):
        text = tmp_path / "text.mp4"
        text.write_text("no video", encoding="utf-8")
        with pytest.raises(Rejected) as inside:
            sample_frames(text, tmp_path, tools=tools)
        with pytest.raises(Rejected) as outside:
            sample_frames(text, tmp_path)
        assert str(inside.value) == str(outside.value)

    def test_forgotten_frames_come_back_by_the_same_container(
        self, clip: Path, tmp_path: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
    ):
        before = sampled(clip, tmp_path / "frames", Sampling(frames=3), tools)
        write_recipe(tmp_path / "frames", clip, Sampling(frames=3), tools)
        (tmp_path / "frames/outcome.json").write_text(
            json.dumps({"outcome": "ok", "code": None, "reason": None, "frames_sampled": 3}),
            encoding="utf-8",
        )
        (tmp_path / "frames/frame_000002.png").unlink()
        monkeypatch.setenv("PATH", str(tmp_path))  # where there is no ffmpeg
        assert tools.containers is not None
        recall_frames(tmp_path / "frames", tools.containers, tools.labels)
        picture = (tmp_path / "frames/frame_000002.png").read_bytes()
        assert picture == before["frame_000002.png"]


class TestCards:
    @pytest.fixture(autouse=True)
    def card(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-of-the-job")
        monkeypatch.setenv("TAPELESS_GPU_SLOTS", str(tmp_path / "slots"))

    def test_the_card_of_the_job_is_handed_over(self, clip: Path, tmp_path: Path, tools: Tools):
        inside = sampled(clip, tmp_path / "a", Sampling(frames=3, hwaccel="cuda"), tools)
        assert inside == sampled(clip, tmp_path / "b", Sampling(frames=3), Tools())
        assert [slot.name for slot in (tmp_path / "slots").iterdir()] == ["GPU-of-the-job.lock"]

    def test_without_being_asked_for_there_is_none(self, clip: Path, tmp_path: Path, tools: Tools):
        command = ["ffmpeg", "-hwaccel", "cuda", "-i", "nothing"]
        with run_tool(command, 20, tools=tools) as run:
            assert run.finish() == 1
        assert list(run.messages) == ["Device creation failed: -1."]


class TestWalls:
    def test_it_sees_the_video_and_nothing_else_of_this_machine(
        self, clip: Path, tmp_path: Path, tools: Tools
    ):
        (clip.parent / "diary.txt").write_text("secret", encoding="utf-8")
        with run_tool(["ls", str(clip.parent)], 20, tools=tools, video=clip) as run:
            assert run.stdout.read().decode().splitlines() == [clip.name]

    def test_it_cannot_write_to_it(self, clip: Path, tools: Tools):
        with run_tool(["touch", str(clip)], 20, tools=tools, video=clip) as run:
            assert run.finish() == 1
        assert "Read-only file system" in run.messages[0]

    def test_it_has_no_network(self, tools: Tools):
        with run_tool(["ls", "/sys/class/net"], 20, tools=tools) as run:
            assert run.stdout.read() == b"lo\n"

    def test_the_volumes_and_variables_of_other_containers_are_not_for_it(
        self, tmp_path: Path, settings: dict[str, Any]
    ):
        settings |= {"volumes": [{"source": str(tmp_path), "target": "/seen"}]}
        settings |= {"environment": {"SECRET": "1"}}
        with run_tool(["sh", "-c", "ls /; env"], 20, tools=Tools(settings)) as run:
            said = run.stdout.read().decode()
        assert "seen" not in said
        assert "SECRET" not in said

    def test_it_is_this_user(self, tools: Tools):
        with run_tool(["id", "-u"], 20, tools=tools) as run:
            assert int(run.stdout.read()) == os.getuid()


class TestEnds:
    def test_one_that_hangs_is_stopped_in_time(self, tools: Tools):
        started_s = time.monotonic()
        with (
            run_tool(["ffmpeg", "hang"], 1.5, tools=tools) as run,
            pytest.raises(MediaToolError, match="ffmpeg was stopped after 2 s"),
        ):
            run.finish()
        assert time.monotonic() - started_s < 15
        assert containers() == []

    def test_one_that_never_stops_talking_is_stopped_in_time(self, tools: Tools):
        with (
            run_tool(["cat", "/dev/zero"], 2, tools=tools) as run,
            pytest.raises(MediaToolError, match="cat was stopped"),
        ):
            run.finish()

    def test_nothing_is_left_of_one_that_is_not_read_to_its_end(self, tools: Tools):
        with run_tool(["cat", "/dev/zero"], 60, tools=tools) as run:
            assert run.stdout.read(3) == bytes(3)
        assert containers() == []

    def test_its_exit_status_is_handed_on(self, tools: Tools):
        with run_tool(["sh", "-c", "echo no >&2; exit 7"], 20, tools=tools) as run:
            assert run.finish() == 7
        assert list(run.messages) == ["no"]

    def test_one_that_is_killed_is_no_fault_of_the_video(self, tools: Tools):
        with (
            run_tool(["sh", "-c", "kill -9 $$"], 20, tools=tools) as run,
            pytest.raises(MediaToolError, match="killed by signal SIGKILL"),
        ):
            run.finish()

    def test_one_that_takes_too_much_memory_says_which_limit(self, settings: dict[str, Any]):
        hungry = ["python3", "-c", "b = bytearray(200 << 20)"]
        with (
            run_tool(hungry, 20, tools=Tools(settings | {"memory_mb": 50})) as run,
            pytest.raises(MediaToolError, match=r"raise containers\.memory_mb"),
        ):
            run.finish()

    def test_an_image_without_ffmpeg_is_a_fault_of_the_machine(
        self, clip: Path, tmp_path: Path, settings: dict[str, Any], base_image: str
    ):
        image = {"image": base_image, "digest": docker.from_env().images.get(base_image).id}
        settings["images"] = write_images(tmp_path, docker=image)
        with pytest.raises(MediaToolError, match="lacks ffprobe: build it again"):
            sample_frames(clip, tmp_path, tools=Tools(settings))

    def test_the_host_is_no_container(self, clip: Path, tmp_path: Path, settings: dict[str, Any]):
        with pytest.raises(ContainerError, match=r"sampling\.ffmpeg: host"):
            sample_frames(clip, tmp_path, tools=Tools(settings | {"runtime": "host"}))


SAMPLE = """
import json, sys
from pathlib import Path
from tapeless.video.programs import Tools
from tapeless.video.tools import run_tool
with run_tool(["ffmpeg", "hang"], 60, tools=Tools(json.loads(sys.argv[1]))) as run:
    print("started", flush=True)
    run.finish()
"""


class TestInterruption:
    @pytest.fixture
    def job(self, settings: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
        """A process with a container that hangs."""
        with subprocess.Popen(
            [sys.executable, "-c", SAMPLE, json.dumps(settings)],
            env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            yield process
            process.kill()

    @pytest.mark.parametrize(
        ("number", "status"),
        [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)],
    )
    def test_a_signal_ends_the_container_too(
        self, job: subprocess.Popen[str], number: signal.Signals, status: int
    ):
        assert len(containers()) == 1
        job.send_signal(number)
        assert job.wait(20) == status
        assert containers() == []

    def test_what_a_killed_job_leaves_is_removed_by_the_next(
        self, job: subprocess.Popen[str], tools: Tools
    ):
        job.kill()
        job.wait()
        (left,) = containers()
        with run_tool(["true"], 20, tools=tools) as run:
            run.finish()
        assert containers() == []
        with pytest.raises(docker.errors.NotFound):
            left.reload()


class TestUsage:
    """What its containers used, which Snakemake's benchmark cannot see."""

    @pytest.fixture
    def usage_file(self, tmp_path: Path) -> Path:
        return tmp_path / "usage.json"

    @pytest.fixture
    def tools(self, tools: Tools, usage_file: Path) -> Tools:
        return replace(tools, usage_file=usage_file)

    def test_that_of_all_containers_of_a_video_is_added_up(
        self, clip: Path, tmp_path: Path, tools: Tools, usage_file: Path, ffmpeg_image: str
    ):
        sampled(clip, tmp_path / "frames", Sampling(frames=3), tools)
        usage = json.loads(usage_file.read_text())
        assert (usage["program"], usage["digest"]) == ("ffmpeg", ffmpeg_image)
        assert usage["runs"] >= 2, "ffprobe, and then ffmpeg"
        assert usage["wall_time_s"] > 0.1
        assert usage["memory_is"].endswith("by docker stats")
        assert (usage["status"], usage["exit_status"], usage["message"]) == ("ok", 0, None)

    @pytest.mark.parametrize(
        ("code", "status", "exit_status"),
        [("exit 7", "failed", 7), ("kill -9 $$", "failed", 128 + 9), ("sleep 60", "stopped", None)],
    )
    def test_it_says_how_the_last_one_ended(
        self, code: str, status: str, exit_status: int | None, tools: Tools, usage_file: Path
    ):
        with suppress(MediaToolError), run_tool(["sh", "-c", code], 3, tools=tools) as run:
            run.finish()
        usage = json.loads(usage_file.read_text())
        assert (usage["status"], usage["exit_status"]) == (status, exit_status)

    def test_one_that_takes_too_much_memory_is_told_from_one_that_crashes(
        self, tools: Tools, usage_file: Path
    ):
        assert tools.containers is not None
        small = replace(tools, containers={**tools.containers, "memory_mb": 50})
        hungry = ["python3", "-c", "b = bytearray(200 << 20)"]
        with pytest.raises(MediaToolError), run_tool(hungry, 20, tools=small) as run:
            run.finish()
        usage = json.loads(usage_file.read_text())
        assert (usage["status"], usage["exit_status"]) == ("out_of_memory", 128 + 9)
        assert "raise containers.memory_mb" in usage["message"]


class TestApptainer:
    """Apptainer cannot be had here; in its place stands a script that runs the command."""

    def test_pictures_come_through_it_too(
        self, clip: Path, tmp_path: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ):
        image = tmp_path / "ffmpeg.sif"
        image.write_bytes(b"an image")
        digest = "sha256:" + hashlib.sha256(b"an image").hexdigest()
        apptainer = {"image": str(image), "digest": digest}
        images = write_images(tmp_path, apptainer=apptainer)
        program = tmp_path / "bin/apptainer"
        program.parent.mkdir()
        program.write_text(
            f'#!/bin/sh\nuntil [ "$1" = {image} ]; do shift; done\nshift\nexec "$@"\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        tools = Tools(settings | {"runtime": "apptainer", "images": images})
        inside = sampled(clip, tmp_path / "a", Sampling(fps=20), tools)
        assert inside == sampled(clip, tmp_path / "b", Sampling(fps=20), Tools())


class TestWorkflow:
    @pytest.fixture
    def project(self, tmp_path: Path, clip: Path, settings: dict[str, Any]) -> Project:
        project = make_project(tmp_path / "project")
        shutil.copy(clip, project.folder / "videos/clip.mp4")
        shutil.copy(settings["images"], project.folder / "containers/images.yaml")
        project.configure(sampling={"ffmpeg": "container"}, keep_frames=True)
        return project

    def test_another_image_samples_again_and_no_image_is_no_parameter(self, project: Project):
        run = ("--until", "sample_frames")
        project.run(*run)
        assert project.read_outcome("clip.mp4", "frames")["frames_sampled"] == 8
        usage = project.folder / "results/benchmarks/sample_frames/clip.mp4.container.json"
        assert json.loads(usage.read_text())["status"] == "ok"
        usage.unlink()
        assert "sample_frames" not in project.plan(*run)
        path = project.folder / "containers/images.yaml"
        images = yaml.safe_load(path.read_text(encoding="utf-8"))
        images["ffmpeg"]["docker"]["digest"] = "sha256:" + "0" * 64
        path.write_text(yaml.safe_dump(images), encoding="utf-8")
        assert project.plan(*run)["sample_frames"] == {"clip.mp4"}
        project.configure(sampling={"ffmpeg": "host"})
        project.run(*run)
        assert not usage.exists()
        images["ffmpeg"]["docker"]["digest"] = "sha256:" + "1" * 64
        path.write_text(yaml.safe_dump(images), encoding="utf-8")
        assert "sample_frames" not in project.plan(*run)
