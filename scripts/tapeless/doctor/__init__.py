"""Whether this machine has what the chosen configuration needs, and what mends it if not."""

from tapeless.doctor.examination import clear_leftovers, examine, find_obstacles
from tapeless.doctor.findings import Finding, Verdict, format_table
from tapeless.doctor.situation import Situation, read_situation

__all__ = [
    "Finding",
    "Situation",
    "Verdict",
    "clear_leftovers",
    "examine",
    "find_obstacles",
    "format_table",
    "read_situation",
]
