"""Forgetting a person when something is in the way: Ctrl-C, a link, somebody else's file."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from erasable import (
    SHEET,
    ZORA,
    add_video,
    all_files,
    forget,
    forget_without_rights,
    make_erasable,
    write,
)
from tapeless.containers.host import LABELS_VARIABLE
from tapeless.containers.jobs import make_labels
from tapeless.erasure.erasing import plan_erasure
from tapeless.erasure.places import Places
from tapeless.erasure.traces import RefusedError, find_traces, list_videos
from tapeless.videosheet import find_videos


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder as runs leave it."""
    make_erasable(tmp_path / "project")
    yield tmp_path / "project"
    os.chdir("/")


class TestWhatWasCutShort:
    def test_a_recording_that_cannot_be_deleted_leaves_all_as_it_was(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ):
        before, unlink = all_files(), Path.unlink

        def unlink_or_refuse(path: Path, missing_ok: bool = False) -> None:
            if path.name == "of zora.mp4":
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            unlink(path, missing_ok=missing_ok)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", unlink_or_refuse)
            run = forget(ZORA, "--yes")
        assert run.exit_code == 1
        assert "of zora.mp4" in run.output and "give the command again" in run.output
        assert all_files() == before
        again = forget(ZORA, "--yes")
        assert again.exit_code == 0, again.output
        assert not Path("videos/of zora.mp4").exists()

    def test_a_disk_that_is_full_leaves_the_sheet_and_nothing_besides(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ):
        write_bytes = Path.write_bytes

        def write_half(path: Path, content: bytes) -> None:
            write_bytes(path, content[:9])
            if path.parent.name == "config":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            write_bytes(path, content)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_bytes", write_half)
            run = forget(ZORA, "--yes")
        assert run.exit_code == 1 and "No space left" in run.output
        assert {path.name for path in Path("config").iterdir()} == {"config.yaml", "videos.tsv"}
        assert Path("config/videos.tsv").read_text(encoding="utf-8") == SHEET
        assert forget(ZORA, "--yes").exit_code == 0

    def test_ctrl_c_is_told_what_to_do(self, project: Path, monkeypatch: pytest.MonkeyPatch):
        with monkeypatch.context() as patched:
            interrupt(patched, at=3)
            run = forget(ZORA, "--yes")
        assert run.exit_code == 1 and "Give the command again" in run.output
        again = forget(ZORA, "--yes")
        assert again.exit_code == 0, again.output

    @pytest.mark.parametrize(
        ("name", "has_sheet"), [(ZORA, True), (ZORA, False), ("walk", True), ("walk", False)]
    )
    def test_it_ends_the_same_when_it_is_repeated_wherever_it_was_interrupted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, has_sheet: bool
    ):
        def begin(number: int) -> None:
            make_erasable(tmp_path / str(number))
            if not has_sheet:  # and a recording has the id of its path
                Path("config/videos.tsv").unlink()
                Path("videos/of zora.mp4").rename("videos/walk")

        begin(0)
        remove(name)
        wanted = all_files()
        for number in range(1, 1000):
            begin(number)
            with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
                was_interrupted = interrupt(patched, at=number)
                remove(name)
            if not was_interrupted():
                break
            try:
                remove(name)
            except RefusedError:  # without a sheet, who they were is only told by what is gone
                assert not has_sheet
            assert all_files() == wanted, number
        assert number > 15


def remove(name: str) -> None:
    """What the command does after it was said yes to."""
    results = Path("results")
    config = {"sheet": "config/videos.tsv", "videos": "videos"}
    sheet = Path(config["sheet"])
    places = Places(
        results, results / "logs", results / "benchmarks", sheet if sheet.exists() else None
    )
    traces = find_traces(name, list_videos(config, places))
    plan_erasure(traces, places).carry_out()


