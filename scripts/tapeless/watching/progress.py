"""How far a run is: videos and jobs by state, and when all will be done.

Times are seconds of a clock that never goes back; only what is written down names the time of day.
Every event is counted as it comes, so that its cost does not grow with the number of videos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

VIDEO_STATES = ("measured", "rejected", "done", "failed", "running", "waiting")
"""The states of a video: `done` is one without a verdict, where a run ends at an earlier stage."""

JOB_STATES = ("done", "running", "failed", "waiting")

_DONE_STATES = ("measured", "rejected", "done")


class PlannedJob(NamedTuple):
    """A job of the run: the rule, and the videos that it works for (none if it is for all)."""

    stage: str
    videos: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a run is about to do.

    Attributes:
        jobs: by the number that the jobs have in the run.
        videos: of the project, also those that are done already.
        results: folder of the results.
        started_s: when the run started, of `time.time()`; older logs are of other runs.
        log: the file with all that Snakemake says, if there is one.
        textfile: where to write numbers for Prometheus, if that is wanted.
        is_whole: whether all that can be had of the videos is wanted, so that one without jobs is
            done.
    """

    jobs: Mapping[int, PlannedJob]
    videos: Sequence[str]
    results: Path
    started_s: float = 0.0
    log: Path | None = None
    textfile: Path | None = None
    is_whole: bool = True


class Verdict(NamedTuple):
    """What is known of a video whose jobs are done: its state, and why if it was rejected."""

    state: str
    code: str | None = None
    reason: str | None = None


class Running(NamedTuple):
    """A job at work, and for how long it has been."""

    stage: str
    videos: tuple[str, ...]
    seconds: float


@dataclass
class Stage:
    """The jobs of one rule; `seconds` is how long those that are done took, all together."""

    is_of_videos: bool = False
    total: int = 0
    done: int = 0
    running: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def waiting(self) -> int:
        """How many jobs have not begun, or will be tried again."""
        return self.total - self.done - self.running - self.failed

    @property
    def mean_s(self) -> float | None:
        """Seconds that a job took, None before the first is done."""
        return self.seconds / self.done if self.done else None


@dataclass
class _Video:
    jobs_left: int = 0
    has_begun: bool = False
    failed: set[int] = field(default_factory=set)
    verdict: Verdict | None = None


