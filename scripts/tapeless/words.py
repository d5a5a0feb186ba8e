"""How numbers are put into sentences."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`; of nouns whose plural just takes an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
