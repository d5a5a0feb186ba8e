"""Faults, put into sentences that say what to do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence

from tapeless.containers.errors import ContainerFailedError
from tapeless.containers.plans import Plan
from tapeless.containers.supervision import Exit

NO_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
"""What programs and daemons say when a disk is full."""

_KILLED = 128 + 9
_MB = 1_000_000


def explain_exit(plan: Plan, ended: Exit, last_lines: Sequence[str]) -> ContainerFailedError:
    """The error for a program that did not end well."""
    code, sentence = _explain(plan, ended, last_lines)
    said = "".join(f"\n  {line}" for line in last_lines) or " nothing"
    message = f"{sentence}\nexit status {ended.status}; it said last:{said}"
    return ContainerFailedError(message, ended.status, last_lines, code)


def _explain(plan: Plan, ended: Exit, last_lines: Sequence[str]) -> tuple[str, str]:
    name = plan.job.program
    if ended.out_of_memory:
        return "out_of_memory", (
            f"{name} was killed by the kernel: it took more than the {plan.memory_mb} MB of memory "
            "that it may have. Raise containers.memory_mb, or run fewer jobs at once"
        )
    if any(map(NO_SPACE.search, last_lines)) or _is_full(plan):
        return "disk_full", (
            f"{name} failed as a disk is full: make room where {plan.job.output} lies (df -h "
            "shows how much is left), or move the results to a larger one"
        )
    if ended.status == _KILLED:
        return "failed", (
            f"{name} was killed (SIGKILL), by hand or as the whole machine ran out of memory: "
            "run fewer jobs at once (--cores), or lower containers.memory_mb to what is there"
        )
    return "failed", f"{name} failed; what it said tells why"


def _is_full(plan: Plan) -> bool:
    try:
        return shutil.disk_usage(plan.job.output).free < _MB
    except OSError:
        return False
