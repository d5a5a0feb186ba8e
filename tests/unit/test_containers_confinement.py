"""What Docker is asked for: nothing by which a container could get out, or take the machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from container_jobs import IMAGES, SETTINGS
from tapeless.containers import Job, Mount
from tapeless.containers.docker_container import container_options
from tapeless.containers.jobs import make_plan

NOT_TO_BE_SHARED = ("PidMode", "IpcMode", "UTSMode", "CgroupnsMode")


@pytest.fixture
def asked(tmp_path: Path) -> dict[str, Any]:
    """The part of the request that says what the container may do."""
    return ask(tmp_path, [])


def ask(folder: Path, security: Sequence[str], **settings: Any) -> dict[str, Any]:
    for name in ("in", "out"):
        (folder / name).mkdir()
    mounts = (Mount(folder / "in"), Mount(folder / "out", writable=True))
    plan = make_plan(
        Job("openpose", ("--help",), mounts, {}), {**SETTINGS, "images": str(IMAGES), **settings}
    )
    client = SimpleNamespace(
        api=docker.APIClient(version="1.41"), info=lambda: {"SecurityOptions": security}
    )
    options = container_options(client, plan, "sha256:0")  # type: ignore[arg-type]
    return {**options["host_config"], "User": options["user"]}


def test_it_is_not_privileged_and_has_no_rights_but_to_files(asked: dict[str, Any]):
    assert not asked.get("Privileged")
    assert asked["CapDrop"] == ["ALL"]
    assert asked.get("CapAdd") in (None, ["DAC_OVERRIDE"] if os.getuid() == 0 else None)
    assert asked["SecurityOpt"] == ["no-new-privileges"]  # and the daemon's own filter of calls
    assert asked["User"] == f"{os.getuid()}:{os.getgid()}"


def test_it_shares_neither_network_nor_processes_nor_devices(asked: dict[str, Any]):
    assert asked["NetworkMode"] == "none"
    assert [name for name in NOT_TO_BE_SHARED if asked.get(name)] == []
    assert not asked.get("Devices") and not asked.get("DeviceRequests")


def test_it_writes_to_its_output_and_to_memory_only(asked: dict[str, Any], tmp_path: Path):
    assert asked["ReadonlyRootfs"] is True
    assert set(asked["Tmpfs"]) == {"/tmp"}
    assert {"nosuid", "nodev"} <= set(asked["Tmpfs"]["/tmp"].split(","))
    writable = [mount["Source"] for mount in asked["Mounts"] if not mount["ReadOnly"]]
    assert writable == [str(tmp_path / "out")]
    assert not asked.get("Binds")


def test_memory_swap_threads_and_dumps_are_limited(asked: dict[str, Any]):
    assert asked["Memory"] == asked["MemorySwap"] > 0
    assert 0 < asked["PidsLimit"] <= 4096
    assert {limit["Name"]: limit["Hard"] for limit in asked["Ulimits"]}["core"] == 0


def test_ports_that_are_asked_for_are_seen_on_this_machine_only(tmp_path: Path):
    opened = ask(tmp_path, [], ports={"8080/tcp": 18080})
    assert opened["NetworkMode"] == "bridge"
    (bindings,) = opened["PortBindings"].values()
    assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}
