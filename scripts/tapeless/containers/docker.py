"""Containers of the Docker daemon, by its SDK.

A container has the ids of this user, no network, no capabilities, and a root file system that it
cannot write to: what it writes goes to the job's one writable mount, or to /tmp, in memory.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest, LogConfig, Ulimit
from docker.types import Mount as DockerMount

from tapeless.containers import docker_faults
from tapeless.containers.errors import ContainerError
from tapeless.containers.images import ImageEntry, mismatch, pin, require_pinned
from tapeless.containers.owners import PREFIX, is_leftover
from tapeless.containers.plans import Plan
from tapeless.containers.supervision import Exit, Running

log = logging.getLogger(__name__)

_ANSWER_LIMIT_S = 120
_CHUNK_BYTES = 1 << 16
_MB = 1 << 20
_NO_GPU = "void"
_TMPFS = "rw,exec,nosuid,nodev,mode=1777"
_DRIVER_PARTS = ["gpu", "compute", "utility", "graphics", "video"]
_HEADER = struct.Struct(">BxxxL")

Failures = (DockerException, requests.RequestException)


def prepare(plan: Plan) -> DockerProgram:
    """Finds the image that is pinned for a job, by its digest, and pulls it if that is allowed.

    Raises:
        ContainerError: if there is no daemon, no such image, or another one in its place.
    """
    pinned = plan.entry.docker
    digest = require_pinned(plan.entry, pinned, plan.settings)
    client = connect()
    with docker_faults.translated(plan):
        image = _find_image(client, plan, digest)
    return DockerProgram(client, plan, image, pinned.image, digest)


def connect(answer_limit_s: int = _ANSWER_LIMIT_S) -> docker.DockerClient:
    """The Docker daemon that DOCKER_HOST or Docker's context names, else that of the machine.

    `answer_limit_s` is how long it may take over each answer.

    Raises:
        ContainerError: if it does not answer, or this user may not ask it.
    """
    try:
        return docker.from_env(timeout=answer_limit_s)
    except Failures as error:
        raise docker_faults.explain_connection(error) from error


def read_digest(entry: ImageEntry) -> str:
    """The id of the image that has the entry's name.

    Raises:
        ContainerError: if there is no daemon, or no such image.
    """
    client = connect()
    try:
        return str(client.api.inspect_image(entry.docker.image)["Id"])
    except ImageNotFound as error:
        raise ContainerError(docker_faults.unknown_image(entry)) from error
    except Failures as error:
        raise docker_faults.explain_connection(error) from error


def remove_leftovers() -> int:
    """Removes the containers of this user's jobs that were killed; how many there were."""
    try:
        client = docker.from_env(timeout=_ANSWER_LIMIT_S)
        return _remove_leftovers(client)
    except Failures as error:
        log.debug("Docker has no leftovers, for it does not answer: %s", error)
        return 0


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
    except Failures as error:
        if not (isinstance(error, APIError) and error.status_code == requests.codes.conflict):
            log.error("container %s is still there; remove it: docker rm -f %s", name, name)


def _find_image(client: docker.DockerClient, plan: Plan, digest: str) -> str:
    """The id of the image with a digest: its own id, or that of a registry."""
    name = plan.entry.docker.image
    for reference in (digest, f"{name}@{digest}"):
        if (found := _inspect_image(client, reference)) is not None:
            _warn_if_renamed(client, plan, str(found))
            return str(found)
    if (other := _inspect_image(client, name)) is not None:
        where = f"the image {name} on this machine"
        raise ContainerError(mismatch(plan.entry, where, other, plan.settings))
    if not plan.settings["pull"]:
        raise ContainerError(docker_faults.unknown_image(plan.entry))
    log.info("pulling %s@%s", name, digest)
    try:
        client.api.pull(f"{name}@{digest}")
    except APIError as error:
        raise ContainerError(docker_faults.cannot_fetch(plan.entry, error)) from error
    return str(_inspect_image(client, f"{name}@{digest}"))


def _inspect_image(client: docker.DockerClient, reference: str | None) -> str | None:
    try:
        return str(client.api.inspect_image(reference)["Id"])
    except (ImageNotFound, docker.errors.NullResource):
        return None


def _warn_if_renamed(client: docker.DockerClient, plan: Plan, image: str) -> None:
    name = plan.entry.docker.image
    if (other := _inspect_image(client, name)) not in (None, image):
        log.warning(
            "%s is now another image (%s); the one that is pinned is run. To take the new one: %s",
            name,
            other,
            pin(plan.entry),
        )


