"""A Docker daemon of the tests' own, and an image to build others from, with no registry.

The daemon has its own folder, socket and containerd, no bridge, and a PATH with nothing but its own
programs: whether it can hand out graphics cards is up to the test, not to the machine. In the place
of NVIDIA's hook stands one that only refuses the card UNKNOWN_GPU; of any other, a container merely
gets the variables.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import docker
from docker.errors import DockerException

BASE_TAG = "tapeless-test/base:1"
"""Debian 12 with Python 3.11 and NumPy 1.24."""

_BASE_PACKAGES = "python3,python3-numpy"
_NOT_NEEDED = (
    "./var/cache/apt",
    "./var/lib/apt/lists",
    "./usr/share/doc",
    "./usr/share/locale",
    "./usr/share/man",
    "./usr/share/zoneinfo",
    "./usr/lib/python3/dist-packages/numpy/*/tests",
)
_PROGRAMS = (
    "dockerd",
    "docker-init",
    "docker-proxy",
    "containerd",
    "containerd-shim-runc-v2",
    "runc",
)
UNKNOWN_GPU = "GPU-unknown"
"""A card that there is not, whatever the daemon."""

_HOOK = "nvidia-container-runtime-hook"
_HOOK_SCRIPT = f"""#!/bin/sh
bundle=$(/bin/sed 's/.*"bundle":"\\([^"]*\\)".*/\\1/')
if /bin/grep -q NVIDIA_VISIBLE_DEVICES={UNKNOWN_GPU} "$bundle/config.json"; then
  echo 'nvidia-container-cli: device error: {UNKNOWN_GPU}: unknown device' >&2
  exit 1
fi
"""
_STORAGE_DRIVERS = ("overlay2", "vfs")
_PATIENCE_S = 60
_DEATH_SIGNAL = 1
_SYS_ADMIN = 1 << 21
_LIBC = ctypes.CDLL(None)


def find_obstacle(programs: tuple[str, ...] = ("dockerd", "containerd", "runc")) -> str | None:
    """Why no daemon can be started here; None if one can."""
    if os.getuid() != 0:
        return "only root can start a Docker daemon for the tests"
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    capabilities = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    if not int(capabilities.split()[1], 16) & _SYS_ADMIN:
        return "this root may not mount anything, as a Docker daemon must (it is in a container)"
    if missing := [name for name in programs if shutil.which(name) is None]:
        return f"{', '.join(missing)} not installed (Debian: apt-get install docker.io debootstrap)"
    return None


@dataclass
class Daemon:
    """A daemon that may be killed, and started again with what it had on its disk."""

    folder: Path
    process: subprocess.Popen[bytes]
    begin: Callable[[], subprocess.Popen[bytes]]

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"unix://{self.folder}/docker.sock"

    def kill(self) -> None:
        """As a fault of it, or of the machine's memory: containers may work on."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Starts it, unless it is at work."""
        if self.process.poll() is not None:
            # Killed with it, containerd may stay a zombie for long, which is taken for alive.
            (self.folder / "run/containerd/containerd.pid").unlink(missing_ok=True)
            self.process = self.begin()
            assert _wait_for(self.process, self.address), "the daemon does not start again"


@contextmanager
def run_daemon(*, nvidia: bool, remapped: bool = False) -> Iterator[str]:
    """A daemon that can, or cannot, hand out graphics cards; its address.

    One that is `remapped` gives containers ids of users that nobody has outside. It ends with this
    process, however that ends. Nothing of it is left when the block is left.
    """
    with run_mortal_daemon(nvidia=nvidia, remapped=remapped) as daemon:
        yield daemon.address


@contextmanager
def run_mortal_daemon(*, nvidia: bool, remapped: bool = False) -> Iterator[Daemon]:
    """The same, for those who want to kill it."""
    folder = Path(tempfile.mkdtemp(prefix="tapeless-docker-"))
    folder.chmod(0o755)  # other users reach the socket, if its own permissions let them
    try:
        with _cgroups():
            daemon = _start_any(folder, nvidia=nvidia, remapped=remapped)
            try:
                yield daemon
            finally:
                daemon.process.terminate()
                daemon.process.wait(_PATIENCE_S)
    finally:
        _unmount_below(folder)
        shutil.rmtree(folder)


def import_base(address: str, cache: Path) -> str:
    """Puts the base image into a daemon; its tag. It is made once, and kept in `cache`."""
    client = docker.DockerClient(address, timeout=600)
    client.api.import_image_from_file(str(_base_archive(cache)), *BASE_TAG.split(":"))
    return BASE_TAG


