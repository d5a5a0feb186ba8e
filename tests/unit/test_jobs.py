"""Several stages as one job: each finds its files by the names of its own rule."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tapeless.jobs import Job, run_stages


@pytest.fixture
def job(tmp_path: Path) -> SimpleNamespace:
    """A job that has a video, and makes frames and joints."""
    (tmp_path / "video").write_text("film", encoding="utf-8")
    return SimpleNamespace(
        input={"video": tmp_path / "video"},
        output={name: tmp_path / name for name in ("frames", "pose")},
        params=SimpleNamespace(fps=4),
        log=SimpleNamespace(job="job.log"),
        resources=SimpleNamespace(gpu=0),
        config={},
        wildcards=SimpleNamespace(video="walk"),
        rule="view_video",
        threads=1,
    )


def sample(job: Job) -> None:
    text = job.input.video.read_text(encoding="utf-8")
    job.output.frames.write_text(f"{text} at {job.params.fps}", encoding="utf-8")


def find_joints(job: Job) -> None:
    frames = job.input.frames.read_text(encoding="utf-8")
    job.output.pose.write_text(f"joints of {frames} in {job.wildcards.video}", encoding="utf-8")


def test_a_stage_reads_what_one_before_it_wrote(job: SimpleNamespace) -> None:
    run_stages(job, [sample, find_joints])
    assert job.output["pose"].read_text(encoding="utf-8") == "joints of film at 4 in walk"


def test_after_a_stage_that_fails_no_other_runs(job: SimpleNamespace) -> None:
    def fail(job: Job) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run_stages(job, [fail, find_joints])
    assert not job.output["pose"].exists()
