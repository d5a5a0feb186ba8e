"""Results from the future are taken back to the present, in their order, if they are needed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tapeless.clock import is_from_the_future, settle_clock

HOUR_S = 3600.0


@pytest.fixture
def now_s() -> float:
    return time.time()


def written(path: Path, time_s: float) -> Path:
    """A file that was changed at a time."""
    path.parent.mkdir(exist_ok=True)
    path.touch()
    os.utime(path, (time_s, time_s))
    return path


def test_files_from_the_future_are_of_today_and_the_oldest_stays_the_oldest(tmp_path, now_s):
    hours = {"before": -1, "first": 1, "second": 2, "third": 24}
    files = [written(tmp_path / name, now_s + hour * HOUR_S) for name, hour in hours.items()]
    before_s = files[0].stat().st_mtime

    assert settle_clock([files[1]], [tmp_path], now_s) == 3

    times_s = [path.stat().st_mtime for path in files]
    assert times_s == sorted(times_s)
    assert len(set(times_s)) == len(files)
    assert times_s[0] == before_s
    assert times_s[-1] <= now_s


def test_nothing_is_touched_while_no_job_needs_a_file_from_the_future(tmp_path, now_s):
    old = written(tmp_path / "old", now_s - HOUR_S)
    late = written(tmp_path / "late", now_s + HOUR_S)

    assert settle_clock([old, tmp_path / "none"], [tmp_path], now_s) == 0

    assert is_from_the_future(late, now_s)


def test_a_file_that_may_not_be_changed_stops_nothing(tmp_path, now_s, monkeypatch):
    ours, theirs = (written(tmp_path / name, now_s + HOUR_S) for name in ("ours", "theirs"))
    utime = os.utime

    def refuse(path: Path, **times: object) -> None:
        if path == theirs:
            raise PermissionError(path)
        utime(path, **times)

    monkeypatch.setattr(os, "utime", refuse)

    assert settle_clock([ours], [tmp_path], now_s) == 1

    assert not is_from_the_future(ours, now_s)
    assert is_from_the_future(theirs, now_s)


def test_a_file_that_somebody_removes_meanwhile_stops_nothing(tmp_path, now_s, monkeypatch):
    """As another project may, which shares the folder of the body model."""
    ours, theirs = (written(tmp_path / name, now_s + HOUR_S) for name in ("ours", "theirs"))
    look = Path.stat

    def remove_first(path: Path, **how: bool) -> os.stat_result:
        if path == theirs:
            path.unlink(missing_ok=True)
        return look(path, **how)

    monkeypatch.setattr(Path, "stat", remove_first)

    assert settle_clock([ours], [tmp_path], now_s) == 1

    assert not is_from_the_future(ours, now_s)


def test_files_of_others_keep_their_times(tmp_path, now_s):
    video = written(tmp_path / "videos/walk.mp4", now_s + HOUR_S)
    made = written(tmp_path / "results/frames.csv", now_s + HOUR_S)

    assert settle_clock([video], [made.parent], now_s) == 0
    assert settle_clock([video, made], [made.parent], now_s) == 1

    assert is_from_the_future(video, now_s)
    assert not is_from_the_future(made, now_s)
