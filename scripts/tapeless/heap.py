"""What becomes of the memory that large arrays leave behind."""

from __future__ import annotations

import ctypes

# Of mallopt (glibc's malloc.h), and what it is set to.
_TRIM_THRESHOLD, _MOST_KEPT_BYTES = -1, (1 << 31) - 1
_MMAP_THRESHOLD, _OWN_MAPPING_BYTES = -3, 32 << 20  # glibc takes no more
_ARENA_MAX, _ARENAS = -8, 1


def keep_freed_memory() -> None:
    """Has this process keep the memory that it frees, for its next arrays.

    glibc gives the memory of large arrays back at once, and Linux clears every page of the next
    ones: up to a fifth of the processor time of a fit, and threads wait for one another meanwhile.
    To be called before the process starts threads: those that have memory of their own keep it.
    The most that is ever in use stays the same, and so does every number. Another C library is left
    as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_ARENA_MAX, _ARENAS)  # others, of threads, are given back whatever is set
    mallopt(_TRIM_THRESHOLD, _MOST_KEPT_BYTES)
    mallopt(_MMAP_THRESHOLD, _OWN_MAPPING_BYTES)
