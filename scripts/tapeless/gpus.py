"""Graphics cards: which there are, and a card for each job that no other job has.

A job takes a card by locking a file that stands for it, in a folder that all users of the machine
share. The kernel gives the lock back when the job ends, however it ends; a container that a killed
job left on the card is removed by the next of the same user to get it. A job that finds no card
free waits for its turn; who works with cards outside tapeless is not seen.

Cards are named by the UUID that the driver gives them, which means the same to every program: the
numbers of CUDA, of nvidia-smi and inside a Slurm job may differ.
"""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tapeless.outcomes import MachineFault

log = logging.getLogger(__name__)

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
"""The environment variable by which CUDA, and Slurm before it, says which cards a job may use."""

SLOTS_VARIABLE = "TAPELESS_GPU_SLOTS"
"""The environment variable that names another folder for the slots."""

SLOTS_FOLDER = Path("/tmp/tapeless-gpus")
"""Not below TMPDIR, which may be each user's own: everybody's jobs must meet here."""

_TURNSTILE = "several"
_POLL_S = 0.5
_REMINDER_S = 300.0
_MB = 1 << 20


class GpuError(MachineFault):
    """There is no graphics card to work with; the message says what to do."""


@dataclass(frozen=True)
class Gpu:
    """A graphics card, as the NVIDIA driver describes it; `index` is its number in nvidia-smi."""

    index: int
    uuid: str
    name: str
    memory_total_mb: int
    memory_free_mb: int


@dataclass(frozen=True)
class GpuLoad:
    """How busy a card is, by all programs: memory in use, and the share of time it computed.

    `utilisation_percent` is of the last second or less; None where the card does not tell, as a
    part of one (MIG) does not.
    """

    gpu: Gpu
    memory_used_mb: int
    utilisation_percent: int | None


def read_gpus() -> list[Gpu]:
    """All cards that the NVIDIA driver lets this process see.

    Raises:
        GpuError: if the driver does not answer.
    """
    with _driver() as nvml:
        cards = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        return [_describe(nvml, index, card) for index, card in enumerate(cards)]


def list_candidates() -> list[str]:
    """The cards that a job of this process may take: each once, by UUID where the driver knows it.

    Raises:
        GpuError: if there is none.
    """
    named = os.environ.get(VISIBLE_DEVICES)
    if named is None:
        if gpus := read_gpus():
            return [gpu.uuid for gpu in gpus]
        raise GpuError("The NVIDIA driver answers, but finds no graphics card: see nvidia-smi -L.")
    try:
        gpus = read_gpus()
    except GpuError:
        gpus = []
    candidates: list[str] = []
    for word in map(str.strip, named.split(",")):
        name = _identify(word, gpus)
        if name is None:  # CUDA, too, heeds only what stands before the first that there is not
            break
        if name not in candidates:
            candidates.append(name)
    if not candidates:
        there = f" The driver has {len(gpus)}: see nvidia-smi -L." if gpus else ""
        raise GpuError(
            f"{VISIBLE_DEVICES} is {named!r}, which names no graphics card.{there} Correct it or "
            "unset it; under Slurm, ask for a card (--gres=gpu:1)."
        )
    return candidates


def read_driver_version() -> str:
    """The version of the NVIDIA driver.

    Raises:
        GpuError: if it does not answer.
    """
    with _driver() as nvml:
        return _text(nvml.nvmlSystemGetDriverVersion())


def read_loads(ids: Sequence[str] | None = None) -> list[GpuLoad]:
    """How busy cards are; `ids` as `take_gpus` gives them, or None for all.

    Raises:
        GpuError: if the driver does not answer, or does not know a card.
    """
    with _driver() as nvml:
        if ids is None:
            cards = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        else:
            cards = [_find_card(nvml, name) for name in ids]
        return [_describe_load(nvml, card) for card in cards]


def _find_card(nvml: ModuleType, name: str) -> object:
    if name.isdecimal():
        return nvml.nvmlDeviceGetHandleByIndex(int(name))
    return nvml.nvmlDeviceGetHandleByUUID(name)


def _describe_load(nvml: ModuleType, card: object) -> GpuLoad:
    used_mb = int(nvml.nvmlDeviceGetMemoryInfo(card).used) // _MB
    try:
        percent = int(nvml.nvmlDeviceGetUtilizationRates(card).gpu)
    except nvml.NVMLError:
        percent = None
    try:
        index = int(nvml.nvmlDeviceGetIndex(card))
    except nvml.NVMLError:
        index = 0
    return GpuLoad(_describe(nvml, index, card), used_mb, percent)


@contextmanager
def take_gpus(count: int) -> Iterator[tuple[str, ...]]:
    """Holds `count` cards, which no other job of this machine then gets; waits until they are free.

    Yields the cards' UUIDs, to hand to a container or to put into `CUDA_VISIBLE_DEVICES`. Where
    that variable is set already, only the cards that it names are taken (its numbers are those of
    nvidia-smi); if the driver does not answer, they are yielded as they are named there. What jobs
    of this user that were killed left at work, in containers or without, is ended.

    Raises:
        GpuError: if there are fewer cards than that, or the folder of the slots cannot be used.
    """
    if not count:
        yield ()
        return
    candidates = list_candidates()
    if count > len(candidates):
        raise GpuError(
            f"This job asks for {count} graphics cards, and there are {len(candidates)}: "
            f"{', '.join(candidates)}. Ask for fewer, or correct {VISIBLE_DEVICES} if it is set."
        )
    with ExitStack() as held:
        with _slots_folder() as folder:
            taken = _gather(held, folder, candidates, count)
        _remove_leftovers()
        yield taken


