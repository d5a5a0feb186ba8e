"""When not to believe a number: checks of a video with three verdicts, and what follows from them.

A check passes, fails, or cannot tell, which never passes. `data/checks.yaml` is the table of all:
what each looks at, its limit and where that comes from, and what follows: nothing, a flag, a wider
interval, or a rejection.
"""

from tapeless.checks.findings import (
    FINDING_COLUMNS,
    Finding,
    added_sd,
    flags,
    of_person,
    read_checks,
    rejection,
    write_checks,
)
from tapeless.checks.table import Check, load_checks

__all__ = [
    "FINDING_COLUMNS",
    "Check",
    "Finding",
    "added_sd",
    "flags",
    "load_checks",
    "of_person",
    "read_checks",
    "rejection",
    "write_checks",
]
