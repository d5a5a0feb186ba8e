"""Programs of this machine: read from while they work, and ended with all that they start."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress


def start_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    workdir: str | None = None,
    set_up: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a program with nothing to read, pipes to say it all, and a process group of its own.

    `set_up` is called in the new process, before the program.

    Raises:
        OSError: if it cannot be started.
        subprocess.SubprocessError: if `set_up` fails.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=workdir,
        env=environment,
        start_new_session=True,
        preexec_fn=set_up,
    )


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends a signal to a program and what it has started; its end must not have been asked for."""
    with suppress(ProcessLookupError, PermissionError):  # of those that are left, none is ours
        os.killpg(process.pid, number)
