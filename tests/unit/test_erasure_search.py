"""What a removal does not reach is found by a search that knows nothing of it."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from erasable import (
    SHEET,
    ZORA,
    add_video,
    all_files,
    encoded,
    forget,
    forget_without_rights,
    make_erasable,
    write,
)
from projects import CODE_FOLDERS
from tapeless.erasure.searching import CODE

PLANTED = {
    "report.html": "<td>walk</td>",
    "notes.txt": f"the brother of {ZORA}, who waved",
    "config/videos.tsv.bak": SHEET,
    "results/archive/turn/sheet.png": "a picture",
    "results/sheets/walk.png": "a picture",
    "results/videos/.walk.png": "a picture",
    "results/videos/walk2/comment.csv": "a,b\nthe brother of =zora <b>Ñ,1\n",
    "results/videos/walk2/copy.json": json.dumps({"who": ZORA}),
    "results/logs/estimate/walk.err": "lost",
    "walk/front.png": "a picture",
    "results/walk/front.png": "a picture",
    "results/logs/walk/7.err": "lost",
    "results/videos/walk2/walk/front.png": "a picture",
    "old results/videos/walk/pose.json": "{}",
    "tables/mine.csv": f"Subject;height\n{ZORA};170\n",
    "videos/old/of zora.mp4": "another copy",
    ".snakemake/shadows/walk/x": "lost",
    ".snakemake/metadata/" + encoded("old/videos/walk/pose"): "{}",
    ".snakemake/storage/s3/lab/walk.mov": "a copy",
    "nfd.txt": unicodedata.normalize("NFD", f"of {ZORA}."),
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder as runs leave it."""
    make_erasable(tmp_path / "project")
    yield tmp_path / "project"
    os.chdir("/")


def told(output: str) -> list[str]:
    """The files that the search names."""
    listed = output.partition("These also carry the name")[2].partition("The next run")[0]
    return [line.strip() for line in listed.splitlines()[1:] if line.startswith("  ")]


@pytest.mark.parametrize("name", PLANTED)
def test_a_trace_where_no_rule_puts_any_is_named_and_left(project: Path, name: str):
    write(name, PLANTED[name])
    run = forget(ZORA, "--yes")
    assert run.exit_code == 1
    assert len(told(run.output)) == 1 and Path(name).is_relative_to(told(run.output)[0])
    assert "Nothing that tells of" not in run.output
    assert Path(name).read_text(encoding="utf-8") == PLANTED[name]


def test_a_trace_behind_a_link_and_in_results_elsewhere_is_named(project: Path):
    write("../disk/mine/walk.png", "a picture")
    Path("results/mine").symlink_to("../../disk/mine")
    run = forget(ZORA, "--yes")
    assert (run.exit_code, told(run.output)) == (1, ["results/mine/walk.png"])
    write("config/config.yaml", "pathvars: {results: ../disk/results}\n")
    write("../disk/results/walk2.txt", "not walk2, but walk2's sister")
    write("../disk/results/bob.txt", "for him")
    run = forget("bob", "--yes")
    assert run.exit_code == 1
    assert "../disk/results/bob.txt" in told(run.output)


def test_logs_beside_the_recordings_are_none_of_them(project: Path):
    """Recordings of others are passed over."""
    Path("config/videos.tsv").unlink()
    write("config/config.yaml", "pathvars: {logs: videos/logs}\n")
    write("videos/logs/mine/notes.txt", "of walk")
    run = forget("walk", "--yes", "--keep-recordings")
    assert (run.exit_code, "videos/logs/mine/notes.txt" in told(run.output)) == (1, True)


