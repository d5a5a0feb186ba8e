"""Images of the Docker daemon: the one that is pinned is run, whatever its name stands for now."""

from __future__ import annotations

import logging

import docker
from docker.errors import APIError, ImageNotFound

from tapeless.containers.docker_faults import cannot_fetch, unknown_image
from tapeless.containers.errors import ContainerError
from tapeless.containers.images import ImageEntry, mismatch, pin, require_pinned
from tapeless.containers.plans import Plan

log = logging.getLogger(__name__)


def find_pinned(client: docker.DockerClient, plan: Plan) -> str:
    """The id of the image that is pinned for a job; it is pulled if that is allowed.

    Raises:
        ContainerError: if there is no such image, or another one in its place.
        docker.errors.APIError: if the daemon refuses to look.
    """
    digest = require_pinned(plan.entry, plan.entry.docker, plan.settings)
    name = image_name(plan.entry)
    for reference in (digest, f"{name}@{digest}"):  # its own id, or that of a registry
        if (found := find_image(client, reference)) is not None:
            _warn_if_renamed(client, plan, found)
            return found
    if (other := find_image(client, name)) is not None:
        where = f"the image {name} on this machine"
        raise ContainerError(mismatch(plan.entry, where, other, plan.settings))
    if not plan.settings["pull"]:
        raise ContainerError(unknown_image(plan.entry))
    return _pull(client, plan.entry, f"{name}@{digest}")


def find_image(client: docker.DockerClient, reference: str) -> str | None:
    """The id of an image by its name, id, or name and digest; None if it is not there."""
    try:
        return str(client.api.inspect_image(reference)["Id"])
    except ImageNotFound:
        return None


def image_name(entry: ImageEntry) -> str:
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
    name = image_name(plan.entry)
    if (other := find_image(client, name)) not in (None, image):
        log.warning(
            "%s is now another image (%s); the one that is pinned is run. To take the new one: %s",
            name,
            other,
            pin(plan.entry),
        )
