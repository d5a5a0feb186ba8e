"""How far a run is, in words, for who looks at a terminal or into a log."""

from __future__ import annotations

from datetime import datetime, timedelta

from tapeless.watching.failures import Failure
from tapeless.watching.progress import Progress, Verdict
from tapeless.words import counted

_MINUTE_S = 60


def describe_start(progress: Progress) -> str:
    """What a run is about to do."""
    plan = progress.plan
    earlier = f", {progress.videos_done} of them done before" if progress.videos_done else ""
    jobs = counted(len(plan.jobs), "job")
    log = f" All that Snakemake says is in {plan.log}" if plan.log else ""
    return f"{counted(len(plan.videos), 'video')}{earlier}: {jobs} to do.{log}"


def describe_state(progress: Progress, now_s: float, now: datetime) -> str:
    """How far the run is, on one line: `3 of 12 videos done (2 measured, 1 rejected), ...`."""
    videos = progress.videos
    done = ", ".join(
        f"{videos[state]} {state}" for state in ("measured", "rejected") if videos[state]
    )
    parts = [
        f"{progress.videos_done} of {counted(len(progress.plan.videos), 'video')} done"
        + (f" ({done})" if done else ""),
        *[f"{videos[state]} {state}" for state in ("failed", "running") if videos[state]],
    ]
    if not videos["running"]:
        parts += [name for name, stage in progress.stages.items() if stage.running]
    if remaining_s := progress.estimate_remaining_s(now_s):
        parts.append(f"ready {_at(now, remaining_s)} (in {duration(remaining_s)})")
    return ", ".join(parts)


def describe_end(progress: Progress, state: str, now_s: float) -> str:
    """How far the run came."""
    done, total = progress.jobs["done"], len(progress.plan.jobs)
    elapsed = duration(progress.elapsed_s(now_s))
    return f"{state.capitalize()} after {elapsed}: {done} of {counted(total, 'job')} done"


def describe_verdict(video: str, verdict: Verdict) -> str:
    """Why a video was rejected."""
    return f"{video}: {verdict.reason} ({verdict.code})"


def describe_failure(failure: Failure) -> str:
    """What failed, why, and where its log is; on several lines."""
    said = failure.said.replace("\n", "\n    ")
    logs = "".join(f"\n    its log: {path}" for path in failure.logs)
    return f"{name_job(failure)}: {said}{logs}"


def name_job(failure: Failure) -> str:
    """The stage, and the videos that it was at work for: `estimate_pose/anna`."""
    return "/".join(filter(None, [failure.stage, ", ".join(failure.videos)]))


def duration(seconds: float) -> str:
    """A time in words, as exact as it matters: `40 s`, `12 min`, `3 h 5 min`, `2 days 4 h`."""
    if round(seconds) < _MINUTE_S:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / _MINUTE_S)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{counted(days, 'day')} {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _at(now: datetime, later_s: float) -> str:
    then = now + timedelta(seconds=later_s)
    return f"{then:%H:%M}" if then.date() == now.date() else f"{then:%a %d %b, %H:%M}"
