"""Set-up on machines that lack things: what it does about it, what it says. Nothing is installed.

The machine is played by stand-ins for `id`, `dpkg-query`, `sudo` and `apt-get`, first on the path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PACKAGES = "ffmpeg bubblewrap libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri libgles2"

Setup = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Runs tools/setup in a folder of its own, on a machine with these stand-ins for commands."""
    clone, machine = tmp_path / "my clone", tmp_path / "machine"
    (clone / "tools").mkdir(parents=True)
    machine.mkdir()
    shutil.copy2(ROOT / "tools/setup", clone / "tools")
    for name in ("requirements.in", *LOCKS, "pyproject.toml"):
        shutil.copy2(ROOT / name, clone)

    def run(*arguments: str, **commands: str) -> subprocess.CompletedProcess[str]:
        for name, script in ({"dpkg_query": INSTALLED} | commands).items():
            path = machine / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            path.chmod(0o755)
        settings = {"PATH": f"{machine}:{os.environ['PATH']}", "PYTHON": sys.executable}
        return subprocess.run(
            [str(clone / "tools/setup"), *arguments],
            env=os.environ | settings,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


INSTALLED = "echo 'install ok installed'"
MISSING = "exit 1"
SOMEBODY = "echo 1000"
ROOT_USER = "echo 0"
STOP = "echo stopped here >&2; exit 1"


def test_who_may_not_install_is_told_the_line_to_run(setup: Setup):
    run = setup(dpkg_query=MISSING, id=SOMEBODY, sudo="exit 1")
    assert run.returncode != 0
    assert f"sudo apt-get update && sudo apt-get install -y {PACKAGES}" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_who_may_use_sudo_without_a_password_has_it_done(setup: Setup):
    run = setup(dpkg_query=MISSING, id=SOMEBODY, sudo='shift; "$@"', apt_get=f'echo "$@"; {STOP}')
    assert run.returncode != 0
    assert f"installing with apt-get: {PACKAGES}" in run.stderr


def test_root_has_it_done_and_a_failure_of_apt_is_shown(setup: Setup):
    run = setup(dpkg_query=MISSING, id=ROOT_USER, apt_get=STOP)
    assert run.returncode != 0
    assert "stopped here" in run.stderr
    assert f"apt-get update && apt-get install -y {PACKAGES}" in run.stderr


def test_only_what_is_missing_is_asked_for(setup: Setup):
    run = setup(dpkg_query=f'[ "$4" != ffmpeg ] && {INSTALLED}', id=SOMEBODY, sudo="exit 1")
    assert run.stderr.rstrip().endswith("apt-get install -y ffmpeg")


TO_TEST_CONTAINERS = ("docker.io", "cgroupfs-mount", "debootstrap", "gcc", "libc6-dev")


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A path with the commands that the script itself needs, and no docker and no compiler."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("bash", "cat", "dirname", "flock", "grep", "head", "sed", "sh", "tail"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


def asked_for(run: subprocess.CompletedProcess[str]) -> set[str]:
    return set(run.stderr.rstrip().rpartition("apt-get install -y ")[2].split())


@pytest.mark.parametrize(
    ("arguments", "user", "expected"),
    [
        (["dev"], ROOT_USER, True),
        ([], ROOT_USER, False),
        (["dev"], SOMEBODY, False),
    ],
)
def test_a_docker_daemon_is_for_tests_and_for_root_who_alone_can_start_one(
    setup: Setup,
    bare: str,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    user: str,
    expected: bool,
):
    monkeypatch.setenv("PATH", bare)
    run = setup(*arguments, dpkg_query=MISSING, id=user, sudo="exit 1", apt_get=STOP)
    assert asked_for(run) >= set(PACKAGES.split())
    assert asked_for(run).issuperset(TO_TEST_CONTAINERS) is expected
    assert asked_for(run).isdisjoint(TO_TEST_CONTAINERS) is not expected


@pytest.fixture
def old_python(tmp_path: Path) -> Path:
    """A Python that is too old, or too new: it says no to every question."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_without_a_python_that_fits_it_says_which_do(
    setup: Setup, old_python: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "executable", str(old_python))
    run = setup()
    assert run.returncode != 0
    assert "needs Python 3.11 or 3.12" in run.stderr


def test_a_build_of_torch_that_there_is_not_is_refused(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TORCH", "rocm")
    run = setup()
    assert run.returncode != 0
    assert "TORCH is cpu or cuda, not rocm" in run.stderr
