"""How far a run is: videos and jobs by state, and when it will be done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapeless.watching.progress import Plan, PlannedJob, Progress, Verdict

MEASURED = Verdict("measured")
REJECTED = Verdict("rejected", "no_person", "Nobody was found.")
VERDICTS = {"anna": MEASURED, "ben": REJECTED, "old": MEASURED}
FRAMES_ANNA, FRAMES_BEN, FIT_ANNA, FIT_BEN, COLLECT = range(1, 6)
JOBS = {
    FRAMES_ANNA: PlannedJob("frames", ("anna",)),
    FRAMES_BEN: PlannedJob("frames", ("ben",)),
    FIT_ANNA: PlannedJob("fit", ("anna",)),
    FIT_BEN: PlannedJob("fit", ("ben",)),
    COLLECT: PlannedJob("collect", ()),
}


def begin(expected_s: dict[str, float] | None = None) -> Progress:
    """A run at second 100, with one video that was done before."""
    plan = Plan(JOBS, ("anna", "ben", "old"), Path("results"))
    return Progress(plan, VERDICTS.__getitem__, expected_s or {}, 100.0)


def do(progress: Progress, job: int, start_s: float, end_s: float) -> dict[str, Verdict]:
    progress.start(job, start_s)
    return progress.finish(job, end_s)


def videos(progress: Progress) -> dict[str, int]:
    return {state: count for state, count in progress.videos.items() if count}


def test_a_video_waits_runs_and_is_measured_or_rejected():
    progress = begin()
    assert videos(progress) == {"measured": 1, "waiting": 2}
    progress.start(FRAMES_ANNA, 101)
    assert videos(progress) == {"measured": 1, "running": 1, "waiting": 1}
    assert progress.finish(FRAMES_ANNA, 102) == {}
    assert videos(progress) == {"measured": 1, "running": 1, "waiting": 1}  # between two jobs
    assert do(progress, FIT_ANNA, 102, 104) == {"anna": MEASURED}
    do(progress, FRAMES_BEN, 104, 105)
    assert do(progress, FIT_BEN, 105, 106) == {"ben": REJECTED}
    assert videos(progress) == {"measured": 2, "rejected": 1}
    assert (progress.videos_done, progress.is_done) == (3, False)
    do(progress, COLLECT, 106, 107)
    assert progress.is_done
    assert progress.jobs == {"done": 5, "running": 0, "failed": 0, "waiting": 0}


def test_a_failed_job_makes_its_video_failed_until_it_begins_once_more():
    progress = begin()
    progress.start(FRAMES_BEN, 101)
    progress.fail(FRAMES_BEN, 102)
    assert videos(progress) == {"measured": 1, "failed": 1, "waiting": 1}
    assert progress.jobs["failed"] == 1
    progress.start(FRAMES_BEN, 103)
    assert videos(progress) == {"measured": 1, "running": 1, "waiting": 1}
    progress.finish(FRAMES_BEN, 105)
    assert progress.jobs == {"done": 1, "running": 0, "failed": 0, "waiting": 4}
    assert progress.stages["frames"].mean_s == 2  # of the time that did it


def test_what_a_run_leaves_behind_waits_for_the_next():
    progress = begin()
    do(progress, FRAMES_ANNA, 101, 102)
    progress.start(FIT_ANNA, 102)
    progress.give_up()
    assert videos(progress) == {"measured": 1, "waiting": 2}
    assert progress.jobs == {"done": 1, "running": 0, "failed": 0, "waiting": 4}
    assert progress.list_running(110) == []


def test_events_that_come_twice_or_of_jobs_unknown_change_nothing():
    progress = begin()
    for _ in range(2):
        do(progress, FRAMES_ANNA, 101, 102)
        progress.start(FRAMES_BEN, 102)
        progress.fail(FRAMES_BEN, 103)
        progress.fail(FRAMES_BEN, 103)
        progress.start(99, 103)
        progress.finish(99, 103)
        progress.fail(99, 103)
    assert progress.jobs == {"done": 1, "running": 0, "failed": 1, "waiting": 3}


def test_the_end_is_not_known_before_every_stage_of_a_video_was_seen():
    progress = begin()
    assert progress.estimate_remaining_s(100) is None
    do(progress, FRAMES_ANNA, 100, 110)
    assert progress.estimate_remaining_s(110) is None
    do(progress, FIT_ANNA, 110, 140)
    # frames and fit of ben take 10 s and 30 s; what is done once is not counted before it is known
    assert progress.estimate_remaining_s(140) == pytest.approx(40)


def test_an_earlier_run_tells_of_stages_that_were_not_seen_yet():
    progress = begin({"frames": 10.0, "fit": 30.0, "collect": 5.0})
    progress.start(FRAMES_ANNA, 100)
    assert progress.estimate_remaining_s(102) == pytest.approx(85 - 2)


def test_as_many_jobs_are_expected_at_once_as_there_were():
    progress = begin()
    for job in (FRAMES_ANNA, FRAMES_BEN):
        progress.start(job, 100)
    for job in (FRAMES_ANNA, FRAMES_BEN):
        progress.finish(job, 110)
    do(progress, FIT_ANNA, 110, 110)
    progress.stages["fit"].seconds = 20.0
    # 40 s of work were done in 20 s, and 20 s of it are left
    assert progress.estimate_remaining_s(120) == pytest.approx(10)


def test_what_waits_for_a_failed_job_is_not_waited_for():
    progress = begin({"frames": 10.0, "fit": 30.0, "collect": 0.0})
    progress.start(FRAMES_BEN, 100)
    progress.fail(FRAMES_BEN, 110)
    do(progress, FRAMES_ANNA, 110, 120)
    # of the two fits that wait, that of ben will not come
    assert progress.estimate_remaining_s(130) == pytest.approx(30 * 30 / 10)


def test_a_job_for_several_videos_counts_for_each():
    plan = Plan({1: PlannedJob("pose", ("anna", "ben"))}, ("anna", "ben"), Path("results"))
    progress = Progress(plan, VERDICTS.__getitem__, {}, 0.0)
    progress.start(1, 1)
    assert videos(progress) == {"running": 2}
    assert progress.finish(1, 2) == {"anna": MEASURED, "ben": REJECTED}


def test_where_a_run_wants_a_part_only_a_video_without_jobs_or_verdict_waits():
    plan = Plan({1: JOBS[FRAMES_ANNA]}, ("anna", "ben", "old"), Path("results"), is_whole=False)
    verdicts = {"anna": Verdict("done"), "ben": Verdict("done"), "old": MEASURED}
    progress = Progress(plan, verdicts.__getitem__, {}, 0.0)
    assert videos(progress) == {"measured": 1, "waiting": 2}
    do(progress, 1, 1, 2)
    assert videos(progress) == {"measured": 1, "done": 1, "waiting": 1}


def test_the_jobs_at_work_for_longest_come_first():
    progress = begin()
    progress.start(FRAMES_BEN, 101)
    progress.start(FRAMES_ANNA, 105)
    assert [(job.videos, job.seconds) for job in progress.list_running(110)] == [
        (("ben",), 9),
        (("anna",), 5),
    ]
