"""A container of Docker: what it is, may do and may use; and at work, what it says and uses."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import docker
import requests
from docker.errors import DockerException
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from tapeless.containers.jobs import Plan
from tapeless.containers.supervision import Exit

_CHUNK_BYTES = 1 << 16
_MB = 1 << 20
_HEADER = struct.Struct(">BxxxL")
_NO_GPU = "void"
_DRIVER_PARTS = ["gpu", "compute", "utility", "graphics", "video"]
_TMP_OPTIONS = "rw,exec,nosuid,nodev,mode=1777"
_MOST_THREADS = 4096
"""Of all processes of a container; libraries start some for each core, and several of them do."""


def container_options(client: docker.DockerClient, plan: Plan, image: str) -> dict[str, Any]:
    """The arguments of the SDK's create_container for a job in an image (its id)."""
    program, *arguments = plan.command
    security = client.info().get("SecurityOptions") or []
    # Root inside is then the user who runs the daemon; any other id would be a stranger's.
    is_rootless = "name=rootless" in security
    user = "0:0" if is_rootless else f"{os.getuid()}:{os.getgid()}"
    own: dict[str, Any] = {
        "userns_mode": "host" if "name=userns" in security else None,
        "group_add": None if is_rootless else [str(group) for group in os.getgroups()],
        # Root reads and writes whatever the permissions, as it does outside.
        "cap_add": ["DAC_OVERRIDE"] if user.startswith("0:") else None,
    }
    return {
        "image": image,
        "entrypoint": [program],  # not what the image names
        "command": arguments,
        "working_dir": plan.entry.workdir,
        "user": user,
        "environment": _environment(plan),
        "labels": dict(plan.labels),
        "ports": [_port(port) for port in plan.settings["ports"]],
        "host_config": client.api.create_host_config(**own, **_limits(plan), **_confinement(plan)),
    }


def _confinement(plan: Plan) -> dict[str, Any]:
    """What it sees, and what it may not do."""
    ports: Mapping[str, int] = plan.settings["ports"]
    return {
        "mounts": [
            Mount(bind.target, bind.source, type="bind", read_only=not bind.writable)
            for bind in plan.binds
        ],
        "read_only": True,
        "tmpfs": {"/tmp": _TMP_OPTIONS},
        "network_mode": "bridge" if ports else "none",
        "port_bindings": {port: ("127.0.0.1", seen_at) for port, seen_at in ports.items()},
        "device_requests": _device_requests(plan),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
        # All is read as it comes; the daemon need not fill its disk with it.
        "log_config": LogConfig(type="none"),
    }


def _limits(plan: Plan) -> dict[str, Any]:
    ulimits: Mapping[str, int] = {"core": 0, **plan.settings["ulimits"]}  # dumps hold pictures
    return {
        "shm_size": plan.settings["shm_mb"] * _MB,
        "mem_limit": plan.memory_mb * _MB,
        "memswap_limit": plan.memory_mb * _MB,
        "pids_limit": _MOST_THREADS,
        "ulimits": [Ulimit(name=name, soft=n, hard=n) for name, n in ulimits.items()],
    }


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


class Container:
    """A container that this process listens to, from before its start.

    Raises:
        docker.errors.APIError: from here and from `poll`, if there is no such container.
    """

    def __init__(self, client: docker.DockerClient, name: str) -> None:
        self._api = client.api
        self._name = name
        self._frames = _Frames()
        self._said: Any = self._api.attach_socket(name, {"stdout": 1, "stderr": 1, "stream": 1})

    def fileno(self) -> int:
        """What can be waited on for output."""
        return int(self._said.fileno())

    def read(self) -> list[tuple[int, bytes]] | None:
        """What it said, by stream; None when it says no more."""
        data = self._said.read(_CHUNK_BYTES)
        return list(self._frames.feed(data)) if data else None

    def poll(self) -> Exit | None:
        """How it ended; None while it runs."""
        state = self._api.inspect_container(self._name)["State"]
        if state["Status"] not in ("exited", "dead"):
            return None
        return Exit(int(state["ExitCode"]), bool(state["OOMKilled"]))

    def memory_mb(self) -> float | None:
        """What cannot be given back: without the cache of files, but with shared memory."""
        try:
            stats = self._api.stats(self._name, stream=False, one_shot=True)
            parts = stats["memory_stats"]["stats"]
            # The control groups' version 1 has the sums with those below it under other names.
            names = [n for n in ("total_active_anon", "total_inactive_anon") if n in parts]
            return float(sum(parts[n] for n in names or ("active_anon", "inactive_anon"))) / _MB
        except (DockerException, requests.RequestException, KeyError, json.JSONDecodeError):
            return None  # it ends just now

    def close(self) -> None:
        """Reads no more of what it says; the daemon would wait for that with its removal."""
        connection = getattr(self._said, "_sock", self._said)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        self._said.close()
        connection.close()


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
