"""What ffmpeg may do on this machine: read, decode and say what it sees, and little else.

A decoder is a large C library that is fed what somebody sent. Should a file take it over, this is
what it finds: limits of memory, processor time, open files and file size, which every process may
set itself (`prlimit`); no rights, and for root another user's id (`setpriv`); none of this user's
variables; and where Bubblewrap works, no network, no other processes, no sockets where programs
have theirs (`_HIDDEN`), and no place to write to. Without Bubblewrap, or where the kernel lets
nobody make namespaces, the rest holds; `find_confinement` says which it is.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tapeless.outcomes import MachineFault

MEMORY_BYTES = 2 << 30
"""What a decoder may hold; H.264 of 8192 x 4320 pixels takes 0.3 GB, HEVC 0.6 GB."""

OPEN_FILES = 64

_NOBODY = 65534
_GRACE_S = 5
_TRIAL_LIMIT_S = 20
_HIDDEN = ("/run", "/tmp", "/var/tmp", "/dev/shm")
"""Folders with the sockets and the memory of other programs, such as a Docker daemon."""
_KEPT_VARIABLES = re.compile(r"PATH|LANG|LC_.*|LD_LIBRARY_PATH|(CUDA|NVIDIA|LIBVA|VDPAU)_.*")
_READ_ALL, _READ_AND_WRITE_ALL = "dac_read_search", "dac_override"
_CAPABILITIES = {_READ_ALL: 2, _READ_AND_WRITE_ALL: 1}


@dataclass(frozen=True)
class Confinement:
    """How a decoder is shut in on this machine.

    Attributes:
        bubblewrap: the program that shuts it in; None where that does not work.
        is_other_user: whether root gives up its id.
    """

    bubblewrap: str | None
    is_other_user: bool

    def wrap(
        self, command: Sequence[str], video: Path | None, *, cpu_limit_s: float, has_card: bool
    ) -> list[str]:
        """The command that runs a program (its path comes first) confined.

        Args:
            command: what to run.
            video: the file that it shall read.
            cpu_limit_s: the processor time that it may take.
            has_card: whether it uses a graphics card. The card's driver maps more memory than it
                uses and has files of its own: memory and file size are not limited then.
        """
        program = Path(command[0])
        seen = [_folder_of(program), program, video]
        return [
            *_limits(cpu_limit_s, has_card=has_card),
            *_namespaces(self.bubblewrap, filter(None, seen), has_card=has_card),
            *_privileges(is_other_user=self.is_other_user, has_card=has_card),
            *command,
        ]


@cache
def find_confinement() -> Confinement:
    """The strictest confinement that works on this machine, found by trying.

    Raises:
        MachineFault: if limits cannot be set.
    """
    bubblewrap = shutil.which("bwrap")
    # as another user it could not read root's own files without that right, as in many containers
    may_change_user = os.geteuid() == 0 and _has_capability(_READ_ALL)
    for candidate in dict.fromkeys((bubblewrap, None)):
        for is_other_user in dict.fromkeys((may_change_user, False)):
            found = Confinement(candidate, is_other_user)
            if _works(found):
                return found
    raise MachineFault(
        "ffmpeg cannot be confined, so no video is opened: install prlimit and setpriv (on Debian "
        "and Ubuntu: apt-get install util-linux)"
    )


def keep_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those variables that a decoder needs; others may be secrets."""
    return {name: text for name, text in environment.items() if _KEPT_VARIABLES.fullmatch(name)}


def _works(confinement: Confinement) -> bool:
    try:
        trial_program = shutil.which("true") or "true"
        command = confinement.wrap(
            [trial_program], None, cpu_limit_s=_TRIAL_LIMIT_S, has_card=False
        )
        trial = subprocess.run(command, capture_output=True, timeout=_TRIAL_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return trial.returncode == 0


def _folder_of(program: Path) -> Path | None:
    """The folder that a program was installed into, with its libraries, if it is a narrow one."""
    folder = program.resolve().parent.parent
    return None if str(folder) in (*_hidden_folders(), "/") else folder


def _hidden_folders() -> tuple[str, ...]:
    return tuple(os.path.realpath(folder) for folder in _HIDDEN if Path(folder).is_dir())


def _limits(cpu_limit_s: float, *, has_card: bool) -> list[str]:
    """Limits as prlimit takes them, none above what this process has; no dump of memory, ever."""
    wanted = {
        "core": 0,
        "cpu": max(1, round(cpu_limit_s)),
        "nofile": OPEN_FILES,
        **({} if has_card else {"data": MEMORY_BYTES, "fsize": 0}),
    }
    words = []
    for name, limit in wanted.items():
        hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        # SIGXCPU tells what happened, SIGKILL does not
        last = most + _GRACE_S if name == "cpu" and hard == resource.RLIM_INFINITY else most
        words.append(f"--{name}={most}:{last}")
    return ["prlimit", *words, "--"]


def _namespaces(bubblewrap: str | None, seen: Iterable[Path], *, has_card: bool) -> list[str]:
    """This machine's files, to read, of `_HIDDEN` only those named; no network, no processes."""
    if bubblewrap is None:
        return []
    words = [bubblewrap, "--die-with-parent", "--unshare-net", "--unshare-pid", "--unshare-ipc"]
    words += ["--ro-bind", "/", "/", "--proc", "/proc"]
    words += ["--dev-bind", "/dev", "/dev"] if has_card else ["--dev", "/dev"]
    hidden = _hidden_folders()
    for folder in hidden:
        words += ["--tmpfs", folder]
    for path in seen:
        if any(map(path.is_relative_to, hidden)):
            words += ["--ro-bind", str(path), str(path)]
    return [*words, "--"]


def _privileges(*, is_other_user: bool, has_card: bool) -> list[str]:
    """No rights but, for root, to read all files: a video may be its own or anybody's."""
    if not is_other_user:
        return ["setpriv", "--no-new-privs"]
    wanted = _READ_AND_WRITE_ALL if has_card else _READ_ALL  # devices are opened to be written to
    kept = f",+{wanted}" if _has_capability(wanted) else ""
    rights = [f"--{kind}=-all{kept}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    identity = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    return ["setpriv", *identity, *rights, "--no-new-privs"]


def _has_capability(name: str) -> bool:
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^CapPrm:\s*(\w+)$", status, re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> _CAPABILITIES[name] & 1)
