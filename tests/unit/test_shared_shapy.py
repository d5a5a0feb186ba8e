"""Videos that wait for SHAPY share one start of it, and each gets what it would get alone.

How they do that is the same as of OpenPose (test_shared_containers.py); SHAPY is stood in for by a
program on this machine (tests/containers/standins/shapy).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from puppets import standing

from shapy_videos import Video
from tapeless.containers.sharing import Sharing
from tapeless.keypoints import write_people
from tapeless.outcomes import Outcome
from tapeless.people import person_folder
from tapeless.seals import seal

NAMES = ("a", "b", "c")
EXTRAS = {"meshes": True, "pictures": True}


@pytest.fixture
def videos(tmp_path: Path, regressor: Path, one_card: None) -> dict[str, Video]:
    """Three videos of as many people, of whom SHAPY has seen none."""
    return film(tmp_path / "videos", regressor)


def film(folder: Path, regressor: Path) -> dict[str, Video]:
    videos = {}
    for number, name in enumerate(NAMES):
        people = [standing(x=140 + 9 * number + 5 * frame) for frame in range(2)]
        videos[name] = Video.on_host(folder / name, regressor, people=people)
        seal_stages(videos[name])
    return videos


def seal_stages(video: Video) -> None:
    seal(video.frames)
    seal(video.keypoints)


def do(videos: dict[str, Video], name: str, most: int = 7, mode: str = "") -> None:
    """The job of a video, as a run of Snakemake starts it."""
    others = tuple(video.bodies for video in videos.values())
    sharing = Sharing(videos[name].bodies, EXTRAS, others, most, "now")
    videos[name].estimate(mode, min_frames=2, sharing=sharing, **EXTRAS)


def starts(videos: dict[str, Video]) -> dict[str, int]:
    """How often each job has started SHAPY."""
    files = {name: video.folder / "usage.json" for name, video in videos.items()}
    return {n: json.loads(f.read_text())["runs"] for n, f in files.items() if f.exists()}


def results(videos: dict[str, Video]) -> dict[str, bytes]:
    """All below the folders of the bodies, and what is hidden beside them."""
    return {
        f"{name}/{path.relative_to(video.folder)}": path.read_bytes()
        for name, video in videos.items()
        for path in sorted(video.folder.rglob("*"))
        if path.is_file() and "bod" in path.relative_to(video.folder).parts[0]
    }


def test_one_start_serves_all_who_wait_and_each_gets_what_it_would_alone(
    videos, regressor, tmp_path
):
    for name in NAMES:
        do(videos, name)
    assert starts(videos) == {"a": 1}
    apart = film(tmp_path / "apart", regressor)
    for name in NAMES:
        do(apart, name, most=0)
    assert starts(apart) == dict.fromkeys(NAMES, 1)
    assert results(videos) == results(apart)


def test_several_people_of_a_video_are_taken_along_with_it(videos):
    several = videos["b"]
    for person in (1, 2):
        folder = person_folder(several.keypoints, person)
        folder.mkdir()
        Outcome(counts={"frames_used": 2}).write(folder)
        for number, name in enumerate(several.names):
            write_people(folder / f"{name}.json", [standing(x=100 * person + 5 * number)])
    for path in several.keypoints.glob("*.json"):
        if path.name != "outcome.json":
            path.unlink()
    seal_stages(several)
    do(videos, "a")
    do(videos, "b")
    assert starts(videos) == {"a": 1}
    assert Outcome.read(person_folder(several.bodies, 2)).counts["estimates"] == 2


def test_a_video_whose_points_were_changed_is_not_given_what_was_found_before(videos):
    do(videos, "a")
    write_people(videos["b"].keypoints / "frame_000001.json", [standing(x=99)])
    seal_stages(videos["b"])
    do(videos, "b")
    assert starts(videos) == {"a": 1, "b": 1}
    assert not (videos["b"].folder / ".bodies_aside").exists()


def test_a_shared_start_that_leaves_frames_out_is_a_result_of_none(videos):
    with pytest.raises(Exception, match="1 of 2 frames have no result"):
        do(videos, "a", mode="half")
    assert list(results(videos)) == ["a/.bodies_aside/alone"]
    do(videos, "b")
    assert starts(videos) == {"a": 2, "b": 1}


def test_nobody_is_taken_along_of_whom_shapy_could_see_too_little(videos):
    folder = videos["b"].keypoints
    (folder / "frame_000002.json").unlink()
    seal(folder)
    do(videos, "a")
    assert not (videos["b"].folder / ".bodies_aside").exists()
    assert (videos["c"].folder / ".bodies_aside").exists()
