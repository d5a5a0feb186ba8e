"""Programs that are installed on this machine, in the place of a container.

They see what this user sees: there is no image, no read-only input and no closed network. They die
with the job, as Apptainer's do: each is the leader of a process group of its own, which is killed
when the job leaves it, and the kernel kills the leader with the job. What still lives after that is
known by a variable in its environment, and removed at the next start.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil

from tapeless.containers.errors import ContainerError
from tapeless.containers.images import ImageEntry
from tapeless.containers.jobs import Plan, is_leftover
from tapeless.containers.supervision import Exit, Running
from tapeless.processes import signal_group, start_process

log = logging.getLogger(__name__)

LABELS_VARIABLE = "TAPELESS_LABELS"
"""The environment variable by which leftovers are found: labels, as JSON."""

MEMORY_IS = "proportional set size of its processes"
"""What is measured as the memory of a program."""

_CHUNK_BYTES = 1 << 16
_GRACE_S = 3.0
_LOOK_S = 0.02
_MB = 1 << 20
_SET_PARENT_DEATH_SIGNAL = 1
_LIBC = ctypes.CDLL(None)


def prepare(plan: Plan) -> HostProgram:
    """Makes sure that a program is installed, and that it would find its files.

    Raises:
        ContainerError: if it is not, or a mount is to have another path inside than outside.
    """
    program = plan.entry.host_program
    where = f"the entry {plan.entry.name} of {plan.settings['images']}"
    if program is None:
        raise ContainerError(
            f"containers.runtime is host, but {where} does not say what to run: install the "
            f"program ({plan.entry.page}), and name it and its folder in host"
        )
    if shutil.which(program[0], path=_search_path(plan)) is None:
        raise ContainerError(
            f"{program[0]} is not installed on this machine: install it ({plan.entry.page}), or "
            f"correct host.program in {where}, or choose another containers.runtime"
        )
    workdir = plan.entry.host_workdir
    if workdir is not None and not Path(workdir).is_dir():
        raise ContainerError(f"{workdir} is no folder: correct host.workdir in {where}")
    for bind in plan.binds:
        if not _is_same(bind.source, bind.target):
            raise ContainerError(
                f"{plan.job.program} looks for {bind.source} at {bind.target}, and on the host "
                f"nothing can be mounted: make {bind.target} a link to it, or correct host in "
                f"{where}, or choose another containers.runtime"
            )
    return HostProgram(plan, program)


def read_digest(entry: ImageEntry) -> None:
    """None: what is installed on the host has no digest."""


class HostProgram:
    """A job whose program was found; `start` runs it."""

    image = None
    digest = None
    memory_is = MEMORY_IS

    def __init__(self, plan: Plan, program: tuple[str, ...]) -> None:
        self._plan = plan
        self._command = [*program, *plan.job.arguments]

    @contextmanager
    def start(self) -> Iterator[Running]:
        """Runs the program, which is ended when the block is left."""
        remove_leftovers()
        plan = self._plan
        gpus = ",".join(plan.job.gpus)
        environment = os.environ | {
            "CUDA_VISIBLE_DEVICES": gpus,
            "NVIDIA_VISIBLE_DEVICES": gpus or "void",
            LABELS_VARIABLE: json.dumps(dict(plan.labels)),
        }
        with run_process(
            self._command,
            workdir=plan.entry.host_workdir,
            environment=environment | plan.environment,
            ulimits=plan.settings["ulimits"],
        ) as running:
            yield running


def _search_path(plan: Plan) -> str | None:
    return plan.environment.get("PATH")


def _is_same(source: str, target: str) -> bool:
    return source == target or (Path(target).exists() and Path(source).samefile(target))


@contextmanager
def run_process(
    command: Sequence[str],
    *,
    workdir: str | None,
    environment: Mapping[str, str],
    ulimits: Mapping[str, int],
) -> Iterator[Running]:
    """Runs a command; its process group is ended when the block is left.

    Raises:
        ContainerError: if it cannot be started.
    """
    limits = [(_limit(name), value) for name, value in ulimits.items()]

    def set_up() -> None:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        for number, value in limits:
            resource.setrlimit(number, (value, value))

    try:
        process = start_process(command, environment, workdir=workdir, set_up=set_up)
    except OSError as error:
        raise ContainerError(f"{command[0]} cannot be started: {error}") from error
    except subprocess.SubprocessError as error:  # of set_up
        raise ContainerError(
            f"{command[0]} cannot be started: this user may not set the limits {dict(ulimits)}; "
            "correct containers.ulimits"
        ) from error
    try:
        with closing(_Process(process)) as running:
            yield running
    finally:
        _end(process)


def remove_leftovers() -> int:
    """Kills processes of this user's jobs that were killed; how many there were."""
    leftovers = [process for process in psutil.process_iter() if is_leftover(_labels_of(process))]
    for process in leftovers:
        log.warning("ending process %d, left behind by a killed job", process.pid)
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(leftovers, timeout=_GRACE_S)
    return len(leftovers)


def _labels_of(process: psutil.Process) -> dict[str, str]:
    try:
        labels = json.loads(process.environ()[LABELS_VARIABLE])
    except (psutil.Error, OSError, KeyError, ValueError):
        return {}
    return labels if isinstance(labels, dict) else {}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and its group, which may outlive it: asked first, then killed."""
    deadline_s = time.monotonic() + _GRACE_S
    signal_group(process, signal.SIGTERM)
    while _find_end(process) is None and time.monotonic() < deadline_s:
        time.sleep(_LOOK_S)
    signal_group(process, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _find_end(process: subprocess.Popen[bytes]) -> Exit | None:
    """How a process ended, None while it runs.

    It is left a zombie, so that its id stays that of its group and of nothing else.
    """
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ended is None:
        return None
    return Exit(ended.si_status + (0 if ended.si_code == os.CLD_EXITED else 128))


def _limit(name: str) -> int:
    number = getattr(resource, f"RLIMIT_{name.upper()}", None)
    if number is None:
        raise ContainerError(f"there is no limit {name!r}: correct containers.ulimits")
    return int(number)


class _Process:
    """A process at work."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None and process.stderr is not None
        self._process = process
        self._streams = {process.stdout.fileno(): 1, process.stderr.fileno(): 2}
        self._said = select.epoll()
        for descriptor in self._streams:
            self._said.register(descriptor, select.EPOLLIN)

    def fileno(self) -> int:
        return self._said.fileno()

    def read(self) -> list[tuple[int, bytes]] | None:
        said = []
        for descriptor, _ in self._said.poll(0):
            if data := os.read(descriptor, _CHUNK_BYTES):
                said.append((self._streams[descriptor], data))
            else:
                self._said.unregister(descriptor)
                del self._streams[descriptor]
        return said if self._streams else None

    def poll(self) -> Exit | None:
        return _find_end(self._process)

    def close(self) -> None:
        self._said.close()

    def memory_mb(self) -> float | None:
        """The proportional set size of the process and its descendants."""
        try:
            root = psutil.Process(self._process.pid)
            family = [root, *root.children(recursive=True)]
        except psutil.Error:
            return None
        total = 0
        for process in family:
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total / _MB