@contextmanager
def use_gpus(count: int) -> Iterator[tuple[str, ...]]:
    """Holds `count` cards for the CUDA of this process, as `take_gpus` does; for 0 nothing happens.

    CUDA must not have been used before: it looks only once which cards it may see.
    """
    with take_gpus(count) as gpus:
        if gpus:
            os.environ[VISIBLE_DEVICES] = ",".join(gpus)
        yield gpus


def _gather(held: ExitStack, folder: int, candidates: Sequence[str], count: int) -> tuple[str, ...]:
    """Takes `count` of the candidates, keeping those that it has while it waits for the others.

    Of the jobs that want several, only one at a time gathers: two could each wait for ever for what
    the other has.
    """
    with ExitStack() as turnstile:
        patience = _Patience(f"{count} of the graphics cards {', '.join(candidates)}")
        while count > 1 and not _take(turnstile, folder, _TURNSTILE):
            patience.wait()
        taken: set[str] = set()
        while True:
            for name in candidates:
                if len(taken) < count and name not in taken and _take(held, folder, name):
                    taken.add(name)
            if len(taken) == count:
                log.info("this job has %s", ", ".join(sorted(taken)))
                return tuple(name for name in candidates if name in taken)
            patience.wait()


def _remove_leftovers() -> None:
    """Ends what killed jobs left at work: the kernel gave their cards back, not what uses them."""
    # Named in a text, so that it is no source of those who take cards: no result rests on it.
    importlib.import_module("tapeless.containers").remove_leftovers()


class _Patience:
    """Waits between two looks, and says now and then what for."""

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self._start_s = time.monotonic()
        self._said_s = -_REMINDER_S

    def wait(self) -> None:
        waited_s = time.monotonic() - self._start_s
        if waited_s - self._said_s >= _REMINDER_S:
            self._said_s = waited_s
            log.info(
                "waiting for %s: other jobs of tapeless have them (%d min so far)",
                self._wanted,
                waited_s // 60,
            )
        time.sleep(_POLL_S)


def _identify(word: str, gpus: Sequence[Gpu]) -> str | None:
    """The card that a word of `CUDA_VISIBLE_DEVICES` means; None if there is none."""
    if word.startswith("MIG-"):  # a part of a card, which read_gpus does not list
        return word
    if word.startswith("GPU-"):  # may be abbreviated
        return next((gpu.uuid for gpu in gpus if gpu.uuid.startswith(word)), None if gpus else word)
    if not (word.isascii() and word.isdecimal()):
        return None
    if not gpus:
        return str(int(word))
    return gpus[int(word)].uuid if int(word) < len(gpus) else None


@contextmanager
def _driver() -> Iterator[ModuleType]:
    """NVML, the interface of the NVIDIA driver, ready for questions."""
    import pynvml  # here, since most runs need no graphics card

    try:
        pynvml.nvmlInit()
        try:
            yield pynvml
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        raise GpuError(
            f"The NVIDIA driver does not answer ({error}). `nvidia-smi` must list a graphics card: "
            "install the driver, or start the machine again after an update of it. All can be done "
            "without a card, too: docs/workstation.md names the keys that ask for one."
        ) from error


def _describe(nvml: ModuleType, index: int, card: object) -> Gpu:
    memory = nvml.nvmlDeviceGetMemoryInfo(card)
    return Gpu(
        index,
        _text(nvml.nvmlDeviceGetUUID(card)),
        _text(nvml.nvmlDeviceGetName(card)),
        int(memory.total) // _MB,
        int(memory.free) // _MB,
    )


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


@contextmanager
def _slots_folder() -> Iterator[int]:
    """The folder of the slots, open; it is made if need be, for all users."""
    path = Path(os.environ.get(SLOTS_VARIABLE) or SLOTS_FOLDER)
    try:
        with suppress(FileExistsError):
            path.mkdir()
            path.chmod(0o1777)  # mkdir would take the umask off
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        yield descriptor
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> GpuError:
    return GpuError(
        f"The folder {path}, by which jobs share the graphics cards, cannot be used "
        f"({error.strerror}). It must be a folder in which everybody may write: remove it "
        f"(rm -r {path}) and start again, or name another one in {SLOTS_VARIABLE}."
    )


def _take(held: ExitStack, folder: int, name: str) -> bool:
    """Locks a slot until `held` ends; whether it was free."""
    descriptor = _open_slot(folder, f"{name}.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    if not os.fstat(descriptor).st_nlink:  # somebody tidied the folder up: look again next time
        os.close(descriptor)
        return False
    held.callback(os.close, descriptor)
    return True


def _open_slot(folder: int, name: str) -> int:
    """Opens a slot's file, which is made if need be; what else stands in its place is refused.

    Nothing is ever written to it. It is not made by the open() that finds it, for Linux forbids
    that for a file of somebody else in such a folder (fs.protected_regular).
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with suppress(FileExistsError):
        try:
            return _regular(os.open(name, flags, dir_fd=folder), name)
        except FileNotFoundError:
            descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
            os.fchmod(descriptor, 0o666)
            return descriptor
    return _regular(os.open(name, flags, dir_fd=folder), name)  # another job was quicker


def _regular(descriptor: int, name: str) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise PermissionError(0, f"{name} is no plain file")
