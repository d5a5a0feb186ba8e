"""A real Docker daemon for the tests, with images of their own making."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import docker
import pytest
from docker_daemon import (
    Daemon,
    build_image,
    find_base_archive,
    find_obstacle,
    import_base,
    run_daemon,
    run_mortal_daemon,
)

from reference import (
    PROGRAMS,
    REFERENCE_SHEET,
    ReferenceProject,
    Workstation,
    as_plain_user,
    film_videos,
    give_to_plain_user,
    make_reference_project,
    make_workstation,
    tag_of,
)

MakeImage = Callable[[Path, str], str]


@pytest.fixture(scope="session")
def docker_daemon() -> Iterator[Daemon]:
    """A daemon that hands out graphics cards, whether there are any or not."""
    _skip_without_daemon()
    with run_mortal_daemon(nvidia=True) as daemon:
        yield daemon


@pytest.fixture
def mortal_daemon(docker_daemon: Daemon) -> Iterator[Daemon]:
    """The same, which may be killed: it is there again for the next test."""
    yield docker_daemon
    docker_daemon.start()


@pytest.fixture(scope="session")
def docker_host(docker_daemon: Daemon) -> str:
    """Its address."""
    return docker_daemon.address


@pytest.fixture(scope="session")
def daemon_without_nvidia() -> Iterator[str]:
    """The address of a daemon that has no NVIDIA runtime."""
    _skip_without_daemon()
    with run_daemon(nvidia=False) as address:
        yield address


@pytest.fixture
def docker_host_without_nvidia(daemon_without_nvidia: str) -> Iterator[str]:
    """The same, without any image, whatever an earlier test put there."""
    yield daemon_without_nvidia
    with closing(docker.DockerClient(daemon_without_nvidia)) as client:
        for image in client.images.list():
            client.images.remove(image.id, force=True)


@pytest.fixture(autouse=True)
def no_container_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test that leaves containers in the daemon, not one that finds them later."""
    if "docker_host" not in request.fixturenames:
        yield
        return
    with closing(docker.DockerClient(request.getfixturevalue("docker_host"))) as client:
        before = client.containers.list(all=True, ignore_removed=True)
        yield
        left = set(client.containers.list(all=True, ignore_removed=True)) - set(before)
        for container in left:
            container.remove(force=True)
        assert left == set()


@pytest.fixture(scope="session")
def base_image(docker_host: str, request: pytest.FixtureRequest) -> str:
    """The tag of an image with Python and NumPy."""
    assert request.config.cache is not None
    cache = request.config.cache.mkdir("containers")
    if not find_base_archive(cache).exists() and shutil.which("debootstrap") is None:
        pytest.skip("debootstrap is not installed (Debian: apt-get install debootstrap)")
    return import_base(docker_host, cache)


@pytest.fixture(scope="session")
def make_image(docker_host: str, base_image: str) -> MakeImage:
    """Builds the folder of a Dockerfile that says `ARG BASE` and `FROM $BASE`; gives the id."""
    return partial(build_image, docker_host, base_image)


@pytest.fixture(scope="session")
def workstation(
    docker_host: str, make_image: MakeImage, tmp_path_factory: pytest.TempPathFactory
) -> Workstation:
    """A machine that has all that the reference route needs."""
    standins = Path(__file__).parent / "standins"
    digests = {program: make_image(standins / program, tag_of(program)) for program in PROGRAMS}
    return make_workstation(tmp_path_factory.mktemp("workstation"), docker_host, digests)


@pytest.fixture(scope="session")
def reference(
    workstation: Workstation, tmp_path_factory: pytest.TempPathFactory
) -> ReferenceProject:
    """The reference route, run to its end by a user who is in Docker's group, over three videos."""
    folder = tmp_path_factory.mktemp("reference")
    project = make_reference_project(folder / "project", workstation)
    film_videos(project.folder / "videos")
    project.write_sheet(*REFERENCE_SHEET)
    (folder / "home").mkdir()
    give_to_plain_user(folder)
    group = Path(workstation.docker_host.removeprefix("unix://")).stat().st_gid
    project.run_command(as_plain_user(project.command(), folder / "home", group))
    return project


@pytest.fixture
def finished(reference: ReferenceProject, tmp_path: Path) -> ReferenceProject:
    """A copy of that, which root may change and run."""
    return reference.copy(tmp_path / "copy")


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
