"""What Docker's daemon says when it cannot, put into sentences that say what to do."""

from __future__ import annotations

import errno
import getpass
import grp
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from docker.context import ContextAPI
from docker.errors import APIError, DockerException

from tapeless.containers.errors import NO_SPACE, ContainerError
from tapeless.containers.images import ImageEntry, pin
from tapeless.containers.jobs import Plan

_SOCKET = "/var/run/docker.sock"
_UNIX = "unix://"


def explain_connection(error: BaseException) -> ContainerError:
    """The error for a daemon that cannot be spoken to."""
    address, others = _find_address()
    numbers = set(_find_errnos(error))
    if numbers & {errno.EACCES, errno.EPERM}:
        group = _group_of(address.removeprefix(_UNIX))
        how = f"it is another user's; {others}"
        if group is not None:
            how = (
                f"join the group {group} with: sudo usermod -aG {group} {_user()}; then log out "
                "and in again"
            )
        return ContainerError(f"this user may not use Docker ({address}): {how}")
    how = f"start it, or {others}"
    if address == _UNIX + _SOCKET:
        how = (
            "start it: sudo systemctl start docker, or install it: docs/reference-route.md says how"
        )
    why = "" if numbers & {errno.ENOENT, errno.ECONNREFUSED} else f" ({error})"
    return ContainerError(f"no Docker daemon answers at {address}{why}: {how}")


def _find_address() -> tuple[str, str]:
    """Where Docker's library looks for the daemon, and how to make it look elsewhere."""
    if address := os.environ.get("DOCKER_HOST"):
        return address, "correct or unset DOCKER_HOST"
    with suppress(DockerException):
        if address := ContextAPI.kwargs_from_context().get("base_url"):
            return str(address), "choose another one of docker context ls with: docker context use"
    return _UNIX + _SOCKET, "set DOCKER_HOST to that of yours"


def unknown_image(entry: ImageEntry) -> str:
    """The sentence about an image that is not on this machine."""
    return (
        f"the image {_describe(entry)} is not on this machine: build it as {entry.page} says, then "
        f"write its digest down with: {pin(entry)}. Where a registry has it, containers.pull: true "
        "fetches it"
    )


def cannot_fetch(entry: ImageEntry, error: APIError) -> str:
    """The sentence about an image that the registry does not give."""
    return (
        f"the image {_describe(entry)} is not on this machine and cannot be fetched: "
        f"{error.explanation or error}. If the registry asks who you are: docker login. Else get "
        f"the image as {entry.page} says"
    )


def _describe(entry: ImageEntry) -> str:
    digest = entry.docker.digest
    return f"{entry.docker.image}" if digest is None else f"{entry.docker.image} ({digest})"


@contextmanager
def translated(plan: Plan) -> Iterator[None]:
    """Turns what the daemon refuses in this block into a `ContainerError`."""
    try:
        yield
    except APIError as error:
        raise _explain(plan, error) from error
    except (DockerException, requests.RequestException) as error:
        raise ContainerError(
            f"the Docker daemon stopped answering while it was to run {plan.job.program}: look at "
            f"its log (sudo journalctl -u docker), and start again ({error})",
            "lost",
        ) from error


def _explain(plan: Plan, error: APIError) -> ContainerError:
    said = str(error.explanation or error)
    program = plan.job.program
    if "could not select device driver" in said:
        return ContainerError(
            f"Docker cannot give {program} a graphics card: install nvidia-container-toolkit, then "
            "sudo nvidia-ctk runtime configure --runtime=docker and sudo systemctl restart docker "
            f"(docs/reference-route.md). Docker said: {said}"
        )
    if "nvidia-container" in said:
        return ContainerError(
            f"NVIDIA's runtime cannot give {program} the graphics card {', '.join(plan.job.gpus)}: "
            "nvidia-smi -L must list it, and after an update of the driver the machine must be "
            f"started again. Docker said: {said}"
        )
    if NO_SPACE.search(said):
        return ContainerError(
            f"Docker cannot run {program} as its disk is full: make room with docker system prune, "
            f"or where Docker keeps its data (docker info). Docker said: {said}",
            "disk_full",
        )
    if "bind source path does not exist" in said or "error mounting" in said:
        return ContainerError(
            "Docker's daemon cannot mount what this user sees. Of a network drive that root may "
            "not read, choose containers.runtime: apptainer, or copy it to this machine. Docker "
            f"said: {said}"
        )
    if "No such container" in said:
        return ContainerError(
            f"somebody removed the container of {program} while it was at work: start again", "lost"
        )
    if "rlimit" in said:
        return ContainerError(
            f"Docker may not set a limit of containers.ulimits; correct it. Docker said: {said}"
        )
    return ContainerError(
        f"Docker cannot run {program}: {said}. If that does not tell what to do, look at the log "
        "of its daemon (sudo journalctl -u docker)"
    )


def _find_errnos(error: BaseException | None) -> Iterator[int]:
    """The numbers of all system errors that an error comes from."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        current = queue.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, OSError) and isinstance(current.errno, int):
            yield current.errno
        queue += [current.__cause__, current.__context__, *current.args]


def _group_of(socket: str) -> str | None:
    """The group whose members may use a socket; None if it is for its owner alone."""
    try:
        status = Path(socket).stat()
        return grp.getgrgid(status.st_gid).gr_name if status.st_mode & stat.S_IWGRP else None
    except (OSError, KeyError):
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "$USER"
