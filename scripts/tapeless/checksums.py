"""Checksums of large files: weights and images are hashed once, and again when they change.

What was hashed is remembered for this user, in `$XDG_CACHE_HOME/tapeless/checksums.json` (else in
`~/.cache`). The cache is a convenience: lost, damaged or not writable, it costs time only.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

log = logging.getLogger(__name__)

_YOUNG_S = 2.0
"""Changed less than this ago, a file may change again within one tick of its file system's clock,
and so look the same; it is not remembered yet."""


def checksum_file(path: Path, algorithm: str = "sha256") -> str:
    """The checksum of a file's content, as `<algorithm>:<hex>`.

    It is remembered by absolute path, size, time of change (ns) and inode. Links are followed.

    Args:
        path: the file.
        algorithm: as hashlib names it; "md5" where others publish no better one.

    Raises:
        OSError: if the file cannot be read.
    """
    key = f"{algorithm}:{path.absolute()}"
    before = _identify(path)
    known = _read_cache().get(key)
    if isinstance(known, list) and len(known) == 2 and known[0] == before:
        return str(known[1])
    with path.open("rb") as stream:
        begin = partial(hashlib.new, algorithm, usedforsecurity=False)
        checksum = f"{algorithm}:{hashlib.file_digest(stream, begin).hexdigest()}"
    if before == _identify(path) and time.time_ns() - before[1] > _YOUNG_S * 1e9:
        _remember(key, [before, checksum])
    return checksum


def _identify(path: Path) -> list[int]:
    """What changes with the content of a file: size in bytes, time of change in ns, inode."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _cache_file() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(folder) if Path(folder).is_absolute() else Path.home() / ".cache"
    return home / "tapeless/checksums.json"


def _read_cache() -> dict[str, object]:
    with suppress(OSError, ValueError, RuntimeError):  # RuntimeError: the user has no home
        content = json.loads(_cache_file().read_bytes())
        if isinstance(content, dict):
            return content
    return {}


def _remember(key: str, entry: list[object]) -> None:
    """Adds an entry. Of two processes that write at once, one may lose its entry, not the file."""
    try:
        file = _cache_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_read_cache() | {key: entry}, indent=0)
        descriptor, unfinished = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(unfinished).replace(file)
        except OSError:
            Path(unfinished).unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError) as error:
        log.debug("the checksum of %s is not remembered: %s", key, error)
