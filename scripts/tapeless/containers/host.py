"""Programs that are installed on this machine, in the place of a container.

They see what this user sees: there is no image, no read-only input and no closed network.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tapeless.containers.errors import ContainerError
from tapeless.containers.images import ImageEntry
from tapeless.containers.plans import Plan
from tapeless.containers.processes import LABELS_VARIABLE, MEMORY_IS, remove_leftovers, run_process
from tapeless.containers.supervision import Running

__all__ = ["prepare", "read_digest", "remove_leftovers"]


def prepare(plan: Plan) -> HostProgram:
    """Makes sure that a program is installed, and that it would find its files.

    Raises:
        ContainerError: if it is not, or a mount is to have another path inside than outside.
    """
    program = plan.entry.host_program
    where = f"the entry {plan.entry.name} of {plan.settings['images']}"
    if program is None:
        raise ContainerError(
            f"containers.runtime is host, but {where} does not say what to run: install the "
            f"program ({plan.entry.page}), and name it and its folder in host"
        )
    if shutil.which(program[0], path=_search_path(plan)) is None:
        raise ContainerError(
            f"{program[0]} is not installed on this machine: install it ({plan.entry.page}), or "
            f"correct host.program in {where}, or choose another containers.runtime"
        )
    workdir = plan.entry.host_workdir
    if workdir is not None and not Path(workdir).is_dir():
        raise ContainerError(f"{workdir} is no folder: correct host.workdir in {where}")
    for bind in plan.binds:
        if not _is_same(bind.source, bind.target):
            raise ContainerError(
                f"{plan.job.program} looks for {bind.source} at {bind.target}, and on the host "
                f"nothing can be mounted: make {bind.target} a link to it, or correct host in "
                f"{where}, or choose another containers.runtime"
            )
    return HostProgram(plan, program)


def read_digest(entry: ImageEntry) -> None:
    """None: what is installed on the host has no digest."""


class HostProgram:
    """A job whose program was found; `start` runs it."""

    image = None
    digest = None
    memory_is = MEMORY_IS

    def __init__(self, plan: Plan, program: tuple[str, ...]) -> None:
        self._plan = plan
        self._command = [*program, *plan.job.arguments]

    @contextmanager
    def start(self) -> Iterator[Running]:
        """Runs the program, which is ended when the block is left."""
        remove_leftovers()
        plan = self._plan
        gpus = ",".join(plan.job.gpus)
        environment = os.environ | {
            "CUDA_VISIBLE_DEVICES": gpus,
            "NVIDIA_VISIBLE_DEVICES": gpus or "void",
            LABELS_VARIABLE: json.dumps(dict(plan.labels)),
        }
        with run_process(
            self._command,
            workdir=plan.entry.host_workdir,
            environment=environment | plan.environment,
            ulimits=plan.settings["ulimits"],
        ) as running:
            yield running


def _search_path(plan: Plan) -> str | None:
    return plan.environment.get("PATH")


def _is_same(source: str, target: str) -> bool:
    return source == target or (Path(target).exists() and Path(source).samefile(target))
