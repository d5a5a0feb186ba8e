"""Containers of the Docker daemon, by its SDK.

A container has the ids of this user, no network, no capabilities, and a root file system that it
cannot write to: what it writes goes to the job's one writable mount, or to /tmp, in memory.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
from docker.errors import APIError, DockerException, NotFound

from tapeless.containers.docker_container import Container
from tapeless.containers.docker_faults import explain_connection, translated, unknown_image
from tapeless.containers.docker_images import find_image, find_pinned, image_name
from tapeless.containers.docker_options import container_options
from tapeless.containers.errors import ContainerError
from tapeless.containers.images import ImageEntry
from tapeless.containers.owners import PREFIX, is_leftover
from tapeless.containers.plans import Plan
from tapeless.containers.supervision import Running

log = logging.getLogger(__name__)

_ANSWER_LIMIT_S = 120
_FAILURES = (DockerException, requests.RequestException)


def connect(answer_limit_s: int = _ANSWER_LIMIT_S) -> docker.DockerClient:
    """The Docker daemon that DOCKER_HOST or Docker's context names, else that of the machine.

    `answer_limit_s` is how long it may take over each answer.

    Raises:
        ContainerError: if it does not answer, or this user may not ask it.
    """
    try:
        return docker.from_env(timeout=answer_limit_s)
    except _FAILURES as error:
        raise explain_connection(error) from error


def prepare(plan: Plan) -> DockerProgram:
    """Finds the image that is pinned for a job, and pulls it if that is allowed.

    Raises:
        ContainerError: if there is no daemon, no such image, or another one in its place.
    """
    client = connect()
    with translated(plan):
        return DockerProgram(client, plan, find_pinned(client, plan))


def read_digest(entry: ImageEntry) -> str:
    """The id of the image that has the entry's name.

    Raises:
        ContainerError: if there is no daemon, or no such image.
    """
    client = connect()
    try:
        found = find_image(client, image_name(entry))
    except _FAILURES as error:
        raise explain_connection(error) from error
    if found is None:
        raise ContainerError(unknown_image(entry))
    return found


def remove_leftovers() -> int:
    """Removes the containers of this user's jobs that were killed; how many there were."""
    try:
        return _remove_leftovers(docker.from_env(timeout=_ANSWER_LIMIT_S))
    except _FAILURES as error:
        log.debug("Docker has no leftovers, for it does not answer: %s", error)
        return 0


class DockerProgram:
    """A job whose image was found; `start` runs it."""

    memory_is = "anonymous and shared memory of the container, by docker stats"

    def __init__(self, client: docker.DockerClient, plan: Plan, image_id: str) -> None:
        self.image = plan.entry.docker.image
        self.digest = plan.entry.docker.digest
        self._client = client
        self._plan = plan
        self._image_id = image_id

    @contextmanager
    def start(self) -> Iterator[Running]:
        """Runs the container, which is removed when the block is left.

        Raises:
            ContainerError: if the daemon cannot start it, or no longer answers.
        """
        name = f"tapeless-{self._plan.job.program}-{uuid.uuid4().hex[:12]}"
        with translated(self._plan):
            _remove_leftovers(self._client)
            options = container_options(self._client, self._plan, self._image_id)
            try:
                created = self._client.api.create_container(name=name, **options)
                for warning in created.get("Warnings") or ():
                    log.info("Docker says: %s", warning)
                container = Container(self._client, name)
                try:
                    self._client.api.start(name)
                    yield container
                finally:
                    container.hang_up()
            finally:
                _remove(self._client, name)


def _remove_leftovers(client: docker.DockerClient) -> int:
    found = client.api.containers(all=True, filters={"label": [f"{PREFIX}pid"]})
    leftovers = [container for container in found if is_leftover(container["Labels"])]
    for container in leftovers:
        log.warning("removing container %s, left behind by a killed job", container["Names"])
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