class DockerProgram:
    """A job whose image was found; `start` runs it."""

    memory_is = "anonymous and shared memory of the container, by docker stats"

    def __init__(
        self,
        client: docker.DockerClient,
        plan: Plan,
        image_id: str,
        image: str | None,
        digest: str | None,
    ) -> None:
        self.image = image
        self.digest = digest
        self._client = client
        self._plan = plan
        self._image_id = image_id

    @contextmanager
    def start(self) -> Iterator[Running]:
        """Runs the container, which is removed when the block is left.

        Raises:
            ContainerError: if the daemon cannot start it.
        """
        api = self._client.api
        name = f"tapeless-{self._plan.job.program}-{uuid.uuid4().hex[:12]}"
        with docker_faults.translated(self._plan):
            _remove_leftovers(self._client)
            try:
                created = api.create_container(name=name, **self._options())
                for warning in created.get("Warnings") or ():
                    log.info("Docker says: %s", warning)
                said = api.attach_socket(name, {"stdout": 1, "stderr": 1, "stream": 1})
                try:
                    api.start(name)
                    yield _Container(self._client, name, said)
                finally:
                    _hang_up(said)
            finally:
                _remove(self._client, name)

    def _options(self) -> dict[str, Any]:
        """What the container is: the arguments of the SDK's create_container."""
        plan, ports = self._plan, self._plan.settings["ports"]
        return {
            "image": self._image_id,
            "entrypoint": list(plan.command[:1]),  # not what the image names
            "command": list(plan.command[1:]),
            "working_dir": plan.entry.workdir,
            "user": f"{os.getuid()}:{os.getgid()}",
            "environment": _environment(plan),
            "labels": dict(plan.labels),
            "ports": [_port(port) for port in ports],
            "host_config": self._host_config(),
        }

    def _host_config(self) -> Any:  # noqa: ANN401 - a dict of the SDK
        plan, settings = self._plan, self._plan.settings
        ports = {port: ("127.0.0.1", seen_at) for port, seen_at in settings["ports"].items()}
        return self._client.api.create_host_config(
            mounts=[
                DockerMount(bind.target, bind.source, type="bind", read_only=not bind.writable)
                for bind in plan.binds
            ],
            tmpfs={"/tmp": _TMPFS},
            read_only=True,
            network_mode="bridge" if ports else "none",
            port_bindings=ports or None,
            shm_size=settings["shm_mb"] * _MB,
            mem_limit=plan.memory_mb * _MB,
            memswap_limit=plan.memory_mb * _MB,
            ulimits=[Ulimit(name=n, soft=v, hard=v) for n, v in settings["ulimits"].items()],
            device_requests=_device_requests(plan),
            group_add=[str(group) for group in os.getgroups()],
            cap_drop=["ALL"],
            # Root reads and writes whatever the permissions, as it does outside.
            cap_add=["DAC_OVERRIDE"] if os.getuid() == 0 else None,
            security_opt=["no-new-privileges"],
            init=True,
            # All is read as it comes; the daemon need not fill its disk with it.
            log_config=LogConfig(type="none"),
        )


def _device_requests(plan: Plan) -> list[DeviceRequest] | None:
    if not plan.job.gpus:
        return None
    return [DeviceRequest(device_ids=list(plan.job.gpus), capabilities=[_DRIVER_PARTS])]


def _environment(plan: Plan) -> dict[str, str]:
    """The variables: a home to write to, and a name, since the user has none in the image."""
    own = {"HOME": "/tmp", "USER": "tapeless", "LOGNAME": "tapeless"}
    if not plan.job.gpus:
        own["NVIDIA_VISIBLE_DEVICES"] = _NO_GPU  # an image may ask for all
    return own | plan.environment


def _port(port: str) -> tuple[str, str]:
    number, _, protocol = port.partition("/")
    return number, protocol or "tcp"


def _hang_up(said: Any) -> None:  # noqa: ANN401 - the SDK's, of a kind for each transport
    """Reads no more of what a container says; the daemon would wait for it with the removal."""
    with suppress(OSError):
        getattr(said, "_sock", said).shutdown(socket.SHUT_RDWR)
    said.close()


class _Container:
    """A container at work."""

    def __init__(self, client: docker.DockerClient, name: str, said: Any) -> None:  # noqa: ANN401
        self._client = client
        self._name = name
        self._said = said
        self._frames = _Frames()

    def fileno(self) -> int:
        return int(self._said.fileno())

    def read(self) -> list[tuple[int, bytes]] | None:
        data = self._said.read(_CHUNK_BYTES)
        return list(self._frames.feed(data)) if data else None

    def poll(self) -> Exit | None:
        state = self._client.api.inspect_container(self._name)["State"]
        if state["Status"] not in ("exited", "dead"):
            return None
        return Exit(int(state["ExitCode"]), bool(state["OOMKilled"]))

    def memory_mb(self) -> float | None:
        """What cannot be given back: without the cache of files, but with shared memory."""
        try:
            stats = self._client.api.stats(self._name, stream=False, one_shot=True)
            parts = stats["memory_stats"]["stats"]
            # The control groups' version 1 has the sums with those below it under other names.
            names = [n for n in ("total_active_anon", "total_inactive_anon") if n in parts]
            return float(sum(parts[n] for n in names or ("active_anon", "inactive_anon"))) / _MB
        except (*Failures, KeyError, json.JSONDecodeError):
            return None  # it ends just now


class _Frames:
    """Cuts what Docker sends into what the container said on each stream.

    Each frame is a header of 8 bytes, the stream and the length of what follows, and that.
    """

    def __init__(self) -> None:
        self._header = b""
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Takes in the next bytes; gives what they hold, with its stream."""
        while data:
            if not self._left:
                wanted = _HEADER.size - len(self._header)
                self._header += data[:wanted]
                data = data[wanted:]
                if len(self._header) == _HEADER.size:
                    self._stream, self._left = _HEADER.unpack(self._header)
                    self._header = b""
                continue
            part, data = data[: self._left], data[self._left :]
            self._left -= len(part)
            yield self._stream, part