def test_the_search_does_not_believe_the_removal(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tapeless.erasure.erasing.Erasure.carry_out", lambda self: None)
    monkeypatch.setattr("tapeless.erasure.command._SHOWN", 1000)
    run = forget(ZORA, "--yes")
    assert run.exit_code == 1
    record = ".snakemake/metadata/" + encoded("results/videos/walk/frames.csv")
    assert {
        "videos/of zora.mp4",
        "results/videos/walk",
        "results/logs/sample_frames/turn.log",
        "results/logs/collect_reports.log",
        "results/summary.csv",
        "results/progress.json",
        "config/videos.tsv",
        ".snakemake/slurm_logs/rule_pose/walk",
        record,
    } <= set(told(run.output))


@pytest.mark.parametrize("code", ["cp1252", "utf-16", "utf-8-sig"])
def test_a_table_is_read_in_the_code_in_which_spreadsheets_write_it(project: Path, code: str):
    Path("mine.csv").write_bytes(f"height;subject\n170;{ZORA}\n".encode(code))
    Path("others.csv").write_bytes("height;subject\n170;Ñ\n".encode(code))
    run = forget(ZORA, "--yes")
    assert (run.exit_code, told(run.output)) == (1, ["mine.csv"])


def test_a_name_that_was_another_before_is_looked_for_as_well(project: Path):
    """The results know the one, the sheet the other."""
    write("config/videos.tsv", SHEET.replace(ZORA, "Nora"))
    for name in ("Nora", ZORA):
        write(f"notes/{len(name)}.txt", f"of {name}")
    run = forget("Nora", "--yes")
    assert told(run.output) == ["notes/10.txt", "notes/4.txt"]


def test_what_cannot_be_looked_into_is_named(project: Path):
    """For the name may be there."""
    for name in ("results/old/notes.txt", "results/mine.txt", "half/mine.txt"):
        write(name, "of nobody")
    Path("results/mine.txt").chmod(0)
    Path("results/old").chmod(0)
    Path("half").chmod(0o400)  # its names can be read, but nothing else of it
    run = forget_without_rights(ZORA, "--yes")
    for folder in ("results/old", "half"):
        Path(folder).chmod(0o700)
    assert run.returncode == 1, run.stderr
    closed = run.stdout.partition("could not be looked into")[2].splitlines()
    assert [line.strip() for line in closed if line.startswith("  ")] == [
        "half/mine.txt",
        "results/mine.txt",
        "results/old",
    ]
    assert "Nothing that tells of" not in run.stdout


def test_names_of_others_that_hold_the_name_are_theirs(project: Path):
    write("notes.txt", "walk2, walk.mp4 and videos/c.mp4; also catwalk, walks, walk_about")
    write("config/videos.tsv", SHEET + "Walk-3\tvideos/c.mp4\tZoe Walk\t\n")
    write("more.txt", "Walk-3 and Zoe Walk")
    run = forget(ZORA, "--yes")
    assert (run.exit_code, told(run.output)) == (0, []), run.output


class TestAName:
    """That may be anything: a number, or a short word."""

    @pytest.fixture(autouse=True)
    def numbered(self, project: Path) -> None:
        write("config/videos.tsv", SHEET + "3\tvideos/3.mp4\t3\t170\n")
        write("videos/3.mp4", "the film")
        add_video("3", "3")

    def test_is_counted_where_it_is_a_number(self):
        for number in range(30):
            write(f"results/videos/walk2/pose/{number}x.json", "[101.3, 3]")
        run = forget("3", "--yes")
        assert run.exit_code == 0, run.output
        assert told(run.output) == []
        assert "In 30 other files" in run.output

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("copies/3/sheet.png", ""),
            ("copies/3.png", ""),
            ("results/videos/walk2/3.mov", ""),
            ("tables/mine.csv", "height,video\n170,3\n"),
            ("tables/mine.txt", "subject\theight\n3\t170\n"),
            ("report.html", '<img src="results/videos/3/sheet.png">'),
            ("run.log", "wildcards: video=3"),
            ("notes.txt", "see 3.mp4"),
        ],
    )
    def test_is_named_where_it_is_part_of_a_path_or_says_whose_a_row_is(self, name: str, text: str):
        write(name, text)
        run = forget("3", "--yes")
        assert run.exit_code == 1
        assert len(told(run.output)) == 1 and Path(name).is_relative_to(told(run.output)[0])

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("copies/33.png", ""),
            ("tables/mine.csv", "height,video\n3,walk2\n"),
            ("run.log", "results/videos/3.5/sheet.png, videos/33"),
        ],
    )
    def test_is_not_named_where_it_is_something_else(self, name: str, text: str):
        write(name, text)
        run = forget("3", "--yes")
        assert (run.exit_code, told(run.output)) == (0, []), run.output


def test_many_are_told_of_by_their_number(project: Path):
    for number in range(30):
        write(f"notes/{number}.txt", "of walk")
    run = forget(ZORA, "--yes")
    assert len(told(run.output)) == 21
    assert "and 10 others" in run.output


def test_recordings_that_stay_are_no_trace(project: Path):
    write("videos/walk.mp4", "the film")
    write("config/videos.tsv", SHEET.replace("videos/of zora.mp4", "videos/walk.mp4"))
    run = forget("walk", "--yes", "--keep-recordings")
    assert (run.exit_code, told(run.output)) == (0, []), run.output


def test_what_belongs_to_the_workflow_is_no_trace(project: Path):
    write("scripts/tapeless/video.py", "os.walk()")
    write("config/README.md", "| walk | videos/walk.mp4 |")
    write("config/videos.example.tsv", "video\tsubject\nwalk\tAnna\n")
    for name in ("scripts", "config"):
        assert name in CODE_FOLDERS
    assert set(CODE_FOLDERS) - {"config"} <= CODE
    write("Snakefile", "")
    before = all_files()
    run = forget("walk", "--yes")
    assert (run.exit_code, told(run.output)) == (0, []), run.output
    assert all_files()["config/README.md"] == before["config/README.md"]
