"""A job as the scripts of stages see it, and stages run as one job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, Protocol

from tapeless.heap import keep_freed_memory

log = logging.getLogger(__name__)


class Job(Protocol):
    """What Snakemake hands to a script: files, parameters and values by the names of its rule."""

    input: Any
    output: Any
    params: Any
    log: Any
    resources: Any
    config: Any
    wildcards: Any
    rule: str
    threads: int


Stage = Callable[[Job], None]
"""What a stage does in a job: the function `run` of its script."""


def run_stages(job: Job, stages: Iterable[Stage]) -> None:
    """Runs stages in their order as one job, which starts Python and loads its libraries once.

    It keeps the memory that it frees (`keep_freed_memory`).
    What a stage reads may be what one before it wrote: the job's inputs and outputs have one name
    each among all of them, the one that they have in the rule of the stage.
    """
    keep_freed_memory()
    files = SimpleNamespace(**dict(job.input.items()), **dict(job.output.items()))
    part = SimpleNamespace(
        input=files,
        output=files,
        params=job.params,
        log=job.log,
        resources=job.resources,
        config=job.config,
        wildcards=job.wildcards,
        rule=job.rule,
        threads=job.threads,
    )
    for stage in stages:
        log.info("%s", stage.__module__)
        stage(part)
