"""Files are whole at any time, whoever writes them, and however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tapeless.writing import UNFINISHED, write_json, write_rows, write_text


def test_of_two_who_write_one_file_at_once_each_writes_it_whole(tmp_path: Path):
    """And the last to end stays."""
    table = tmp_path / "table.csv"

    def rows() -> Iterator[list[str]]:
        yield ["1"]
        write_rows(table, ["of_another"], [["a"], ["b"]])
        assert table.read_text(encoding="utf-8") == "of_another\na\nb\n"
        yield ["2"]

    write_rows(table, ["own"], rows())
    assert table.read_text(encoding="utf-8") == "own\n1\n2\n"
    assert list(tmp_path.iterdir()) == [table]


def test_what_could_not_be_written_leaves_what_was_there_and_nothing_else(tmp_path: Path):
    table = tmp_path / "table.csv"
    write_text(table, "whole")

    def rows() -> Iterator[list[str]]:
        yield ["1"]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_rows(table, ["own"], rows())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"table.csv": "whole"}


def test_what_is_being_written_is_hidden_and_named_so_that_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A killed job leaves it behind; no seal names it, and `tapeless forget` removes it."""
    monkeypatch.setattr(Path, "replace", lambda path, target: path)  # as if killed before
    write_json(tmp_path / "outcome.json", {})
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".outcome.json.") and left.name.endswith(UNFINISHED)
