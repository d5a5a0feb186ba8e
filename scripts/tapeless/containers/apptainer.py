"""Containers of Apptainer, a program that needs no daemon; clusters have it.

The command line follows Apptainer's documentation. It has not been run with a real Apptainer, only
with a stand-in. The limits of memory and of /dev/shm are Docker's only; on a cluster, the memory is
limited by its scheduler.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tapeless.checksums import checksum_file
from tapeless.containers.errors import ContainerError
from tapeless.containers.host import LABELS_VARIABLE, MEMORY_IS, remove_leftovers, run_process
from tapeless.containers.images import ImageEntry, mismatch, require_pinned
from tapeless.containers.jobs import Bind, Plan
from tapeless.containers.supervision import Running

__all__ = ["prepare", "read_digest", "remove_leftovers"]

_APPTAINER = "apptainer"


def prepare(plan: Plan) -> ApptainerProgram:
    """Finds Apptainer and the image's file, and makes sure that it is the one pinned.

    Raises:
        ContainerError: if either is missing, or the file's checksum is another one.
    """
    digest = require_pinned(plan.entry, plan.entry.apptainer, plan.settings)
    if shutil.which(_APPTAINER) is None:
        raise ContainerError(
            "apptainer is not installed on this machine: install it (on clusters: module load "
            "apptainer), or choose containers.runtime: docker; docs/reference-route.md says more"
        )
    if (found := read_digest(plan.entry)) != digest:
        where = f"the image {plan.entry.apptainer.image}"
        raise ContainerError(mismatch(plan.entry, where, found, plan.settings))
    return ApptainerProgram(plan, _image_file(plan.entry), digest)


def read_digest(entry: ImageEntry) -> str:
    """The checksum of a program's image file.

    Raises:
        ContainerError: if there is no such file.
    """
    image = _image_file(entry)
    try:
        return checksum_file(image)
    except OSError as error:
        raise ContainerError(
            f"the image {image} cannot be read ({error.strerror}): build it as {entry.page} says, "
            f"or correct apptainer.image of {entry.name} in the file of images"
        ) from error


def _image_file(entry: ImageEntry) -> Path:
    if entry.apptainer.image is None:
        raise ContainerError(
            f"the file of images names no image of Apptainer for {entry.name}: build one as "
            f"{entry.page} says, and write its path down as apptainer.image"
        )
    return Path(entry.apptainer.image).expanduser()


class ApptainerProgram:
    """A job whose image was found; `start` runs it."""

    memory_is = MEMORY_IS

    def __init__(self, plan: Plan, image: Path, digest: str) -> None:
        self.image = str(image)
        self.digest = digest
        self._plan = plan

    @contextmanager
    def start(self) -> Iterator[Running]:
        """Runs the container, which is ended when the block is left."""
        remove_leftovers()
        # Else /tmp and the home inside are in memory, and have 64 MB.
        with (
            TemporaryDirectory(prefix="tapeless-", ignore_cleanup_errors=True) as scratch,
            run_process(
                _command(self._plan, self.image, scratch),
                workdir=None,
                environment=os.environ | _environment(self._plan),
                ulimits=self._plan.settings["ulimits"],
            ) as running,
        ):
            yield running


def _command(plan: Plan, image: str, scratch: str) -> list[str]:
    """The command line: nothing of this machine is inside, but what the job mounts."""
    options = ["--containall", "--cleanenv", "--workdir", scratch, "--pwd", plan.entry.workdir]
    if not plan.settings["ports"]:
        options += ["--net", "--network", "none"]
    if plan.job.gpus:
        options += ["--nv"]
    for bind in plan.binds:
        options += ["--mount", _mount(bind)]
    return [_APPTAINER, "exec", *options, image, *plan.command]


def _environment(plan: Plan) -> dict[str, str]:
    """The variables inside, as Apptainer takes them: --env would cut them at commas."""
    gpus = ",".join(plan.job.gpus)
    inside = {
        "CUDA_VISIBLE_DEVICES": gpus,
        "NVIDIA_VISIBLE_DEVICES": gpus or "void",
        LABELS_VARIABLE: json.dumps(dict(plan.labels)),
        **plan.environment,
    }
    own = {LABELS_VARIABLE: inside[LABELS_VARIABLE]}
    return own | {f"APPTAINERENV_{name}": value for name, value in inside.items()}


def _mount(bind: Bind) -> str:
    fields = ["type=bind", f"src={bind.source}", f"dst={bind.target}"]
    return _as_csv(fields if bind.writable else [*fields, "ro"])


def _as_csv(fields: Sequence[str]) -> str:
    """Fields in one line of CSV, which is what --mount reads: names may hold commas."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()
