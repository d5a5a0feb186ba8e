"""A real Docker daemon for the tests, with images of their own making."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from docker_daemon import find_obstacle, import_base, run_daemon

MakeImage = Callable[[Path, str], str]


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    """The address of a daemon that hands out graphics cards, whether there are any or not."""
    _skip_without_daemon()
    with run_daemon(nvidia=True) as address:
        yield address


@pytest.fixture(scope="session")
def docker_host_without_nvidia() -> Iterator[str]:
    """The address of a daemon that has no NVIDIA runtime, and no images."""
    _skip_without_daemon()
    with run_daemon(nvidia=False) as address:
        yield address


@pytest.fixture(scope="session")
def base_image(docker_host: str, request: pytest.FixtureRequest) -> str:
    """The tag of an image with Python and NumPy."""
    assert request.config.cache is not None
    cache = request.config.cache.mkdir("containers")
    if not (cache / "base.tar").exists() and shutil.which("debootstrap") is None:
        pytest.skip("debootstrap is not installed (Debian: apt-get install debootstrap)")
    return import_base(docker_host, cache)


@pytest.fixture(scope="session")
def make_image(docker_host: str, base_image: str) -> MakeImage:
    """Builds the folder of a Dockerfile that says `ARG BASE` and `FROM $BASE`; gives the id."""
    client = docker.DockerClient(docker_host, timeout=600)

    def make(folder: Path, tag: str) -> str:
        image, _ = client.images.build(
            path=str(folder), tag=tag, buildargs={"BASE": base_image}, network_mode="none", rm=True
        )
        return str(image.id)

    return make


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user reaches, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="tapeless-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _skip_without_daemon() -> None:
    if (obstacle := find_obstacle()) is not None:
        pytest.skip(obstacle)
