"""Where ffmpeg and ffprobe run: confined on this machine, or in a container that sees one video.

Both can be read from while they work, and ended with all that they have started.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from tapeless.confinement import find_confinement, keep_variables
from tapeless.gpus import VISIBLE_DEVICES
from tapeless.outcomes import MachineFault
from tapeless.processes import signal_group, start_process

if TYPE_CHECKING:
    from tapeless.containers.piped import Pipes

CONTAINER_PROGRAM = "ffmpeg"
"""The entry of `containers/images.yaml` whose image has both tools."""

_NOT_FOUND = 127


class MediaToolError(MachineFault):
    """ffmpeg or ffprobe could not do its work, and the video is not known to be at fault."""


class Program(Protocol):
    """ffmpeg or ffprobe at work, wherever it runs."""

    stdout: IO[bytes]
    stderr: IO[bytes]

    def wait(self) -> int:
        """Waits for the end; the exit status, -n if signal n killed it."""

    def kill(self) -> None:
        """Ends it, and all that it has started, unless it has ended."""


@dataclass(frozen=True)
class Tools:
    """Whose ffmpeg and ffprobe are run: this machine's, or those of an image.

    Args:
        containers: the section `containers` of the configuration, if those of the image `ffmpeg`
            of `containers/images.yaml` are meant; else None.
        labels: say what a container is for.
        gpus: graphics cards that may be used, as `tapeless.gpus.take_gpus` names them.
        usage_file: gets what the containers of a job used, all together.
    """

    containers: Mapping[str, Any] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()
    usage_file: Path | None = None

    def start(
        self, command: Sequence[str], video: Path | None, cpu_limit_s: float
    ) -> AbstractContextManager[Program]:
        """Runs a command while the block runs; of the machine's files, a container sees `video`.

        On this machine it may take `cpu_limit_s` seconds of processor time.

        Raises:
            MediaToolError: if the tool is not installed, or cannot be confined.
            ContainerError: if the container cannot be started.
        """
        if self.containers is None:
            return _on_this_machine(command, video, cpu_limit_s, self.gpus)
        return _in_container(command, video, self)


HOST_TOOLS = Tools()


def locate(path: Path) -> Path:
    """The absolute path of a file under its own name, which a container knows it by, too."""
    return path.parent.resolve() / path.name


@contextmanager
def _on_this_machine(
    command: Sequence[str], video: Path | None, cpu_limit_s: float, gpus: Sequence[str]
) -> Iterator[Program]:
    if (tool := shutil.which(command[0])) is None:
        raise MediaToolError(
            f"{command[0]} is not installed: install ffmpeg 5.1 or newer (on Debian and Ubuntu: "
            "apt-get install ffmpeg)"
        )
    confined = find_confinement().wrap(
        [str(Path(tool).absolute()), *command[1:]],
        video and locate(video),
        cpu_limit_s=cpu_limit_s,
        has_card="-hwaccel" in command,
    )
    cards = {VISIBLE_DEVICES: ",".join(gpus)} if gpus else {}
    program = _Process(start_process(confined, keep_variables(os.environ) | cards))
    try:
        yield program
    finally:
        program.kill()
        program.wait()


class _Process:
    """A tool that runs as a process of this machine."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None and process.stderr is not None
        self.stdout: IO[bytes] = process.stdout
        self.stderr: IO[bytes] = process.stderr
        self._process = process

    def wait(self) -> int:
        return _as_signal(self._process.wait())

    def kill(self) -> None:
        if self._process.poll() is None:
            signal_group(self._process, signal.SIGKILL)


def _as_signal(status: int) -> int:
    """An exit status, -n where a program in between reports that signal n killed the tool.

    Above the signals that kill lie statuses of ffmpeg itself, such as 183 for invalid data.
    """
    return 128 - status if 128 < status <= 128 + signal.SIGSYS else status


@contextmanager
def _in_container(command: Sequence[str], video: Path | None, tools: Tools) -> Iterator[Program]:
    # here, since most runs need no container
    from tapeless.containers import Job, Mount
    from tapeless.containers.piped import open_pipes

    mounts = () if video is None else (Mount(locate(video)),)
    job = Job(CONTAINER_PROGRAM, tuple(command), mounts, tools.labels, tools.gpus)
    assert tools.containers is not None
    with open_pipes(job, tools.containers, usage_file=tools.usage_file) as pipes:
        yield _Contained(command[0], pipes)


class _Contained:
    """A tool that runs in a container."""

    def __init__(self, name: str, pipes: Pipes) -> None:
        self.stdout: IO[bytes] = pipes.stdout
        self.stderr: IO[bytes] = pipes.stderr
        self._name = name
        self._pipes = pipes

    def wait(self) -> int:
        ended = self._pipes.wait()
        if ended.out_of_memory:
            raise MediaToolError(
                f"{self._name} was killed by the kernel, as it took more memory than a container "
                "may: raise containers.memory_mb"
            )
        if ended.status == _NOT_FOUND:
            raise MediaToolError(
                f"the image of {CONTAINER_PROGRAM} lacks {self._name}: build it again as "
                "containers/ffmpeg/README.md says"
            )
        return _as_signal(ended.status)

    def kill(self) -> None:
        self._pipes.kill()
