"""What one check found, and how it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import textwrap
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import click

_LEAST_WIDTH = 20
"""Columns of what was found, on however narrow a terminal."""


class Verdict(StrEnum):
    """Whether what the run needs is there; what cannot be told stops nobody."""

    OK = "ok"
    FAILED = "FAILED"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table.

    Attributes:
        name: what was looked at.
        verdict: whether it serves.
        found: what was found, in a few words.
        remedy: the command or the page that mends it; every failure has one.
    """

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""

    def describe(self) -> str:
        """What was found and, at the end of the line, what mends it."""
        text = f"{self.found} -> {self.remedy}" if self.remedy else self.found
        return " ".join(text.split())


def ok(name: str, found: str) -> Finding:
    """What serves."""
    return Finding(name, Verdict.OK, found)


def failed(name: str, found: str, remedy: str) -> Finding:
    """What keeps the route from running."""
    return Finding(name, Verdict.FAILED, found, remedy)


def unknown(name: str, found: str, remedy: str = "") -> Finding:
    """What cannot be told from here, or need not matter."""
    return Finding(name, Verdict.UNKNOWN, found, remedy)


def format_table(findings: Iterable[Finding], width: int | None = None) -> str:
    """All findings, a line each.

    With the `width` of a terminal, in columns, lines are wrapped below what was found, what mends a
    fault has a line of its own, and failures are red.
    """
    findings = list(findings)
    longest = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        head, verdict = f"{finding.name:{longest}}  ", f"{finding.verdict:7}"
        if width is None:
            lines.append(f"{head}{verdict}  {finding.describe()}")
            continue
        indent = len(head) + len(verdict) + 2
        is_failure = finding.verdict is Verdict.FAILED
        shown = click.style(verdict, fg="red") if is_failure else verdict
        text = f"\n{' ' * indent}".join(_wrap(finding, max(_LEAST_WIDTH, width - indent)))
        lines.append(f"{head}{shown}  {text}")
    return "\n".join(lines)


def _wrap(finding: Finding, width: int) -> list[str]:
    """What was found, then what mends it, in lines of so many columns; no word is broken."""
    wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    lines = wrapper.wrap(finding.found)
    if finding.remedy:
        wrapper.subsequent_indent = "   "
        lines += wrapper.wrap(f"-> {finding.remedy}")
    return lines


@dataclass(frozen=True)
class Answer:
    """What a program said."""

    status: int
    output: str
    errors: str

    @property
    def last_words(self) -> str:
        """The last line of what it complained about."""
        lines = self.errors.strip().splitlines()
        return lines[-1].strip() if lines else f"exit status {self.status}"


def ask(command: Sequence[str], limit_s: float = 10) -> Answer:
    """Runs a program that answers a question; its whole process group ends with the time limit.

    Raises:
        OSError: if it cannot be started.
        TimeoutError: if it takes longer than that.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):  # it may end just now
                os.killpg(process.pid, signal.SIGKILL)
            raise TimeoutError(f"{command[0]} did not answer in {limit_s:.0f} s") from None
    return Answer(process.returncode, output, errors)