class Progress:
    """The state of a run, from what is told of its jobs.

    Args:
        plan: what the run is about to do.
        judge: tells the verdict on a video whose jobs are done.
        expected_s: seconds a job of each stage took in an earlier run.
        now_s: when the run starts.
    """

    def __init__(
        self,
        plan: Plan,
        judge: Callable[[str], Verdict],
        expected_s: Mapping[str, float],
        now_s: float,
    ) -> None:
        self.plan = plan
        self.stages: dict[str, Stage] = {}
        self._judge = judge
        self._expected_s = expected_s
        self._start_s = now_s
        self._running: dict[int, float] = {}
        self._failed: set[int] = set()
        self._done: set[int] = set()
        self._videos = {video: _Video() for video in plan.videos}
        for job in plan.jobs.values():
            stage = self.stages.setdefault(job.stage, Stage(is_of_videos=bool(job.videos)))
            stage.total += 1
            for video in job.videos:
                self._videos.setdefault(video, _Video()).jobs_left += 1
        for name, known in self._videos.items():
            if not known.jobs_left:
                known.verdict = judge(name)
                if known.verdict.state == "done" and not plan.is_whole:
                    known.verdict = Verdict("waiting")
        self._counts = Counter(map(_state_of, self._videos.values()))

    def start(self, job_id: int, now_s: float) -> None:
        """A job begins, for the first time or once more."""
        job = self.plan.jobs.get(job_id)
        if job is None or job_id in self._running or job_id in self._done:
            return
        stage = self.stages[job.stage]
        if job_id in self._failed:
            self._failed.remove(job_id)
            stage.failed -= 1
        self._running[job_id] = now_s
        stage.running += 1
        for video in job.videos:
            self._change(video, has_begun=True, mended=job_id)

    def finish(self, job_id: int, now_s: float) -> dict[str, Verdict]:
        """A job is done; the verdict on each video that is done with it."""
        if (job := self.plan.jobs.get(job_id)) is None or job_id in self._done:
            return {}
        self._stop(job_id, now_s, is_done=True)
        self._done.add(job_id)
        verdicts = {}
        for name in job.videos:
            video = self._videos[name]
            verdict = self._judge(name) if video.jobs_left == 1 and not video.failed else None
            self._change(name, finished=1, verdict=verdict)
            if verdict is not None:
                verdicts[name] = verdict
        return verdicts

    def fail(self, job_id: int, now_s: float) -> None:
        """A job has failed; it may begin once more."""
        job = self.plan.jobs.get(job_id)
        if job is None or job_id in self._failed or job_id in self._done:
            return
        self._stop(job_id, now_s, is_done=False)
        self._failed.add(job_id)
        self.stages[job.stage].failed += 1
        for video in job.videos:
            self._change(video, broken=job_id)

    def give_up(self) -> None:
        """The run ends: what is at work or has begun waits for the next one."""
        for job_id in self._running:
            self.stages[self.plan.jobs[job_id].stage].running -= 1
        self._running.clear()
        for video in self._videos.values():
            video.has_begun = False
        self._counts = Counter(map(_state_of, self._videos.values()))

    def _stop(self, job_id: int, now_s: float, *, is_done: bool) -> None:
        stage = self.stages[self.plan.jobs[job_id].stage]
        started_s = self._running.pop(job_id, None)
        stage.running -= started_s is not None
        if is_done:
            stage.done += 1
            stage.seconds += 0.0 if started_s is None else now_s - started_s

    def _change(
        self,
        name: str,
        *,
        has_begun: bool = False,
        finished: int = 0,
        broken: int | None = None,
        mended: int | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        video = self._videos[name]
        self._counts[_state_of(video)] -= 1
        video.has_begun |= has_begun
        video.jobs_left -= finished
        video.failed |= set() if broken is None else {broken}
        video.failed -= set() if mended is None else {mended}
        video.verdict = verdict or video.verdict
        self._counts[_state_of(video)] += 1

    @property
    def videos(self) -> dict[str, int]:
        """How many videos are in each state."""
        return {state: self._counts[state] for state in VIDEO_STATES}

    @property
    def videos_done(self) -> int:
        """How many videos need nothing more."""
        return sum(self._counts[state] for state in _DONE_STATES)

    @property
    def jobs(self) -> dict[str, int]:
        """How many jobs of this run are in each state."""
        stages = self.stages.values()
        return {state: sum(getattr(stage, state) for stage in stages) for state in JOB_STATES}

    @property
    def is_done(self) -> bool:
        """Whether every job of the run is done."""
        return len(self._done) == len(self.plan.jobs)

    def list_running(self, now_s: float) -> list[Running]:
        """The jobs at work, those first that have been for longest."""
        started = sorted(self._running.items(), key=lambda entry: entry[1])
        return [Running(*self.plan.jobs[job_id], now_s - since) for job_id, since in started]

    def elapsed_s(self, now_s: float) -> float:
        """Seconds since the run started."""
        return now_s - self._start_s

    def estimate_remaining_s(self, now_s: float) -> float | None:
        """Seconds until all jobs are done, None as long as nothing tells.

        The jobs that are left take as long as those of their stage did, and as many are at work at
        once as were so far. Of a stage that no video has gone through yet, an earlier run tells;
        what is done once for all videos counts nothing until then, and what waits for a job that
        failed is not done.
        """
        left_s = 0.0
        open_videos = self._counts["running"] + self._counts["waiting"]
        possible = open_videos / max(open_videos + self._counts["failed"], 1)
        for name, stage in self.stages.items():
            share = possible if stage.is_of_videos else 1.0
            if not (to_do := stage.waiting * share + stage.running):
                continue
            each_s = stage.mean_s if stage.mean_s is not None else self._expected_s.get(name)
            if each_s is None and stage.is_of_videos:
                return None
            left_s += to_do * (each_s or 0.0)
        running_s = sum(now_s - since for since in self._running.values())
        done_s = sum(stage.seconds for stage in self.stages.values()) + running_s
        elapsed_s = self.elapsed_s(now_s)
        if left_s and not (done_s > 0 and elapsed_s > 0):
            return None
        return max(left_s - running_s, 0.0) * (elapsed_s / done_s) if left_s else 0.0


def _state_of(video: _Video) -> str:
    if video.failed:
        return "failed"
    if not video.jobs_left:
        return "done" if video.verdict is None else video.verdict.state
    return "running" if video.has_begun else "waiting"
