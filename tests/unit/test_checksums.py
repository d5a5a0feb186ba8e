"""Checksums: always those of the content, and of a large file only computed once."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tapeless import checksums
from tapeless.checksums import checksum_file

LONG_AGO_NS = 10**18


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache file, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/tapeless/checksums.json"


def make_old(path: Path, content: bytes, time_ns: int = LONG_AGO_NS) -> Path:
    """A file that was last changed long ago."""
    path.write_bytes(content)
    os.utime(path, ns=(time_ns, time_ns))
    return path


def truth(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def count_hashing(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one with every file that is hashed."""
    hashed: list[object] = []
    original = hashlib.file_digest

    def note(stream: object, *arguments: object) -> object:
        hashed.append(stream)
        return original(stream, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(checksums.hashlib, "file_digest", note)
    return hashed


def test_it_is_the_sha256_of_the_content(tmp_path: Path):
    assert checksum_file(make_old(tmp_path / "w", b"weights")) == truth(b"weights")
    assert checksum_file(make_old(tmp_path / "empty", b"")) == truth(b"")


def test_a_checksum_of_another_kind_is_remembered_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    hashed = count_hashing(monkeypatch)
    path = make_old(tmp_path / "w", b"weights")
    md5 = f"md5:{hashlib.md5(b'weights').hexdigest()}"
    for _ in range(2):
        assert (checksum_file(path), checksum_file(path, "md5")) == (truth(b"weights"), md5)
    assert len(hashed) == 2


def test_a_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hashed = count_hashing(monkeypatch)
    path = make_old(tmp_path / "ünï \udcff", b"weights")
    assert {checksum_file(path) for _ in range(3)} == {truth(b"weights")}
    monkeypatch.chdir(tmp_path)
    assert checksum_file(Path(path.name)) == truth(b"weights")
    assert len(hashed) == 1


def test_a_changed_file_is_hashed_again(tmp_path: Path):
    path = make_old(tmp_path / "w", b"weights")
    checksum_file(path)
    assert checksum_file(make_old(path, b"WEIGHTS", LONG_AGO_NS + 1)) == truth(b"WEIGHTS")


def test_another_file_in_its_place_is_hashed_though_its_size_and_time_are_the_same(
    tmp_path: Path,
):
    path = make_old(tmp_path / "w", b"weights")
    checksum_file(path)
    make_old(tmp_path / "new", b"WEIGHTS").replace(path)
    assert checksum_file(path) == truth(b"WEIGHTS")


def test_a_file_that_was_changed_a_moment_ago_is_not_trusted_to_stay(tmp_path: Path):
    """Two changes within one tick of the file system's clock look like none."""
    path = tmp_path / "w"
    path.write_bytes(b"weights")
    status = path.stat()
    checksum_file(path)
    path.write_bytes(b"WEIGHTS")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert checksum_file(path) == truth(b"WEIGHTS")


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"\xff\xfe", b"[]", b'{"PATH": 3}', b'{"PATH": [0, 0]}']
)
def test_a_damaged_cache_costs_time_only(tmp_path: Path, cache: Path, damage: bytes):
    path = make_old(tmp_path / "w", b"weights")
    cache.parent.mkdir(parents=True)
    cache.write_bytes(damage.replace(b"PATH", str(path).encode()))
    assert checksum_file(path) == truth(b"weights")
    assert truth(b"weights") in cache.read_text(encoding="utf-8")


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path):
    (tmp_path / "cache").write_text("in the way of the folder", encoding="utf-8")
    assert checksum_file(make_old(tmp_path / "w", b"weights")) == truth(b"weights")


def test_a_user_without_a_home_has_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def has_no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(checksums.Path, "home", has_no_home)
    assert checksum_file(make_old(tmp_path / "w", b"weights")) == truth(b"weights")


def test_processes_that_write_at_once_leave_a_whole_cache(tmp_path: Path, cache: Path):
    paths = [make_old(tmp_path / f"w{number}", bytes([number])) for number in range(20)]
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        assert list(pool.map(checksum_file, paths)) == [truth(p.read_bytes()) for p in paths]
    assert set(json.loads(cache.read_bytes())) <= {f"sha256:{path}" for path in paths}
    assert list(cache.parent.iterdir()) == [cache]


def test_a_missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        checksum_file(tmp_path / "none")
