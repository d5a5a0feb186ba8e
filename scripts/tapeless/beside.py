"""Work that a job does in two processes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

_FORK = get_context("fork")
_INTERRUPTED = 130
"""The status of a program that Ctrl-C ended."""


@contextmanager
def working_beside(work: Callable[[], None]) -> Iterator[None]:
    """Has `work` done in a process of its own, from all that is in memory now, by the block's end.

    Memory is shared until one of both changes it.

    Raises:
        Exception: what `work` raised.
        ChildProcessError: if the process was killed.
    """
    hearing, telling = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_work, args=(work, telling))
    process.start()
    telling.close()
    try:
        yield
    finally:
        process.join()
    if process.exitcode:
        try:
            error = hearing.recv()
        except EOFError:
            status = process.exitcode
            raise ChildProcessError(f"a process of this job ended with status {status}") from None
        raise error


def _work(work: Callable[[], None], telling: Connection) -> None:
    try:
        work()
    except Exception as error:
        telling.send(error)
        raise
    except KeyboardInterrupt:  # which the job has heard, too, and says what there is to say
        raise SystemExit(_INTERRUPTED) from None
