"""Videos on S3, on a server of the tests' own: fetched once, and looked at like any other."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from projects import ROOT, PluggedProject
from s3_server import SECRET, run_s3

KEY = "our videos/walk one.mp4"
ROW = {"video": "walk", "path": f"s3://lab/{KEY}", "height_cm": 170}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The bucket `lab`, which Snakemake can find."""
    with run_s3("lab") as (bucket, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield bucket


def test_a_video_on_s3_is_fetched_once_and_gives_the_frames_of_the_same_one_here(
    plugged_project: PluggedProject, footage: Path, bucket: Any, caplog: pytest.LogCaptureFixture
):
    bucket.upload_file(str(footage), KEY)
    plugged_project.write_sheet(ROW, ROW | {"video": "here", "path": str(footage)})
    with caplog.at_level(logging.INFO, logger="werkzeug"):
        plugged_project.run("frames")
    fetched = [message for message in caplog.messages if "GET /lab/our%20videos/walk" in message]
    assert len(fetched) == 1
    walk, here = (frames_of(plugged_project, video) for video in ("walk", "here"))
    assert len(walk) == 8
    assert walk == here
    assert list(plugged_project.folder.rglob("*.mp4")) == []
    logs = b"".join(path.read_bytes() for path in plugged_project.folder.rglob("*.log"))
    assert SECRET.encode() not in logs

    bucket.put_object(Key=KEY, Body=b"another one")
    assert plugged_project.plan("frames")["sample_frames"] == {"walk"}


def frames_of(project: PluggedProject, video: str) -> dict[str, bytes]:
    folder = project.results / "videos" / video / "frames"
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_a_video_that_is_not_there_is_named_before_anything_runs(
    plugged_project: PluggedProject, bucket: Any
):
    plugged_project.write_sheet(ROW | {"path": "s3://lab/none.mp4"})
    run = plugged_project.snakemake("frames")
    assert run.returncode != 0
    assert "s3://lab/none.mp4" in run.stdout
    assert not (plugged_project.results / "videos").exists()


def test_a_name_on_s3_reaches_no_file_outside_of_snakemakes_own_folder(
    plugged_project: PluggedProject, bucket: Any
):
    own = plugged_project.folder / "scripts/own.py"
    own.write_text("# the user's\n", encoding="utf-8")
    bucket.put_object(Key="../../../../scripts/own.py", Body=b"# of somebody else")
    plugged_project.write_sheet(ROW | {"path": "s3://lab/../../../../scripts/own.py"})
    run = plugged_project.snakemake("frames")
    assert run.returncode != 0
    assert "between the slashes of a path on S3 must be names" in run.stdout
    assert own.read_text(encoding="utf-8") == "# the user's\n"


def test_the_command_of_the_page_writes_a_sheet_of_a_bucket(tmp_path: Path):
    """Not of its folders, which are files without content if they were made in a browser."""
    listed = tmp_path / "aws"
    files = ("       0 videos/", "   12345 videos/walk.mp4", "     678 videos/b/turn.mp4")
    lines = "".join(f"2026-01-31 10:00:00 {file}\n" for file in files)
    listed.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}END\n", encoding="utf-8")
    listed.chmod(0o755)
    (tmp_path / "config").mkdir()
    page = (ROOT / "docs/storage.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"```console\n( +aws s3 ls(?:.*\n)+?) +```", page)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, check=True)

    assert (tmp_path / "config/videos.tsv").read_text(encoding="utf-8").splitlines() == [
        "video\tpath",
        "videos_walk.mp4\ts3://lab/videos/walk.mp4",
        "videos_b_turn.mp4\ts3://lab/videos/b/turn.mp4",
    ]
