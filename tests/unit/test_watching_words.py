"""What people are told of a run: how far it is, what failed and why, and how to go on."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import pytest

from tapeless.watching.console import Console
from tapeless.watching.endings import describe_failures, describe_success, word_command
from tapeless.watching.failures import NOTHING_SAID, Failure, pick_culprits, read_failures
from tapeless.watching.lines import describe_end, describe_start, describe_state, duration
from tapeless.watching.progress import Plan, PlannedJob, Progress, Verdict

NOON = datetime(2026, 11, 21, 12, 0)


def begin() -> Progress:
    jobs = {number: PlannedJob("fit", (video,)) for number, video in enumerate("abcd")}
    plan = Plan(jobs, tuple("abcde"), Path("results"), log=Path(".snakemake/log/x.log"))
    return Progress(plan, lambda _: Verdict("measured"), {"fit": 1800.0}, 0.0)


def test_a_run_says_what_it_will_do_how_far_it_is_and_how_it_ended():
    progress = begin()
    assert describe_start(progress) == (
        "5 videos, 1 of them done before: 4 jobs to do. All that Snakemake says is in "
        ".snakemake/log/x.log"
    )
    progress.start(0, 0)
    progress.finish(0, 1800)
    progress.start(1, 1800)
    progress.start(2, 1800)
    progress.fail(2, 1800)
    assert describe_state(progress, 1800, NOON) == (
        "2 of 5 videos done (2 measured), 1 failed, 1 running, ready 12:50 (in 50 min)"
    )
    assert describe_end(progress, "failed", 1800) == "Failed after 30 min: 1 of 4 jobs done"


def test_between_videos_a_run_says_what_is_at_work():
    plan = Plan({1: PlannedJob("build_shape_space", ())}, ("anna",), Path("results"))
    progress = Progress(plan, lambda _: Verdict("measured"), {}, 0.0)
    progress.start(1, 0.0)
    assert describe_state(progress, 5.0, NOON) == (
        "1 of 1 video done (1 measured), build_shape_space"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"),
        (59.7, "1 min"),
        (3599, "1 h 0 min"),
        (11100, "3 h 5 min"),
        (187200, "2 days 4 h"),
    ],
)
def test_a_time_is_said_as_exactly_as_it_matters(seconds: float, said: str):
    assert duration(seconds) == said


class TestWhatFailed:
    def test_each_is_told_with_its_reason_and_its_log(self, tmp_path: Path):
        failure = Failure("estimate_pose", ("anna",), "The disk is full.\nMake room.", ("a.log",))
        said = describe_failures([failure], tmp_path, "snakemake --cores 4")
        assert said == (
            "1 job failed because of this machine or of a fault in tapeless, not of the videos "
            "(those have rows that say so):\n"
            "  - estimate_pose/anna: The disk is full.\n    Make room.\n    its log: a.log\n"
            "Finished results are kept: the same command goes on from there:\n"
            "  snakemake --cores 4"
        )

    def test_what_happened_to_many_is_said_once(self, tmp_path: Path):
        full = [Failure("pose", (f"v{i}",), "The disk is full.", (f"{i}.log",)) for i in range(8)]
        said = describe_failures(full, tmp_path, None)
        assert "8 jobs failed" in said
        assert "  - pose/v0, v1, v2, v3, v4 and 3 more: The disk is full.\n" in said
        assert said.count(".log") == 1

    def test_an_interrupted_run_says_that_reports_are_older(self, tmp_path: Path):
        (tmp_path / "summary.csv").touch()
        assert describe_failures([], tmp_path, None) == (
            f"The run ended early. {tmp_path}/summary.csv is still that of an earlier run. "
            "Finished results are kept: the same command goes on from there."
        )

    def test_a_job_that_was_killed_has_no_words_of_its_own(self, tmp_path: Path):
        job = PlannedJob("fit", ("anna",))
        (tmp_path / "fit.log").write_text("INFO 3 of 24 frames", encoding="utf-8")
        (failure,) = read_failures([(job, [str(tmp_path / "fit.log"), "usage.json"])], since=0)
        assert failure == Failure("fit", ("anna",), NOTHING_SAID, (f"{tmp_path}/fit.log",))

    def test_nor_has_one_whose_log_found_no_room(self, tmp_path: Path):
        (tmp_path / "fit.log").touch()
        (failure,) = read_failures([(PlannedJob("fit", ()), [str(tmp_path / "fit.log")])], since=0)
        assert "full disk" in failure.said

    def test_of_a_group_only_those_are_told_that_say_why(self):
        silent = Failure("pose", ("anna",), NOTHING_SAID, ())
        told = Failure("fit", ("anna",), "No memory.", ())
        assert pick_culprits([silent, told]) == [told]
        assert pick_culprits([silent, silent]) == [silent]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("/a/.venv/bin/snakemake --cores 4 -F", "snakemake --cores 4"),
        ("/a/snakemake/__main__.py --config 'sheet=my sheet.tsv'",
         "snakemake --config 'sheet=my sheet.tsv'"),
        ("tapeless run 'my videos' out", "tapeless run 'my videos' out"),
        ("snakemake --config 'containers={\"environment\": {\"TOKEN\": 1}}'", None),
    ],
)  # fmt: skip
def test_the_command_that_goes_on_is_what_was_typed(typed: str, words: str | None):
    assert word_command(typed) == words


def test_a_run_that_ends_well_says_who_was_rejected_and_where_all_is(tmp_path: Path):
    rows = "video,person,status,code\na,1,measured,\nb,1,rejected,no_person\nb,2,measured,\n"
    (tmp_path / "summary.csv").write_text(rows, encoding="utf-8")
    said = describe_success(tmp_path)
    assert said.startswith(f"2 measured, 1 rejected: {tmp_path}/summary.csv says why, ")
    assert "\n  - no_person: b\n" in said
    assert f"{tmp_path}/cohort.html" in said


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestConsole:
    def test_in_a_log_there_are_lines_only(self):
        stream = io.StringIO()
        console = Console(stream, has_colours=True)
        console.show("1 of 2")
        console.say("FAILED", "bad")
        assert stream.getvalue() == "FAILED\n"

    def test_on_a_terminal_the_last_line_is_out_of_the_way_of_others(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "10")
        stream = Terminal()
        console = Console(stream, has_colours=True)
        console.show("1 of 2 videos done")
        console.say("FAILED", "bad")
        console.show("")
        assert stream.getvalue() == (
            "1 of 2 vi\r" + "\r\x1b[K" + "\x1b[31mFAILED\x1b[0m\n" + "1 of 2 vi\r" + "\r\x1b[K"
        )
