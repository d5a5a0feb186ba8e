"""What goes wrong with containers: the machine's fault, told in sentences that say what to do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.outcomes import MachineFault

if TYPE_CHECKING:  # which both know of these errors
    from tapeless.containers.jobs import Plan
    from tapeless.containers.supervision import Exit

KILLED_STATUS = 128 + 9
"""The status of a program that was killed."""

NO_SPACE = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
"""What programs and daemons say when a disk is full."""

_NO_SHARED_MEMORY = re.compile(r"shared memory|/dev/shm|/torch_\d", re.IGNORECASE)
_NO_GPU_MEMORY = re.compile(r"cuda.*out of memory", re.IGNORECASE)
# What the first process of a container says, that of Docker (tini) and that of Apptainer.
_NO_PROGRAM = re.compile(
    r"exec .* failed: No such file|executable file .* not found|FATAL: .*stat "
)
_NOT_STARTED = (126, 127, 255)
_FULL_BYTES = 1_000_000


class ContainerError(MachineFault):
    """A container could not do its work, and no video is to blame; the message says what to do.

    `code` is the word for it in the usage file: not_started, time_limit, failed, out_of_memory,
    gpu_out_of_memory, disk_full or lost.
    """

    def __init__(self, message: str, code: str = "not_started") -> None:
        super().__init__(message)
        self.code = code


class ContainerFailedError(ContainerError):
    """The program in the container ended by itself, or was killed, with an exit status.

    `status` is that status: 128 + n for a program killed by signal n.
    """

    def __init__(self, message: str, status: int, code: str = "failed") -> None:
        super().__init__(message, code)
        self.status = status


def explain_exit(
    plan: Plan, output: Path, ended: Exit, last_lines: Sequence[str]
) -> ContainerFailedError:
    """The error for a program that was to write to `output`, and ended with a status but 0."""
    code, sentence = _explain(plan, output, ended, "\n".join(last_lines))
    said = "".join(f"\n  {line}" for line in last_lines) or " nothing"
    message = f"{sentence}.\nIts exit status was {ended.status}, and it said last:{said}"
    return ContainerFailedError(message, ended.status, code)


def _explain(plan: Plan, output: Path, ended: Exit, said: str) -> tuple[str, str]:
    name = plan.job.program
    if ended.out_of_memory:
        return "out_of_memory", (
            f"{name} was killed by the kernel, for it took more than the {plan.memory_mb} MB of "
            "memory that it may have: raise containers.memory_mb"
        )
    if _NO_GPU_MEMORY.search(said):
        return "gpu_out_of_memory", (
            f"{name} ran out of memory on the graphics card: end what else runs on it (nvidia-smi "
            "shows that), or take a card with more memory"
        )
    if _NO_SHARED_MEMORY.search(said):
        return "failed", (
            f"{name} failed, and seems to have run out of shared memory: raise containers.shm_mb"
        )
    if NO_SPACE.search(said) or _is_full(output):
        return "disk_full", (
            f"{name} failed because a disk is full: make room where {output} lies (df -h shows "
            "how much there is), or move the results to a larger one"
        )
    if ended.status in _NOT_STARTED and _NO_PROGRAM.search(said):
        return "failed", (
            f"there is no program {plan.command[0]} in the image of {name}: build it again as "
            f"{plan.entry.page} says, or correct its entry in {plan.settings['images']}"
        )
    if ended.status == KILLED_STATUS:
        return "failed", (
            f"{name} was killed, by hand or by the kernel because the whole machine ran out of "
            "memory: run fewer jobs at once (--cores)"
        )
    return "failed", f"{name} failed; what it said tells why"


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _FULL_BYTES
    except OSError:
        return False
