"""The run of a job, from finding its image to the record of what it used."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from tapeless.containers.faults import explain_exit
from tapeless.containers.images import ImageEntry, find_entry
from tapeless.containers.jobs import Job
from tapeless.containers.lines import Output
from tapeless.containers.plans import Plan, make_plan
from tapeless.containers.supervision import Program, hold_signals, supervise
from tapeless.containers.usage import Usage, record_usage

log = logging.getLogger(__name__)

_RUNTIMES = ("docker", "apptainer", "host")


class Runtime(Protocol):
    """What the module of a runtime has: `docker`, `apptainer`, `host`."""

    def prepare(self, plan: Plan) -> Program:
        """Finds the image of a job and makes sure that it is the one pinned."""

    def read_digest(self, entry: ImageEntry) -> str | None:
        """The digest of a program's image as it is on this machine; None where there are none."""

    def remove_leftovers(self) -> int:
        """Removes what killed jobs left behind."""


def run_container(
    job: Job,
    settings: Mapping[str, Any],
    *,
    usage_file: Path | None = None,
    listener: Callable[[str], None] | None = None,
) -> None:
    """Runs a job to its end; whatever happens, nothing of it runs on.

    Args:
        job: what to run.
        settings: the section `containers` of the configuration, with all its keys.
        usage_file: gets what was used and how it ended, as JSON; also if it fails.
        listener: is called with each line that the program says; if it raises, the program is
            stopped. Each line also goes to the log of `tapeless.containers.<program>`.

    Raises:
        ContainerFailedError: if the program does not end with status 0.
        ContainerError: if it cannot be started, or takes too long.
        KeyboardInterrupt, SystemExit: if SIGINT, or SIGTERM or SIGHUP, came meanwhile.
    """
    output = Output(job.program, listener)
    with record_usage(usage_file, job.program, settings["runtime"], job.gpus) as usage:
        plan = make_plan(job, settings)
        program = load_runtime(settings["runtime"]).prepare(plan)
        usage.facts |= {
            "image": program.image,
            "digest": program.digest,
            "memory_is": program.memory_is,
        }
        _run(plan, program, output, usage)


def _run(plan: Plan, program: Program, output: Output, usage: Usage) -> None:
    with hold_signals() as interruption:
        try:
            with program.start() as running, usage.sample(running.memory_mb):
                ended = supervise(running, output, plan.time_limit_s, interruption)
        finally:
            output.finish()
        if ended.status != 0:
            raise explain_exit(plan, ended, output.last_lines)
        if ended.out_of_memory:
            log.warning("a part of %s was killed for want of memory", plan.job.program)


def remove_leftovers() -> int:
    """Removes what jobs of this user on this machine left behind when they were killed.

    That is every container or program, in whatever runtime, whose job's process is no more. A
    runtime that is not here, or does not answer, has none. Returns how many there were.
    """
    return sum(load_runtime(name).remove_leftovers() for name in ("docker", "host"))


def read_digest(program: str, settings: Mapping[str, Any]) -> str | None:
    """The digest of a program's image as it is on this machine now; None for the host.

    Raises:
        ContainerError: if it is not there, or the runtime does not answer.
    """
    return load_runtime(settings["runtime"]).read_digest(find_entry(program, settings))


def load_runtime(name: str) -> Runtime:
    """The module of a runtime; not before it is needed, for Docker's library is large."""
    if name not in _RUNTIMES:
        raise ValueError(f"no runtime {name!r}; there are {', '.join(_RUNTIMES)}")
    return cast(Runtime, importlib.import_module(f"tapeless.containers.{name}"))
