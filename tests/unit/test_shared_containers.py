"""Videos that wait for OpenPose share one start of it, and each gets what it would get alone.

OpenPose is stood in for by a program on this machine (tests/containers/standins/openpose).
"""

from __future__ import annotations

import fcntl
import hashlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import yaml
from puppets import GREEN, RED, picture_of, standing

from containers.standins.openpose.download import make_models, recognise
from estimate_pose_openpose import main
from tapeless import containers, keypoints
from tapeless.configuration import with_defaults
from tapeless.containers import Allowance, ContainerFailedError, allowances
from tapeless.containers.sharing import Sharing
from tapeless.images import write_image
from tapeless.outcomes import Outcome, run_stage
from tapeless.pose import openpose_models, openpose_pictures
from tapeless.pose.openpose import OpenPoseError, Options
from tapeless.pose.openpose_models import NETWORKS_FILE

ROOT = Path(__file__).parents[2]
STANDIN = ROOT / "tests/containers/standins/openpose/openpose.py"
DEFAULTS = with_defaults({}, yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text()))
SETTINGS: dict[str, Any] = DEFAULTS["pose"]["openpose"]
OPTIONS = Options(**{key: SETTINGS[key] for key in SETTINGS.keys() - {"models", "gpu"}})
FRAMES = 2
SIZE = (118, 210)
POISON = (255, 0, 255)


@dataclass(frozen=True)
class Run:
    """Some videos whose frames have been sampled, and their jobs of OpenPose."""

    folder: Path
    videos: tuple[str, ...]

    def stage(self, video: str, name: str = "pose") -> Path:
        return self.folder / "videos" / video / name

    def film(self, video: str, shift: int = 0, size: tuple[int, int] = SIZE) -> None:
        """Samples the frames of a video, in place of others if there are any."""

        def work() -> dict[str, int]:
            for number in range(1, FRAMES + 1):
                who = standing(x=50 + 3 * number + shift, soles=200, stature=180)
                picture = picture_of((who, RED if shift % 2 else GREEN), size=size, seed=number)
                write_image(self.stage(video, "frames") / f"frame_{number:06d}.png", picture)
            return {"frames_sampled": FRAMES}

        run_stage(self.stage(video, "frames"), [], work)

    def poison(self, video: str) -> None:
        """Makes a frame of a video such that OpenPose crashes at it."""

        def work() -> dict[str, int]:
            picture = picture_of((standing(59, 200, 180), RED), size=SIZE)
            picture[:3, :3] = POISON
            write_image(self.stage(video, "frames") / "frame_000002.png", picture)
            return {"frames_sampled": FRAMES}

        run_stage(self.stage(video, "frames"), [], work)

    def do(
        self,
        video: str,
        most: int = 7,
        mode: str = "poison",
        run: str = "now",
        load_s: float = 0,
        **options: Any,
    ) -> None:
        """The job of a video, as a run of Snakemake starts it."""
        settings = DEFAULTS["containers"] | {
            "runtime": "host",
            "images": str(self.folder / "images.yaml"),
            "mounts_file": None,
            "environment": {
                "STANDIN_OPENPOSE": mode,
                "STANDIN_OPENPOSE_BUILD": "cpu",
                "STANDIN_OPENPOSE_LOAD_S": str(load_s),
            },
        }
        asked = replace(OPTIONS, **options)
        main(
            self.stage(video, "frames"),
            self.stage(video),
            self.folder / "models",
            asked,
            Allowance(
                settings,
                {"rule": "estimate_pose", "video": video},
                usage_file=self.folder / f"usage/{video}.json",
            ),
            Sharing(
                self.stage(video), asdict(asked), tuple(map(self.stage, self.videos)), most, run
            ),
        )

    def starts(self) -> dict[str, int]:
        """How often each job has started OpenPose."""
        usage = {path.stem: yaml.safe_load(path.read_text()) for path in self.usage_files()}
        return {video: facts["runs"] for video, facts in usage.items()}

    def usage_files(self) -> list[Path]:
        return sorted((self.folder / "usage").glob("*.json"))

    def results(self) -> dict[str, bytes]:
        """All files below the folders of the videos but the frames, hidden ones, too."""
        folder = self.folder / "videos"
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.parent.name != "frames"
        }


@pytest.fixture(scope="module", autouse=True)
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The made-up models are the right ones."""
    folder = tmp_path_factory.mktemp("networks")
    known = recognise(make_models(folder / "models"), NETWORKS_FILE, folder / "networks.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openpose_models, "NETWORKS_FILE", known)
        yield


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Four videos of as many people, none looked at yet."""
    return make_run(tmp_path / "run")


