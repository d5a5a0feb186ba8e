"""The log of one job: messages, warnings and the traceback of a crash, in one file."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from tapeless.outcomes import MachineFault

Item = TypeVar("Item")

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_FAILURE_MARK = "THE JOB FAILED: "


@contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Sends everything that a job logs to `path`, and its traceback if it crashes.

    Standard error, which Snakemake shows, gets what a person needs: of a `MachineFault` just its
    sentences, of a job that was told to stop nothing, of any other exception the traceback. The
    log ends with what `read_failure` looks for.

    Raises:
        SystemExit: in place of a `MachineFault` (status 1) and of KeyboardInterrupt (130).
    """
    handler = _LogFile(path, mode="w", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as end:
        root.warning("the job was stopped")
        raise SystemExit(getattr(end, "code", 130)) from None
    except MachineFault as fault:
        said = "\n".join([str(fault), *getattr(fault, "__notes__", ())])
        root.error("where it failed:", exc_info=True)
        root.error("%s%s", _FAILURE_MARK, said)
        sys.stderr.write(f"{said}\n")
        raise SystemExit(1) from None
    except BaseException as error:
        root.error("where it failed:", exc_info=True)
        root.error("%s%s", _FAILURE_MARK, traceback.format_exception_only(error)[-1].rstrip())
        raise
    finally:
        root.removeHandler(handler)
        handler.close()
        sys.stderr.flush()


class _LogFile(logging.FileHandler):
    """A file that loses lines where they cannot be written, as on a full disk; its job goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name in logging)
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def read_failure(log: Path, since: float) -> str | None:
    """What a job that failed said last, on one line or more.

    None if its log does not end so, or was not written after `since`, in seconds of `time.time()`.
    """
    try:
        if log.stat().st_mtime < since:
            return None
        _, mark, said = log.read_text("utf-8", errors="replace").rpartition(_FAILURE_MARK)
    except OSError:
        return None
    return said.strip() if mark else None


def progress(items: Iterable[Item], what: str, total: int, log: logging.Logger) -> Iterator[Item]:
    """Yields `items`, logging "3 of 24 frames" and the like at about every tenth of the way."""
    step = max(1, total // 10)
    for number, item in enumerate(items, start=1):
        yield item
        if number % step == 0 or number == total:
            log.info("%d of %d %s", number, total, what)
