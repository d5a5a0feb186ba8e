"""What a container of Docker is, may do, and may use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import docker
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from tapeless.containers.plans import Plan

_MB = 1 << 20
_NO_GPU = "void"
_DRIVER_PARTS = ["gpu", "compute", "utility", "graphics", "video"]
_TMP_OPTIONS = "rw,exec,nosuid,nodev,mode=1777"


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
    ulimits: Mapping[str, int] = plan.settings["ulimits"]
    return {
        "shm_size": plan.settings["shm_mb"] * _MB,
        "mem_limit": plan.memory_mb * _MB,
        "memswap_limit": plan.memory_mb * _MB,
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
