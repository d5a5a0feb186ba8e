"""One container for several videos: who waits for one is taken along.

To start a program and to load its models onto a card may take longer than to look at a video. So a
job whose turn it is (`share_container`) looks who else waits for a card, and lets its container
work for them, too; what that finds of the others is put aside (`shelves`), where their own jobs
find it and start no container. A job stays that of one video. When a container of several fails,
each of the videos gets one of its own, so that one which the program cannot bear takes nobody down.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tapeless.containers.shelves import NoLocksError, Shelf
from tapeless.outcomes import OUTCOME_FILE, MachineFault, Outcome
from tapeless.seals import SEAL_FILE, find_damage
from tapeless.words import counted

log = logging.getLogger(__name__)

_POLL_S = 0.5
_REMINDER_S = 300.0


class Errand(Protocol):
    """What a container is to do for one video; `digest` is that of all that the result rests on."""

    @property
    def digest(self) -> str:
        """Names the result."""


E = TypeVar("E", bound=Errand)


class Work(Protocol[E]):
    """What a stage has a container do."""

    def find(self, stage: Path) -> Sequence[E] | None:
        """What is to be done for another video, by its stage's directory; None if not yet.

        May raise `OSError` or `ValueError`, if files are damaged, or come and go.
        """

    def do(self, errands: Sequence[E], folder: Path) -> Sequence[Path]:
        """Runs one container, in an empty folder; the results, each whole and in its own folder."""


@dataclass(frozen=True)
class Sharing:
    """Whom the container of a job may work for; nobody but its own video, if no more is said.

    Attributes:
        stage: the directory that the job writes.
        settled: what decides the result besides a video's own files; the same for all videos.
        others: the directories of other videos, which their own jobs are going to write.
        most: so many of them are taken along at most.
        run: the name of the run, another one for each.
    """

    stage: Path
    settled: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[Path, ...] = ()
    most: int = 0
    run: str = ""


def share_container(
    own: Sequence[E], work: Work[E], workplace: Path, sharing: Sharing
) -> Sequence[Path]:
    """The results of a video's own errands, each in its folder below `workplace`.

    They are taken from its shelf, if they are there. Else a container makes them, and works for
    others, too. While another job works for this video, this one waits, and meanwhile works for
    others. When the stage is done, `clear_shelf` is to be called.

    Args:
        own: what is to be done for the video.
        work: what the stage has a container do.
        workplace: an empty folder for containers to work in.
        sharing: whom they may work for besides.

    Raises:
        MachineFault: if it cannot be done for this video alone.
    """
    if not sharing.most:
        return _do_alone(own, work, workplace / "alone")
    shelf = Shelf.of(sharing.stage)
    party = _Party(work, workplace, sharing)
    with party.take_turn(shelf):
        try:
            return _take_all(shelf, own, workplace) or party.work_for(own)
        except MachineFault:
            shelf.clear()
            shelf.distrust(sharing.run)
            raise


def clear_shelf(stage: Path) -> None:
    """Removes what others have put aside for a stage that is done."""
    Shelf.of(stage).clear()


def digest_errand(files: Mapping[str, Path], settled: Mapping[str, Any]) -> str:
    """A digest of files, by what they are called, and of what else decides the result.

    Raises:
        OSError: if a file cannot be read.
    """
    sums = {}
    for name, path in files.items():
        with path.open("rb") as stream:
            sums[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    text = json.dumps([sums, settled], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", errors="backslashreplace")).hexdigest()


def are_ready(inputs: Iterable[Path]) -> bool:
    """Whether stages that a video's work reads are done, and have not rejected it.

    Raises:
        ValueError: if one is not as it was written.
    """
    stages = tuple(inputs)
    if not all((stage / SEAL_FILE).exists() and Outcome.read(stage).is_ok for stage in stages):
        return False
    for stage in stages:
        if damaged := find_damage(stage):
            raise ValueError(f"not as it was written: {stage / damaged[0]}")
    return True


def _do_alone(own: Sequence[E], work: Work[E], folder: Path) -> list[Path]:
    """A container for each errand."""
    results: list[Path] = []
    for number, errand in enumerate(own):
        (place := folder / str(number)).mkdir(parents=True)
        results += work.do([errand], place)
    return results


def _take_all(shelf: Shelf, own: Sequence[Errand], workplace: Path) -> list[Path]:
    """What is put aside for errands, if it is there for all of them."""
    if not all(shelf.has(errand.digest) for errand in own):
        return []
    results = [workplace / f"taken_{number}" for number in range(len(own))]
    taken = [shelf.take(errand.digest, place) for errand, place in zip(own, results, strict=True)]
    if not all(taken):
        return []
    log.info("the container of another video's job has done it: no container is started")
    return results


@dataclass(frozen=True)
class _Guest(Generic[E]):
    """A video that is taken along."""

    stage: Path
    shelf: Shelf
    errands: Sequence[E]


class _Party(Generic[E]):
    """A job with a card, and whom it takes along; each container works in a folder of its own."""

    def __init__(self, work: Work[E], workplace: Path, sharing: Sharing) -> None:
        self._work = work
        self._workplace = workplace
        self._sharing = sharing
        self._containers = 0
        self._known: dict[Path, Sequence[E]] = {}

    @contextmanager
    def take_turn(self, shelf: Shelf) -> Iterator[None]:
        """Claims the job's own shelf; while another job has it, works for others, or waits."""
        waiting_since_s, said_s = time.monotonic(), -_REMINDER_S
        while True:
            with ExitStack() as claims:
                try:
                    is_mine = claims.enter_context(shelf.claim())
                except NoLocksError:
                    is_mine = True
                if is_mine:
                    yield
                    return
            if not self._help_others():
                waited_s = time.monotonic() - waiting_since_s
                if waited_s - said_s >= _REMINDER_S:
                    said_s = waited_s
                    log.info("waiting for the container of another job, which does this video, too")
                time.sleep(_POLL_S)

    def work_for(self, own: Sequence[E]) -> Sequence[Path]:
        """Does a job's own errands, and those of guests; if that fails, its own alone."""
        is_trusted = not Shelf.of(self._sharing.stage).is_distrusted(self._sharing.run)
        with ExitStack() as claims:
            if guests := self._invite(claims) if is_trusted else []:
                try:
                    return self._host(own, guests)
                except (MachineFault, OSError) as error:
                    log.warning("the container of several videos failed: %s", error)
                    log.warning("each of these videos gets a container of its own")
            results = _do_alone(own, self._work, self._next_folder())
            for guest in guests:  # one of them is to blame, since it is not this one
                guest.shelf.distrust(self._sharing.run)
            return results

    def _help_others(self) -> bool:
        """Works for guests only; whether there were any."""
        with ExitStack() as claims:
            if not (guests := self._invite(claims)):
                return False
            try:
                self._host([], guests)
            except (MachineFault, OSError) as error:
                log.warning("the container of other videos failed: %s", error)
                for guest in guests:
                    guest.shelf.distrust(self._sharing.run)
        return True

    def _host(self, own: Sequence[E], guests: Sequence[_Guest[E]]) -> Sequence[Path]:
        """Runs one container for all; puts aside what it did for guests."""
        errands = [*own, *(errand for guest in guests for errand in guest.errands)]
        log.info("one container for %s", counted(len(guests) + bool(own), "video"))
        folder = self._next_folder()
        folder.mkdir(parents=True)
        results = self._work.do(errands, folder)
        for (whose, digest), result in zip(
            [(guest, errand.digest) for guest in guests for errand in guest.errands],
            results[len(own) :],
            strict=True,
        ):
            try:
                whose.shelf.put(digest, result)
            except OSError as error:
                log.warning("what was found for %s cannot be put aside: %s", whose.stage, error)
            if (whose.stage / OUTCOME_FILE).exists():  # looked at last, or it might come between
                whose.shelf.clear()  # its own job is done: nobody would take it, nor remove it
        return results[: len(own)]

    def _invite(self, claims: ExitStack) -> list[_Guest[E]]:
        """Claims videos that wait for a container, until `claims` ends."""
        guests: list[_Guest[E]] = []
        for stage in self._sharing.others:
            if len(guests) == self._sharing.most:
                break
            try:
                if (guest := self._ask(stage, claims)) is not None:
                    guests.append(guest)
            except (OSError, ValueError) as error:
                log.info("%s is left to its own job: %s", stage, error)
                self._known[stage] = ()
        return guests

    def _ask(self, stage: Path, claims: ExitStack) -> _Guest[E] | None:
        """Claims one video, if it waits and nobody else works for it."""
        shelf, is_done = Shelf.of(stage), (stage / OUTCOME_FILE).exists
        if is_done() or shelf.is_distrusted(self._sharing.run):
            return None
        if not (errands := self._find(stage)) or self._are_done(shelf, errands):
            return None
        with ExitStack() as claim:
            if not claim.enter_context(shelf.claim()):
                return None
            if is_done() or self._are_done(shelf, errands):
                return None
            claims.enter_context(claim.pop_all())
        return _Guest(stage, shelf, errands)

    def _find(self, stage: Path) -> Sequence[E]:
        """What is to be done for a video; found out once, as all its files are read for that.

        Should they change after that, it is noticed when they are given to a container.
        """
        if stage not in self._known:
            if (errands := self._work.find(stage)) is None:
                return ()
            self._known[stage] = errands
        return self._known[stage]

    @staticmethod
    def _are_done(shelf: Shelf, errands: Sequence[Errand]) -> bool:
        return all(shelf.has(errand.digest) for errand in errands)

    def _next_folder(self) -> Path:
        self._containers += 1
        return self._workplace / f"container_{self._containers}"
