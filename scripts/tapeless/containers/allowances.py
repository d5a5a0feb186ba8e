"""What a stage may use of the machine for its program, which runs in a container."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapeless.containers.jobs import Job, Mount
from tapeless.containers.supervision import run_container
from tapeless.gpus import take_gpus

if TYPE_CHECKING:
    from tapeless.jobs import Job as StageJob


@dataclass(frozen=True)
class Allowance:
    """No result depends on it.

    Args:
        settings: the section `containers` of the configuration.
        labels: say what the container is for, such as rule and video.
        gpus: how many graphics cards.
        memory_mb: limit of memory; None for that of the configuration.
        usage_file: is written as `run_container` says.
    """

    settings: Mapping[str, Any]
    labels: Mapping[str, str]
    gpus: int = 0
    memory_mb: int | None = None
    usage_file: Path | None = None

    @classmethod
    def of(cls, job: StageJob) -> Allowance:
        """That of a job of Snakemake, one of whose logs is named `usage`."""
        return cls(
            settings=job.config["containers"],
            labels={"rule": job.rule, "video": job.wildcards.video},
            gpus=job.resources.gpu,
            memory_mb=job.resources.mem_mb,
            usage_file=Path(job.log.usage),
        )

    def run(
        self,
        program: str,
        arguments: tuple[str, ...],
        mounts: tuple[Mount, ...],
        *,
        videos: int = 1,
        listener: Callable[[str], None] | None = None,
    ) -> None:
        """Waits for the cards, and runs a program on them to its end, as `run_container` does.

        Raises:
            GpuError: if there are no such cards.
            ContainerError: if it cannot be run, fails, or takes too long.
        """
        with take_gpus(self.gpus) as gpus:
            job = Job(program, arguments, mounts, self.labels, gpus, self.memory_mb)
            run_container(
                job,
                self.settings,
                videos=videos,
                usage_file=self.usage_file,
                listener=listener,
            )
