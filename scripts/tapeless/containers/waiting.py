"""Which videos of a run wait for a container, told by the run to its jobs.

Only a run whose jobs share the cards of this machine says so: on a cluster each job waits for a
card of its own, and must not sit on it while another one's container does its work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from tapeless.containers.sharing import Sharing
from tapeless.jobs import Job
from tapeless.writing import write_json

WAITING_FILE = Path(".snakemake/tapeless.waiting.json")


def write_waiting(videos: Mapping[str, Sequence[str]]) -> None:
    """Writes down, for the jobs of a run that begins, which videos each rule is going to do."""
    if videos:
        write_json(WAITING_FILE, {"run": uuid4().hex, "videos": videos})
    else:
        WAITING_FILE.unlink(missing_ok=True)


def find_sharing(job: Job) -> Sharing:
    """Who may be taken along by a job that writes one directory, `videos/<video>/<stage>`.

    Nobody if it has no card, or if its run has not said who waits. All of its parameter `settled`
    decides the result.
    """
    stage = Path(job.output[0]).absolute()
    containers = job.config["containers"]
    settled = {key: containers[key] for key in ("runtime", "environment")} | job.params.settled
    most = containers["videos_per_container"] - 1 if job.resources.gpu else 0
    if most < 1 or not WAITING_FILE.exists():
        return Sharing(stage, settled)
    told = json.loads(WAITING_FILE.read_text(encoding="utf-8"))
    videos = told["videos"].get(job.rule, ())
    others = tuple(stage.parents[1] / video / stage.name for video in videos)
    return Sharing(stage, settled, others, most if others else 0, told["run"])
