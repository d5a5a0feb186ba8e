"""Containers of the Docker daemon, by its SDK.

The image that is pinned is run, whatever its name stands for now. A container has the ids of this
user, no network, no capabilities, and a root file system that it cannot write to: what it writes
goes to the job's one writable mount, or to /tmp, in memory.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from tapeless.containers.docker_container import Container, container_options
from tapeless.containers.docker_faults import (
    cannot_fetch,
    explain_connection,
    translated,
    unknown_image,
)
from tapeless.containers.errors import ContainerError
from tapeless.containers.images import ImageEntry, mismatch, pin, require_pinned
from tapeless.containers.jobs import LABEL_PREFIX, Plan, is_leftover
from tapeless.containers.supervision import Running

log = logging.getLogger(__name__)

_ANSWER_LIMIT_S = 120
_LEFTOVERS_LIMIT_S = 30
_FAILURES = (DockerException, requests.RequestException)


@contextmanager
def connect(answer_limit_s: int = _ANSWER_LIMIT_S) -> Iterator[docker.DockerClient]:
    """The Docker daemon that DOCKER_HOST or Docker's context names, else that of the machine.

    `answer_limit_s` is how long it may take over each answer.

    Raises:
        ContainerError: if it does not answer, or this user may not ask it.
    """
    try:
        client = docker.from_env(timeout=answer_limit_s)
    except _FAILURES as error:
        raise explain_connection(error) from error
    with closing(client):
        yield client


def prepare(plan: Plan) -> DockerProgram:
    """Finds the image that is pinned for a job, and pulls it if that is allowed.

    Raises:
        ContainerError: if there is no daemon, no such image, or another one in its place.
    """
    with connect() as client, translated(plan):
        return DockerProgram(plan, _find_pinned(client, plan))


def read_digest(entry: ImageEntry) -> str:
    """The id of the image that has the entry's name.

    Raises:
        ContainerError: if there is no daemon, or no such image.
    """
    with connect() as client:
        try:
            found = _find_image(client, _image_name(entry))
        except _FAILURES as error:
            raise explain_connection(error) from error
    if found is None:
        raise ContainerError(unknown_image(entry))
    return found


def remove_leftovers() -> int:
    """Removes the containers of this user's jobs that were killed; how many there were."""
    try:
        with connect(_LEFTOVERS_LIMIT_S) as client:
            return _remove_leftovers(client)
    except (ContainerError, *_FAILURES) as error:
        log.debug("Docker has no leftovers, for it does not answer: %s", error)
        return 0


class DockerProgram:
    """A job whose image was found; `start` runs it."""

    memory_is = "anonymous and shared memory of the container, by docker stats"

    def __init__(self, plan: Plan, image_id: str) -> None:
        self.image = plan.entry.docker.image
        self.digest = plan.entry.docker.digest
        self._plan = plan
        self._image_id = image_id

    @contextmanager
    def start(self) -> Iterator[Running]:
        """Runs the container, which is removed when the block is left.

        Raises:
            ContainerError: if the daemon cannot start it, or no longer answers.
        """
        name = f"tapeless-{self._plan.job.program}-{uuid.uuid4().hex[:12]}"
        with connect() as client, translated(self._plan):
            _remove_leftovers(client)
            options = container_options(client, self._plan, self._image_id)
            try:
                created = client.api.create_container(name=name, **options)
                for warning in created.get("Warnings") or ():
                    log.info("Docker says: %s", warning)
                with closing(Container(client, name)) as container:
                    client.api.start(name)
                    yield container
            finally:
                _remove(client, name)


def _remove_leftovers(client: docker.DockerClient) -> int:
    found = client.api.containers(all=True, filters={"label": [f"{LABEL_PREFIX}pid"]})
    leftovers = [container for container in found if is_leftover(container["Labels"])]
    for container in leftovers:
        names = ", ".join(name.lstrip("/") for name in container["Names"])
        log.warning("removing container %s, left behind by a killed job", names)
        _remove(client, container["Id"])
    return len(leftovers)


def _remove(client: docker.DockerClient, name: str) -> None:
    """Stops and removes a container; others may be doing so, too."""
    try:
        client.api.remove_container(name, v=True, force=True)
    except NotFound:
        pass
    except _FAILURES as error:
        if not (isinstance(error, APIError) and error.status_code == requests.codes.conflict):
            log.error("container %s may still be there; remove it: docker rm -f %s", name, name)


def _find_pinned(client: docker.DockerClient, plan: Plan) -> str:
    """The id of the image that is pinned for a job; it is pulled if that is allowed.

    Raises:
        ContainerError: if there is no such image, or another one in its place.
        docker.errors.APIError: if the daemon refuses to look.
    """
    digest = require_pinned(plan.entry, plan.entry.docker, plan.settings)
    name = _image_name(plan.entry)
    for reference in (digest, f"{name}@{digest}"):  # its own id, or that of a registry
        if (found := _find_image(client, reference)) is not None:
            _warn_if_renamed(client, plan, found)
            return found
    if (other := _find_image(client, name)) is not None:
        where = f"the image {name} on this machine"
        raise ContainerError(mismatch(plan.entry, where, other, plan.settings))
    if not plan.settings["pull"]:
        raise ContainerError(unknown_image(plan.entry))
    return _pull(client, plan.entry, f"{name}@{digest}")


def _find_image(client: docker.DockerClient, reference: str) -> str | None:
    """The id of an image by its name, id, or name and digest; None if it is not there."""
    try:
        return str(client.api.inspect_image(reference)["Id"])
    except ImageNotFound:
        return None


def _image_name(entry: ImageEntry) -> str:
    """The name of a program's image.

    Raises:
        ContainerError: if it has none.
    """
    if entry.docker.image is None:
        raise ContainerError(
            f"the file of images names no image of Docker for {entry.name}: build one as "
            f"{entry.page} says, and write its name down as docker.image"
        )
    return entry.docker.image


def _pull(client: docker.DockerClient, entry: ImageEntry, reference: str) -> str:
    log.info("pulling %s", reference)
    try:
        client.api.pull(reference)
        return str(client.api.inspect_image(reference)["Id"])
    except APIError as error:
        raise ContainerError(cannot_fetch(entry, error)) from error


def _warn_if_renamed(client: docker.DockerClient, plan: Plan, image: str) -> None:
    name = _image_name(plan.entry)
    if (other := _find_image(client, name)) not in (None, image):
        log.warning(
            "%s is now another image (%s); the one that is pinned is run. To take the new one: %s",
            name,
            other,
            pin(plan.entry),
        )
