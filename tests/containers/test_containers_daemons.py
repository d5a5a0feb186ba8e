"""Daemons that are unlike the usual one, that end too early, or that are not there."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import docker
import pytest
from docker_daemon import BASE_TAG, find_obstacle, import_base, import_empty, run_daemon

import container_jobs
from tapeless.containers import ContainerError, Job, Mount, run_container

NOBODY = 65534
BUILT = {"program": ["python3", "-Sc"], "workdir": "/"}


@contextmanager
def run_with_base(request: pytest.FixtureRequest, *, remapped: bool = False) -> Iterator[str]:
    """A daemon with the base image."""
    if (obstacle := find_obstacle()) is not None:
        pytest.skip(obstacle)
    assert request.config.cache is not None
    with run_daemon(nvidia=False, remapped=remapped) as address:
        import_base(address, request.config.cache.mkdir("containers"))
        yield address


@pytest.fixture
def remapped(request: pytest.FixtureRequest) -> Iterator[str]:
    """A daemon whose containers' users are nobody's outside, as an administrator may want it."""
    with run_with_base(request, remapped=True) as address:
        yield address


@pytest.fixture
def ending(request: pytest.FixtureRequest) -> Iterator[str]:
    """A daemon that may be ended."""
    with run_with_base(request) as address:
        yield address


@pytest.fixture
def make_job(public_folder: Path) -> Callable[[str], Job]:
    """A job that runs a line of code, and may write to the folder `output`."""
    output = public_folder / "output"
    output.mkdir()
    return lambda code: Job("openpose", (code,), (Mount(output, writable=True),), {})


def configure(folder: Path, image: str, digest: str, **settings: Any) -> dict[str, Any]:
    pinned = {"image": image, "digest": digest}
    images = container_jobs.write_images(folder, docker=pinned, **BUILT)
    return container_jobs.SETTINGS | {"images": images, "runtime": "docker"} | settings


def id_of(address: str, image: str) -> str:
    return str(docker.DockerClient(address).images.get(image).id)


def test_files_are_the_users_own_though_the_daemon_gives_its_containers_other_ids(
    remapped: str,
    make_job: Callable[[str], Job],
    public_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DOCKER_HOST", remapped)
    settings = configure(public_folder, BASE_TAG, id_of(remapped, BASE_TAG))
    run_container(make_job(f"open('{public_folder}/output/a', 'w')"), settings)
    assert (public_folder / "output/a").stat().st_uid == os.getuid()


def test_a_daemon_that_ends_in_the_middle_of_a_job_ends_the_job(
    ending: str,
    make_job: Callable[[str], Job],
    public_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """As after `systemctl stop docker`."""
    monkeypatch.setenv("DOCKER_HOST", ending)
    settings = configure(public_folder, BASE_TAG, id_of(ending, BASE_TAG))
    daemon = int((Path(ending.removeprefix("unix://")).parent / "pid").read_text())
    job = make_job("import time; print('at work'); time.sleep(100)")
    sentence = "the Docker daemon stopped answering while it was to run openpose: look at its log"
    with pytest.raises(ContainerError, match=sentence):
        run_container(
            job,
            settings,
            usage_file=public_folder / "usage.json",
            listener=lambda _: os.kill(daemon, signal.SIGTERM),
        )
    assert json.loads((public_folder / "usage.json").read_text())["status"] == "lost"


# --- daemons that are not there ---------------------------------------------------------------


@pytest.fixture
def unpinned(public_folder: Path) -> dict[str, Any]:
    """A configuration whose daemon is asked before any image is looked for."""
    return configure(public_folder, "tapeless-test/none:1", f"sha256:{'1' * 64}")


def test_the_daemon_of_dockers_context_is_named_and_how_to_choose_another(
    unpinned: dict[str, Any],
    make_job: Callable[[str], Job],
    public_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """As that of Docker Desktop, or of a rootless Docker."""
    address = f"unix://{public_folder}/desktop/docker.sock"
    (public_folder / "config.json").write_text(json.dumps({"currentContext": "desktop"}))
    meta = public_folder / "contexts/meta" / hashlib.sha256(b"desktop").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    endpoints = {"docker": {"Host": address, "SkipTLSVerify": False}}
    meta.write_text(json.dumps({"Name": "desktop", "Metadata": {}, "Endpoints": endpoints}))
    monkeypatch.setenv("DOCKER_CONFIG", str(public_folder))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with pytest.raises(ContainerError) as caught:
        run_container(make_job("pass"), unpinned)
    assert str(caught.value) == (
        f"no Docker daemon answers at {address}: start it, or choose another one of docker context "
        "ls with: docker context use"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_daemon_of_another_user_is_told_from_one_with_a_group(
    unpinned: dict[str, Any],
    make_job: Callable[[str], Job],
    public_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """No group helps to reach a rootless one."""
    closed = public_folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{closed}/docker.sock")
    description = container_jobs.describe(make_job("pass"), unpinned, None, (NOBODY, []))
    process = container_jobs.start(description, public_folder)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == container_jobs.REFUSED, said
    wanted = f"(unix://{closed}/docker.sock): it is another user's; correct or unset DOCKER_HOST\n"
    assert said.endswith(wanted)


# --- a disk that is full ----------------------------------------------------------------------


@pytest.fixture
def small_disk(public_folder: Path) -> Iterator[Path]:
    """A folder on a disk that holds little."""
    folder = public_folder / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_daemon_whose_disk_is_full_says_so(
    small_disk: Path,
    make_job: Callable[[str], Job],
    public_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    if (obstacle := find_obstacle()) is not None:
        pytest.skip(obstacle)
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with run_daemon(nvidia=False) as address:
        image = import_empty(address, "tapeless-test/empty:1")
        with suppress(OSError), (small_disk / "full").open("wb") as file:
            while True:
                file.write(bytes(4096))
        monkeypatch.setenv("DOCKER_HOST", address)
        settings = configure(public_folder, "tapeless-test/empty:1", image)
        usage = public_folder / "usage.json"
        with pytest.raises(ContainerError, match="its disk is full: make room with docker system"):
            run_container(make_job("pass"), settings, usage_file=usage)
        assert json.loads(usage.read_text())["status"] == "disk_full"
        (small_disk / "full").unlink()


# --- a registry -------------------------------------------------------------------------------


@pytest.fixture
def registry() -> Iterator[tuple[str, str]]:
    """A registry with one image, which is empty; the image's name and its digest there."""
    blobs: dict[str, bytes] = {}

    def add(content: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        blobs[digest] = content
        return {"digest": digest, "size": len(content)}

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a"))
    kind = "application/vnd.docker"
    layer = add(archive.getvalue()) | {"mediaType": f"{kind}.image.rootfs.diff.tar"}
    contents = {"type": "layers", "diff_ids": [layer["digest"]]}
    image = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": contents}
    config = add(json.dumps(image).encode()) | {"mediaType": f"{kind}.container.image.v1+json"}
    manifest_kind = f"{kind}.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": manifest_kind, "config": config, "layers": [layer]}
    manifest_digest = add(json.dumps(manifest).encode())["digest"]

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            content = b"{}" if self.path == "/v2/" else blobs.get(name)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", manifest_kind)
            self.send_header("Content-Length", str(len(content or b"")))
            self.send_header("Docker-Content-Digest", name)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content or b"")

        do_HEAD = do_GET  # noqa: N815 - as in http.server

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}/tapeless/openpose:1", manifest_digest
    server.shutdown()


