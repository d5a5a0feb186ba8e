"""`progress.json`: how far a run is, for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tapeless.watching.failures import Failure
from tapeless.watching.progress import JOB_STATES, Progress, Running

STATUS_FILE = "progress.json"

MOST_RUNNING = 10
"""Of so many jobs at work the file tells more than their number, the oldest ones."""

MOST_FAILURES = 100
"""And of so many that failed, the first ones."""


def describe_progress(
    progress: Progress,
    failures: Sequence[Failure],
    *,
    state: str,
    now_s: float,
    now: datetime,
) -> dict[str, Any]:
    """What `progress.json` says, ready for JSON.

    Args:
        progress: the run.
        failures: of the jobs that have failed and were not begun again.
        state: `running`, `finished`, `failed` or `interrupted`.
        now_s: seconds, of the clock of `progress`.
        now: the time of day, with its zone.
    """
    elapsed_s = progress.elapsed_s(now_s)
    remaining_s = progress.estimate_remaining_s(now_s) if state == "running" else None
    running = progress.list_running(now_s) if state == "running" else []
    return {
        "state": state,
        "started": _written(now - timedelta(seconds=elapsed_s)),
        "updated": _written(now),
        "expected_end": None if remaining_s is None else _written(now, remaining_s),
        "elapsed_s": round(elapsed_s, 1),
        "remaining_s": None if remaining_s is None else round(remaining_s, 1),
        "videos": {"total": len(progress.plan.videos), **progress.videos},
        "jobs": {"total": len(progress.plan.jobs), **progress.jobs},
        "stages": {
            name: {
                "total": stage.total,
                **{job_state: getattr(stage, job_state) for job_state in JOB_STATES},
                "mean_s": None if stage.mean_s is None else round(stage.mean_s, 2),
            }
            for name, stage in progress.stages.items()
        },
        "longest_running": [_describe_running(job) for job in running[:MOST_RUNNING]],
        "failures": [
            {"stage": f.stage, "videos": list(f.videos), "said": f.said, "logs": list(f.logs)}
            for f in failures[:MOST_FAILURES]
        ],
        "log": None if progress.plan.log is None else str(progress.plan.log),
        "host": platform.node(),
        "pid": os.getpid(),
    }


def _describe_running(job: Running) -> dict[str, Any]:
    return {"stage": job.stage, "videos": list(job.videos), "seconds": round(job.seconds, 1)}


def _written(time: datetime, later_s: float = 0.0) -> str:
    return (time + timedelta(seconds=later_s)).isoformat(timespec="seconds")