def interrupt(monkeypatch: pytest.MonkeyPatch, at: int) -> Callable[[], bool]:
    """Ctrl-C before so-manieth change of a file or a folder; whether it came to that."""
    count = 0

    def patch(owner: object, name: str) -> None:
        change = getattr(owner, name)

        def change_or_stop(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == at:
                raise KeyboardInterrupt
            return change(*arguments, **options)

        monkeypatch.setattr(owner, name, change_or_stop)

    for owner, name in ((Path, "unlink"), (Path, "replace"), (Path, "rmdir"), (shutil, "rmtree")):
        patch(owner, name)
    return lambda: count >= at


def test_what_a_killed_job_left_at_work_is_ended_before_its_files_are_removed(project: Path):
    write("config/config.yaml", "pose: {backend: openpose}\ncontainers: {runtime: host}\n")
    labels = make_labels({}) | {"tapeless.pid_started": "long ago"}
    environment = os.environ | {LABELS_VARIABLE: json.dumps(labels)}
    left = subprocess.Popen(["sleep", "100"], env=environment)
    try:
        run = forget(ZORA, "--yes")
        assert left.poll() is not None
    finally:
        left.kill()
        left.wait()
    assert run.exit_code == 0, run.output


class TestLinks:
    @pytest.mark.parametrize(
        "link",
        [
            "results",
            "results/videos",
            "results/videos/walk",
            "results/logs",
            "results/logs/sample_frames",
            "results/logs/sample_frames/walk.log",
            ".snakemake",
            "videos",
            "videos/of zora.mp4",
        ],
    )
    def test_what_lies_behind_one_is_removed_as_well(self, project: Path, link: str):
        disk = move_to_disk(link)
        run = forget(ZORA, "--yes")
        assert run.exit_code == 0, run.output
        left = [path for top in (Path(), disk) for path in top.rglob("*")]
        told = [path for path in left if {"walk", "walk.log", "of zora.mp4"} & set(path.parts)]
        assert told == []
        assert Path("results/videos/walk2/frames/frame_000001.png").exists()
        assert Path("results/logs/sample_frames/walk2.log").exists()
        assert Path("videos/c.mp4").exists()

    @pytest.mark.parametrize(
        "link",
        ["config/videos.tsv", "results/summary.csv", "results/logs/collect_reports.log"],
    )
    def test_what_is_shortened_stays_one(self, project: Path, link: str):
        disk = move_to_disk(link)
        disk.chmod(0o640)
        run = forget(ZORA, "--yes")
        assert run.exit_code == 0, run.output
        assert Path(link).is_symlink()
        assert b"walk2" in disk.read_bytes() and b"turn" not in disk.read_bytes()
        assert disk.stat().st_mode & 0o777 == 0o640

    @pytest.mark.parametrize("target", ["walk2", "walk2/frames", "."])
    def test_one_to_what_is_somebody_elses_is_refused(self, project: Path, target: str):
        shutil.rmtree("results/videos/walk")
        Path("results/videos/walk").symlink_to(target)
        before = all_files()
        run = forget(ZORA, "--yes")
        assert run.exit_code == 1
        assert "nothing was removed" in run.output and "alone" in run.output
        assert all_files() == before

    def test_of_one_within_the_persons_folder_is_told_where_it_led(self, project: Path):
        disk = move_to_disk("results/videos/walk/frames")
        run = forget(ZORA, "--yes")
        assert run.exit_code == 1
        assert f"{disk}\n" in run.output.partition("are still there")[2]
        assert not Path("results/videos/walk").exists()


def move_to_disk(name: str) -> Path:
    """Puts a file or folder on another disk, with a link in its place; where it is now."""
    disk = Path("../disk").resolve()
    disk.mkdir()
    Path(name).rename(disk / "moved")
    Path(name).symlink_to(disk / "moved")
    return disk / "moved"


class TestRecordings:
    def test_a_folder_is_none(self, project: Path):
        write("config/videos.tsv", SHEET.replace("videos/of zora.mp4", "videos"))
        assert_refused("not a recording")

    @pytest.mark.parametrize(
        "path", ["videos/of zora.mp4", "./videos/../videos/of zora.mp4", "link.mp4"]
    )
    def test_one_that_another_video_has_too_is_not_deleted_unasked(self, project: Path, path: str):
        Path("link.mp4").symlink_to("videos/of zora.mp4")
        write("config/videos.tsv", SHEET + f"later\t{path}\tdave\t\n")
        assert_refused("the recording of later, too")
        run = forget(ZORA, "--yes", "--keep-recordings")
        assert run.exit_code == 0, run.output
        assert Path("videos/of zora.mp4").exists()
        assert not Path("results/videos/walk").exists()

    def test_the_sheet_is_none(self, project: Path):
        write("config/videos.tsv", SHEET.replace("videos/of zora.mp4", "config/videos.tsv"))
        assert_refused("not this person's alone")

    @pytest.mark.parametrize("video", ["", "..", "a/b"])
    def test_nor_is_one_removed_by_an_id_that_is_none(self, project: Path, video: str):
        write("config/videos.tsv", SHEET.replace("\nwalk\t", f"\n{video}\t"))
        assert_refused("cannot be the id")

    def test_one_whose_name_ends_with_a_space_is_told_from_one_without(self, project: Path):
        for name in ("videos/ade.mp4", "videos/ade.mp4 "):
            write(name, "the film")
        write("config/videos.tsv", SHEET + "of_ade\tvideos/ade.mp4 \tade\t\n")
        forget("ade", "--yes")
        assert Path("videos/ade.mp4").exists() and not Path("videos/ade.mp4 ").exists()

    @pytest.mark.parametrize(
        ("name", "shown"),
        [("\udcff.mp4", "\\udcff.mp4"), ("\x1b[2J\n  c.mp4", "\\x1b[2J\\n  c.mp4")],
        ids=["no text", "codes for a terminal"],
    )
    def test_whatever_its_name_is_it_is_shown_on_one_line_and_goes(
        self, project: Path, name: str, shown: str
    ):
        Path("config/videos.tsv").unlink()
        write(f"videos/{name}", "the film")
        videos, _ = find_videos("videos")
        (video,) = (id for id, video in videos.items() if video.path == f"videos/{name}")
        run = forget(video, "--yes")
        assert run.exit_code == 0, run.output
        assert f"  videos/{shown}\n" in run.output
        assert not Path(f"videos/{name}").exists()

    def test_one_that_is_gone_already_is_no_fault(self, project: Path):
        Path("videos/of zora.mp4").unlink()
        assert forget(ZORA, "--yes").exit_code == 0


def assert_refused(says: str) -> None:
    before = all_files()
    run = forget(ZORA, "--yes")
    assert run.exit_code == 1
    assert run.output.startswith("Error: nothing was removed: ") and says in run.output
    assert all_files() == before


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("table", ["results/summary.csv", "config/videos.tsv"])
    def test_a_table_that_is_none_is_named(self, project: Path, table: str):
        content = Path(table).read_text(encoding="utf-8")
        write(table, f'{content}"{"never closed" * 20_000}')
        assert_refused(f"{table} cannot be read as a table (field larger than")

    def test_a_path_that_is_too_long_is_named(self, project: Path):
        write("config/videos.tsv", SHEET.replace("videos/of zora.mp4", "x" * 300))
        assert_refused("File name too long: 'xxx")

    def test_nor_is_a_file_passed_over_that_nobody_may_read(self, project: Path):
        log = Path("results/logs/collect_reports.log")
        log.chmod(0)
        run = forget_without_rights(ZORA, "--yes")
        assert run.returncode == 1
        assert run.stderr == f"Error: nothing was removed: [Errno 13] Permission denied: '{log}'\n"
        assert Path("results/videos/walk").exists()


class TestStorageElsewhere:
    def test_the_address_is_named_and_the_copy_here_goes(self, project: Path):
        address = "s3://lab/of%20zora.mp4"
        write("config/videos.tsv", SHEET.replace("videos/of zora.mp4", address))
        write(".snakemake/storage/s3/lab/of%20zora.mp4", "a copy")
        run = forget(ZORA, "--yes")
        assert run.exit_code == 1
        assert address in run.output.partition("are still there")[2]
        assert not Path(".snakemake/storage/s3/lab/of%20zora.mp4").exists()

    def test_copies_are_told_apart_by_bucket_and_key(self, project: Path):
        sheet = "video\tpath\n3\ts3://lab/day1/front.mp4\n4\ts3://lab/day2/front.mp4\n"
        write("config/videos.tsv", sheet + "5\ts3://other/day1/front.mp4\n")
        keys = [f"s3/{key}/front.mp4" for key in ("lab/day1", "lab/day2", "other/day1")]
        for key in keys:
            write(f".snakemake/storage/{key}", "a copy")
        run = forget("3", "--yes")
        storage = Path(".snakemake/storage")
        left = [str(p.relative_to(storage)) for p in sorted(storage.rglob("*.mp4"))]
        assert left == keys[1:]
        assert "s3://lab/day1/front.mp4" in run.output and "day2" not in run.output

    @pytest.mark.parametrize("is_in_profile", [True, False])
    def test_copies_may_be_on_another_disk(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, is_in_profile: bool
    ):
        monkeypatch.setenv("SCRATCH", str(project.parent))
        write("config/videos.tsv", "video\tpath\nwalk\ts3://lab/front.mp4\n")
        copy = project.parent / "copies/s3/lab/front.mp4"
        write(str(copy), "a copy")
        if is_in_profile:
            write("profiles/mine/profile.yaml", "local-storage-prefix: $SCRATCH/copies\n")
            forget("walk", "--yes")
        else:
            forget("walk", "--yes", "--local-storage-prefix", str(project.parent / "copies"))
        assert not copy.exists()

    def test_no_key_leads_out_of_the_copies(self, project: Path):
        address = "s3://lab/../../../../config/config.yaml"
        write("config/videos.tsv", SHEET.replace("videos/of zora.mp4", address))
        forget(ZORA, "--yes")
        assert Path("config/config.yaml").exists()


def test_a_video_that_was_never_measured_can_be_forgotten(project: Path):
    write("videos/new.mp4", "the film")
    write("config/videos.tsv", SHEET + "new\tvideos/new.mp4\teve\t\n")
    run = forget("eve", "--yes")
    assert run.exit_code == 0, run.output
    assert not Path("videos/new.mp4").exists()
    assert not Path("results/videos/new").exists()


def test_a_video_that_is_not_listed_any_more_can_be_forgotten(project: Path):
    add_video("old", "eve")
    assert forget("eve", "--yes").exit_code == 0
    assert not list(Path().rglob("old*"))