def build_image(address: str, base: str, folder: Path, tag: str) -> str:
    """Builds the folder of a Dockerfile that says `ARG BASE` and `FROM $BASE`; the image's id."""
    client = docker.DockerClient(address, timeout=600)
    image, _ = client.images.build(
        path=str(folder), tag=tag, buildargs={"BASE": base}, network_mode="none", rm=True
    )
    return str(image.id)


def import_empty(address: str, tag: str) -> str:
    """Puts an image without any file into a daemon; its id."""
    client = docker.DockerClient(address)
    client.api.import_image_from_data(bytes(10240), *tag.split(":"))
    return str(client.images.get(tag).id)


def _start_any(folder: Path, *, nvidia: bool, remapped: bool) -> Daemon:
    """A daemon with the first storage driver that works here."""
    said = ""
    before = _remap(folder) if remapped else []
    path = _make_path(folder, nvidia=nvidia)
    for driver in _STORAGE_DRIVERS:
        begin = partial(_start, folder, before, driver, path)
        daemon = Daemon(folder, begin(), begin)
        if _wait_for(daemon.process, daemon.address):
            return daemon
        daemon.kill()
        said = (folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(f"no Docker daemon could be started:\n{said}")


def _remap(folder: Path) -> list[str]:
    """What comes before a daemon's command, so that it finds spare ids for its containers."""
    spare = folder / "subids"
    spare.write_text("nobody:200000:65536\nnogroup:200000:65536\n", encoding="ascii")
    script = '/bin/mount -B "$0" /etc/subuid; /bin/mount -B "$0" /etc/subgid; exec "$@"'
    return ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, str(spare)]


def _start(folder: Path, before: list[str], driver: str, path: Path) -> subprocess.Popen[bytes]:
    command = [
        *before,
        "dockerd",
        *(["--userns-remap=nobody:nogroup"] if before else []),
        "--iptables=false",
        "--bridge=none",
        f"--storage-driver={driver}",
        f"--host=unix://{folder}/docker.sock",
        f"--data-root={folder}/data",
        f"--exec-root={folder}/run",
        f"--pidfile={folder}/pid",
        f"--config-file={folder}/none.json",
    ]
    (folder / "none.json").write_text("{}", encoding="ascii")
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command,
            env=os.environ | {"PATH": str(path), "TMPDIR": str(folder)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: _LIBC.prctl(_DEATH_SIGNAL, signal.SIGTERM),
        )


def _make_path(folder: Path, *, nvidia: bool) -> Path:
    """A folder of programs for the daemon's PATH."""
    path = folder / "bin"
    path.mkdir(exist_ok=True)
    for name in _PROGRAMS:
        if (program := shutil.which(name)) is not None and not (path / name).exists():
            (path / name).symlink_to(program)
    if nvidia:
        hook = path / _HOOK
        hook.write_text(_HOOK_SCRIPT, encoding="ascii")
        hook.chmod(0o755)
    return path


def _wait_for(process: subprocess.Popen[bytes], address: str) -> bool:
    """Waits until a daemon answers; false if it gives up, or takes too long."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            docker.DockerClient(address).ping()
        except DockerException:
            time.sleep(0.1)
        else:
            return True
    return False


@contextmanager
def _cgroups() -> Iterator[None]:
    """Control groups, mounted for the block where a machine without systemd has none."""
    mount = shutil.which("cgroupfs-mount")
    if mount is None or os.path.ismount("/sys/fs/cgroup"):
        yield
        return
    subprocess.run([mount], check=True)
    try:
        yield
    finally:
        subprocess.run(["cgroupfs-umount"], check=True)


def _unmount_below(folder: Path) -> None:
    """Unmounts what a daemon that was killed may have left mounted."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    points = [line.split()[1] for line in mounts]
    for point in sorted((p for p in points if p.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=True)


def find_base_archive(cache: Path) -> Path:
    """Where the files of the base image are kept, as a tar archive."""
    recipe = " ".join([_BASE_PACKAGES, *_NOT_NEEDED])
    return cache / f"base-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}.tar"


def _base_archive(cache: Path) -> Path:
    """The files of the base image, made by the first who asks."""
    archive = find_base_archive(cache)
    with (cache / "base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                _make_base(Path(folder) / "root", Path(folder) / "base.tar")
                (Path(folder) / "base.tar").rename(archive)
    return archive


def _make_base(root: Path, archive: Path) -> None:
    options = ["--variant=minbase", f"--include={_BASE_PACKAGES}"]
    done = subprocess.run(
        ["debootstrap", *options, "bookworm", str(root)], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"debootstrap failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    excluded = [f"--exclude={name}" for name in _NOT_NEEDED]
    subprocess.run(["tar", "-C", root, *excluded, "-cf", archive, "."], check=True)
