"""Files are whole at any time, whoever writes them, and however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tapeless.writing import UNFINISHED, write_json, write_rows, write_text


def test_what_could_not_be_written_leaves_what_was_there_and_nothing_else(tmp_path: Path):
    table = tmp_path / "table.csv"
    write_text(table, "whole")

    def rows() -> Iterator[list[str]]:
        yield ["1"]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_rows(table, ["own"], rows())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"table.csv": "whole"}


def test_what_a_killed_job_leaves_behind_is_hidden_and_taken_over_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """No seal names it, and `tapeless forget` removes it."""
    verdict = tmp_path / "outcome.json"
    with monkeypatch.context() as killed:
        killed.setattr(Path, "replace", lambda path, target: path)
        write_json(verdict, {"code": "of a killed job"})
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".outcome.json") and left.name.endswith(UNFINISHED)
    write_json(verdict, {})
    assert list(tmp_path.iterdir()) == [verdict]
