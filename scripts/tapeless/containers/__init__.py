"""One door to containers: a program of `containers/images.yaml`, run to its end, and nothing left.

`run_container` runs a `Job` with Docker, Apptainer or on this machine itself, whichever the
configuration says. Paths are the same inside as outside, so a job need not know which. A stage runs
its program by its `Allowance`, which holds the cards meanwhile.
"""

from tapeless.containers.allowances import Allowance
from tapeless.containers.errors import ContainerError, ContainerFailedError
from tapeless.containers.images import ImageEntry, load_images, pinned_digest
from tapeless.containers.jobs import Job, Mount
from tapeless.containers.supervision import read_digest, remove_leftovers, run_container
from tapeless.containers.usage import expect_usage

__all__ = [
    "Allowance",
    "ContainerError",
    "ContainerFailedError",
    "ImageEntry",
    "Job",
    "Mount",
    "expect_usage",
    "load_images",
    "pinned_digest",
    "read_digest",
    "remove_leftovers",
    "run_container",
]
