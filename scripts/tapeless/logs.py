"""The log of one job: messages, warnings and the traceback of a crash, in one file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Sends everything that a job logs to `path`, and its traceback if it crashes.

    The exception also goes to standard error, as Python does, so that Snakemake shows it.
    """
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    except BaseException:
        root.exception("the job failed")
        raise
    finally:
        root.removeHandler(handler)
        handler.close()
        sys.stderr.flush()


def progress(items: Iterable[Item], what: str, total: int, log: logging.Logger) -> Iterator[Item]:
    """Yields `items`, logging "3 of 24 frames" and the like at about every tenth of the way."""
    step = max(1, total // 10)
    for number, item in enumerate(items, start=1):
        yield item
        if number % step == 0 or number == total:
            log.info("%d of %d %s", number, total, what)
