"""Whose a container is: labels that name the process of its job, and whether that still lives."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path

PREFIX = "tapeless."
"""What every label of tapeless begins with."""

_DEAD_STATES = "ZX"


def make_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of a container that this process starts: a job's own, and whose it is.

    `run` is the folder that the workflow runs in; `host`, `pid_space`, `uid`, `pid` and
    `pid_started` tell the process from any other, before and after it, here and elsewhere.
    """
    own = _machine() | {
        "run": str(Path.cwd()),
        "uid": str(os.getuid()),
        "pid": str(os.getpid()),
        "pid_started": _started(os.getpid()) or "",
    }
    return {f"{PREFIX}{name}": _text(value) for name, value in {**labels, **own}.items()}


def is_leftover(labels: Mapping[str, str]) -> bool:
    """Whether what has these labels is this user's, from this machine, and its process is no more.

    Of other users' processes we may not know whether they live (/proc can hide them).
    """
    ours = _machine() | {"uid": str(os.getuid())}
    if any(labels.get(f"{PREFIX}{name}") != value for name, value in ours.items()):
        return False
    pid, started = labels.get(f"{PREFIX}pid", ""), labels.get(f"{PREFIX}pid_started", "")
    return pid.isdecimal() and _started(int(pid)) != started


@cache
def _machine() -> dict[str, str]:
    """This machine, and the process ids' space in it: a container has its own."""
    return {
        "host": _text(socket.gethostname()),
        "pid_space": Path("/proc/self/ns/pid").readlink().name,
    }


def _started(pid: int) -> str | None:
    """When a process began, in ticks since a boot of the machine; None if there is no such process.

    Ids are used again and again; together with this, one means one process only.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold anything
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return None if fields[0] in _DEAD_STATES else f"{boot}/{fields[19]}"


def _text(value: str) -> str:
    """A text without what cannot be written as UTF-8, as names of files may hold it."""
    return value.encode(errors="backslashreplace").decode()