def test_an_image_is_fetched_by_its_digest_and_only_if_that_is_allowed(
    docker_host: str,
    registry: tuple[str, str],
    make_job: Callable[[str], Job],
    public_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    image, digest = registry
    with pytest.raises(ContainerError, match="not on this machine"):
        run_container(make_job("pass"), configure(public_folder, image, digest))
    for pull in (True, False):  # the second time it is there
        settings = configure(public_folder, image, digest, pull=pull)
        with pytest.raises(ContainerError, match="no program python3 in the image"):
            run_container(make_job("pass"), settings)


def test_a_digest_that_the_registry_does_not_have_is_said(
    docker_host: str,
    registry: tuple[str, str],
    make_job: Callable[[str], Job],
    public_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    settings = configure(public_folder, registry[0], f"sha256:{'1' * 64}", pull=True)
    with pytest.raises(ContainerError, match="cannot be fetched"):
        run_container(make_job("pass"), settings)


# --- the tests themselves ---------------------------------------------------------------------


def test_where_no_daemon_can_be_started_the_tests_are_skipped_and_say_why(tmp_path: Path):
    """Not passed: nothing was tested."""
    file = Path(__file__).with_name("test_containers.py")
    done = subprocess.run(
        f"{sys.executable} -m pytest -p no:cacheprovider -rs -k no_network {file}".split(),
        env=os.environ | {"PATH": str(tmp_path)},
        cwd=file.parents[2],
        capture_output=True,
        text=True,
    )
    assert "1 skipped" in done.stdout
    assert "passed" not in done.stdout
    assert "dockerd, containerd, runc not installed (Debian: apt-get install" in done.stdout