@pytest.fixture(scope="module")
def apart(networks: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What comes of the same videos with a container for each."""
    run = make_run(tmp_path_factory.mktemp("apart"))
    for video in run.videos:
        run.do(video, most=0, pictures=True)
    assert run.starts() == dict.fromkeys(run.videos, 1)
    return run.results()


def make_run(folder: Path) -> Run:
    make_models(folder / "models")
    images = yaml.safe_load((ROOT / "containers/images.yaml").read_text())
    images["openpose"]["host"]["program"] = [sys.executable, str(STANDIN)]
    (folder / "images.yaml").write_text(yaml.safe_dump(images))
    run = Run(folder, ("a", "b", "c", "d"))
    for number, video in enumerate(run.videos):
        run.film(video, 3 * number)
    return run


def test_one_start_serves_all_who_wait_and_each_gets_what_it_would_alone(run, apart):
    for video in run.videos:
        run.do(video, pictures=True)
    assert run.starts() == {"a": 1}
    assert run.results() == apart


def test_no_more_are_taken_along_than_allowed(run):
    for video in run.videos:
        run.do(video, most=1)
    assert run.starts() == {"a": 1, "c": 1}


def test_nobody_is_taken_along_unless_it_waits(run):
    """Its frames are whole and of the same size, and it is not done, nor at work."""
    run.film("b", size=(112, 210))
    (run.stage("c", "frames") / "frame_000001.png").unlink()
    run.do("d", most=0)
    run.do("a")
    assert run.starts() == {"a": 1, "d": 1}
    assert [path for path in run.results() if "aside" in path] == []


def test_frames_that_were_changed_after_they_were_sampled_are_left_to_their_own_job(run):
    write_image(run.stage("b", "frames") / "frame_000001.png", picture_of(size=SIZE))
    run.do("a")
    run.do("c")
    assert run.starts() == {"a": 1}
    assert not run.stage("b", ".pose_aside").exists()
    assert run.stage("b", "frames").exists(), "what is damaged is for its own job to say"


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"cpde": null}'])
def test_so_are_those_whose_verdict_is_damaged(run, damage):
    (run.stage("b", "frames") / "outcome.json").write_bytes(damage)
    run.do("a")
    run.do("c")
    assert run.starts() == {"a": 1}
    assert run.stage("b", "frames").exists()


def test_so_are_those_that_are_removed_just_when_they_are_looked_at(run, monkeypatch):
    """By Snakemake, before they are sampled anew."""

    def frame_names(folder: Path) -> list[str]:
        return [] if folder == run.stage("b", "frames") else keypoints.frame_names(folder)

    monkeypatch.setattr(openpose_pictures, "frame_names", frame_names)
    run.do("a")
    run.do("c")
    assert run.starts() == {"a": 1}


class TestFaults:
    def test_a_video_that_crashes_openpose_fails_alone(self, run, apart):
        run.poison("c")
        run.do("a", pictures=True)
        with pytest.raises(ContainerFailedError):
            run.do("c", pictures=True)
        for video in ("b", "d"):
            run.do(video, pictures=True)
        assert run.starts() == {"a": 2, "b": 1, "c": 1, "d": 1}
        told = {path: content for path, content in run.results().items() if path[0] != "c"}
        assert told == {path: content for path, content in apart.items() if path[0] != "c"}

    def test_it_is_not_taken_along_again_after_it_has_failed(self, run):
        run.poison("a")
        with pytest.raises(ContainerFailedError):
            run.do("a", most=1)
        clean_up_as_snakemake_does(run.stage("a"))
        run.do("c", most=1)
        assert run.starts() == {"a": 2, "c": 1}
        run.do("b")
        run.do("d")
        assert run.starts() == {"a": 2, "c": 1, "d": 1}

    def test_nor_does_it_take_others_along(self, run):
        run.poison("b")
        run.do("a", most=1)
        with pytest.raises(ContainerFailedError):
            run.do("b", most=1)
        assert run.starts() == {"a": 2, "b": 1}

    def test_the_next_run_tries_again_to_take_it_along(self, run):
        with pytest.raises(ContainerFailedError):
            run.do("a", mode="crash")
        clean_up_as_snakemake_does(run.stage("a"))
        for video in run.videos:
            run.do(video, run="later")
        assert run.starts() == {"a": 3}

    def test_a_note_of_that_which_a_disk_has_damaged_is_none(self, run):
        run.stage("a", ".pose_aside").mkdir()
        (run.stage("a", ".pose_aside") / "alone").write_bytes(b"\xff")
        for video in run.videos:
            run.do(video)
        assert run.starts() == {"a": 1}

    def test_several_videos_have_the_time_of_several(self, run, monkeypatch):
        videos: list[int] = []

        def run_container(*job: Any, **options: Any) -> None:
            videos.append(options["videos"])
            containers.run_container(*job, **options)

        monkeypatch.setattr(allowances, "run_container", run_container)
        run.do("a")
        assert videos == [4]

    def test_a_fault_is_told_also_where_nothing_can_be_noted_of_it(self, run, monkeypatch):
        def refuse(path: Path, *arguments: Any, **options: Any) -> None:
            raise OSError(28, "No space left on device", str(path))

        monkeypatch.setattr(Path, "write_text", refuse)
        with pytest.raises(ContainerFailedError):
            run.do("a", mode="crash")

    def test_what_a_container_leaves_out_of_one_video_is_a_result_of_none(self, run, apart):
        with pytest.raises(OpenPoseError, match="1 of 2 frames have no file"):
            run.do("a", mode="half")
        assert list(run.results()) == ["a/.pose_aside/alone"]
        clean_up_as_snakemake_does(run.stage("a"))
        for video in run.videos:
            run.do(video, pictures=True)
        assert run.results() == apart


class TestWhatIsPutAside:
    def test_it_is_not_taken_once_the_frames_are_others(self, run, tmp_path):
        run.do("a")
        run.film("b", 17)
        run.do("b")
        fresh = make_run(tmp_path / "fresh")
        fresh.film("b", 17)
        fresh.do("b", most=0)
        of_b = {path: content for path, content in run.results().items() if path[0] == "b"}
        assert of_b == fresh.results()
        assert run.starts() == {"a": 1, "b": 1}

    def test_it_is_not_taken_by_a_job_with_other_settings(self, run):
        run.do("a")
        run.do("b", net_resolution="-1x256", most=1)
        assert run.starts() == {"a": 1, "b": 1}

    def test_it_is_not_taken_once_it_is_damaged(self, run, apart):
        run.do("a", pictures=True)
        (file,) = run.stage("b", ".pose_aside").rglob("frame_000002_keypoints.json")
        file.write_bytes(file.read_bytes().replace(b"0", b"1", 1))
        for video in ("b", "c", "d"):
            run.do(video, pictures=True)
        assert run.starts() == {"a": 1, "b": 1}
        assert run.results() == apart

    def test_it_is_gone_when_its_video_is_done_in_another_way(self, run):
        run.do("a")
        assert run.stage("b", ".pose_aside").exists()
        run.do("b", most=0)
        assert not run.stage("b", ".pose_aside").exists()

    def test_frames_that_are_deleted_meanwhile_do_no_harm(self, run):
        for path in run.stage("b", "frames").iterdir():
            path.unlink()
        run.stage("b", "frames").rmdir()
        run.do("a")
        assert run.starts() == {"a": 1}
        assert not run.stage("b").exists()


class TestTwoJobsAtATime:
    def test_a_video_that_another_job_works_for_is_waited_for(self, run):
        others = [threading.Thread(target=run.do, args=(video,)) for video in run.videos]
        for job in others:
            job.start()
        for job in others:
            job.join()
        assert len({path.split("/")[0] for path in run.results()}) == len(run.videos)
        assert sum(run.starts().values()) <= len(run.videos)
        assert [path for path in run.results() if "aside" in path] == []

    def test_nothing_is_left_for_a_video_that_is_done_before_the_container_is(self, run):
        job = threading.Thread(target=run.do, args=("a",), kwargs={"load_s": 4})
        job.start()
        run.do("b", most=0)
        job.join()
        assert not run.stage("b", ".pose_aside").exists()
        assert run.stage("c", ".pose_aside").exists()

    def test_a_claim_ends_with_the_process_that_made_it(self, run):
        shelf = run.stage("b", ".pose_aside")
        shelf.mkdir()
        with (shelf / "lock").open("w"):  # of one that is no more: nobody holds a lock on it
            pass
        run.do("a")
        run.do("b")
        assert run.starts() == {"a": 1}

    def test_a_job_does_not_begin_what_another_one_is_doing(self, run):
        job = threading.Thread(target=run.do, args=("b",), daemon=True)
        with claimed(run, "b"):
            job.start()
            wait_for(lambda: "b" in run.starts())
            assert run.starts() == {"b": 1}, "meanwhile it works for the others"
            assert job.is_alive()
        job.join()
        assert Outcome.read(run.stage("b")).is_ok

    def test_while_it_waits_it_reads_the_frames_of_others_once(self, run, monkeypatch):
        for video in ("a", "c", "d"):
            run.film(video, size=(112, 210))  # so that nothing is begun for them
        read: Counter[str] = Counter()
        digest = hashlib.file_digest

        def count(stream: BinaryIO, name: str) -> Any:
            read[stream.name] += 1
            return digest(stream, name)

        monkeypatch.setattr(hashlib, "file_digest", count)
        job = threading.Thread(target=run.do, args=("b",), daemon=True)
        with claimed(run, "b"):
            job.start()
            wait_for(lambda: any("/d/frames/" in name for name in read))
            time.sleep(0.5)
            before = read.copy()
            time.sleep(1.5)
            assert read == before
        job.join()
        assert Outcome.read(run.stage("b")).is_ok


@contextmanager
def claimed(run: Run, video: str) -> Iterator[None]:
    """Another job works for a video while the block runs."""
    shelf = run.stage(video, ".pose_aside")
    shelf.mkdir()
    with (shelf / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wait_for(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not happened() and time.monotonic() < deadline_s:
        time.sleep(0.1)


def clean_up_as_snakemake_does(stage: Path) -> None:
    """What a job that failed has written is removed."""
    for path in sorted(stage.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    stage.rmdir()
