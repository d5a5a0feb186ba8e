"""Made-up graphics cards, and jobs that take them, for tests on machines that have none."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

NVML_SOURCE = Path(__file__).parent / "containers/standins/nvml/nvml.c"
SCRIPTS = Path(__file__).parents[1] / "scripts"

TAKE = """
import logging, os, pynvml, sys
import tapeless.containers.docker, tapeless.containers.host  # which a user may not be able to read
from tapeless.gpus import take_gpus
os.umask(int(sys.argv[2]))
os.setuid(int(sys.argv[3]))
logging.basicConfig(level=logging.INFO, format="%(message)s")
with take_gpus(int(sys.argv[1])) as gpus:
    print(*gpus, flush=True)
    sys.stdin.read()
"""
"""A job: says which cards it has, and keeps them until its standard input ends."""


@dataclass(frozen=True)
class Cards:
    """Cards of 24 GB that a stand-in for the NVIDIA driver reports, with slots of their own."""

    folder: Path
    uuids: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see these cards, and no others."""
        return {
            "LD_LIBRARY_PATH": str(self.folder),
            "STANDIN_GPUS": str(self.folder / "cards.txt"),
            "TAPELESS_GPU_SLOTS": str(self.slots),
            "PYTHONPATH": str(SCRIPTS),
        }

    @property
    def slots(self) -> Path:
        return self.folder / "slots"

    def use(self, **used_mb: int) -> None:
        """Sets the memory in use, by the letter of the card: none if it is not given."""
        lines = [
            f"{uuid} 24576 {used_mb.get(letter, 0)} Stand-in RTX {letter}"
            for letter, uuid in zip("abcdefgh", self.uuids, strict=False)
        ]
        (self.folder / "cards.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    @contextmanager
    def job(
        self,
        count: int = 1,
        *,
        code: str = TAKE,
        umask: int = 0o022,
        user: int | None = None,
        **environment: str,
    ) -> Iterator[Job]:
        """A job that takes `count` of the cards, in a process of its own."""
        user = os.geteuid() if user is None else user
        inherited = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
        with subprocess.Popen(
            [sys.executable, "-c", code, str(count), str(umask), str(user)],
            env=inherited | self.environment | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Job(process)
            finally:
                process.kill()


_PATIENCE_S = 60


@dataclass(frozen=True)
class Job:
    process: subprocess.Popen[str]
    _logged: list[str] = field(default_factory=list)

    def wait_for_gpus(self) -> list[str]:
        """The cards that the job got, once it has them."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], _PATIENCE_S)[0], (
            "no card in all that time"
        )
        if not (line := self.process.stdout.readline()):
            raise AssertionError(self.process.communicate()[1])
        return line.split()

    def is_waiting(self, seconds: float = 1.0) -> bool:
        """Whether the job has said that it waits, and does so for some time."""
        assert self.process.stderr is not None
        while "waiting for" not in "".join(self._logged):
            streams = [self.process.stdout, self.process.stderr]
            ready, _, _ = select.select(streams, [], [], _PATIENCE_S)
            if self.process.stderr not in ready:  # it has a card, or says nothing at all
                return False
            if not (line := os.read(self.process.stderr.fileno(), 1 << 16)):
                return False
            self._logged.append(line.decode())
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        return not ready and self.process.poll() is None

    def end(self) -> str:
        """Lets the job end; what it logged."""
        _, said = self.process.communicate()
        return "".join(self._logged) + said

    def fail(self) -> str:
        """What the job says on its way out, which must be a failure."""
        said = self.end()
        assert self.process.returncode != 0
        return said


def who_works(one: Job, other: Job) -> tuple[Job, Job]:
    """Of two jobs the first that has its cards, and the other one."""
    outputs = [one.process.stdout, other.process.stdout]
    ready, _, _ = select.select(outputs, [], [], _PATIENCE_S)
    assert ready, "no card in all that time"
    return (one, other) if one.process.stdout in ready else (other, one)


def make_cards(folder: Path, count: int) -> Cards:
    """A machine with so many cards."""
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "libnvidia-ml.so.1"
    options = ["-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run(["gcc", *options, "-o", str(library), str(NVML_SOURCE)], check=True)
    letters = "abcdefgh"[:count]
    cards = Cards(folder, tuple(f"GPU-{c * 8}-1111-2222-3333-{c * 12}" for c in letters))
    cards.use()
    return cards
