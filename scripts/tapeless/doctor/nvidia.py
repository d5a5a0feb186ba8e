"""Whether Docker can give a container a graphics card: it says so, or it is tried."""

from __future__ import annotations

from collections.abc import Mapping

from docker import APIClient
from docker.errors import APIError, DockerException
from docker.types import DeviceRequest

from tapeless.containers import docker
from tapeless.containers.errors import ContainerError
from tapeless.doctor.findings import Finding, failed, ok, unknown

_NAME = "NVIDIA in Docker"
_PAGE = "docs/reference-route.md"
_NO_PROGRAM = "/tapeless-starts-no-program"


def check_nvidia(labels: Mapping[str, str]) -> Finding:
    """Docker lists NVIDIA's runtime; or it gets as far as the program of a container with a card.

    That program is one which no image has, so that nothing is ever run. `labels` say whose the
    container is, should this process be killed before it has removed it.
    """
    try:
        with docker.connect() as client:
            if "nvidia" in client.info().get("Runtimes", {}):
                return ok(_NAME, "Docker lists the runtime nvidia")
            images = client.api.images()
            if not images:
                return unknown(_NAME, "not tried, as there is no image to try it with")
            smallest = min(images, key=lambda image: image["Size"])
            return _try(client.api, smallest["Id"], labels)
    except (ContainerError, DockerException) as error:
        return unknown(_NAME, str(error))


def _try(api: APIClient, image: str, labels: Mapping[str, str]) -> Finding:
    cards = DeviceRequest(count=1, capabilities=[["gpu"]])
    container = api.create_container(
        image=image,
        entrypoint=[_NO_PROGRAM],
        labels=dict(labels),
        host_config=api.create_host_config(network_mode="none", device_requests=[cards]),
    )
    try:
        api.start(container)
    except APIError as error:
        said = str(error.explanation or error)
        if _NO_PROGRAM in said:
            return ok(_NAME, "a container gets a card")
        if "device driver" in said or "nvidia" in said.lower():
            remedy = f"install nvidia-container-toolkit: {_PAGE}"
            return failed(_NAME, f"a container gets no card: {said}", remedy)
        return unknown(_NAME, said)
    finally:
        api.remove_container(container, v=True, force=True)
    return unknown(_NAME, "a program that no image has was run")
