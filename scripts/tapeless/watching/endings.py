"""What a run says last: what failed or was rejected, why, and how to go on."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from tapeless.hiding import HIDDEN, hide_secrets_of_command
from tapeless.watching.failures import Failure
from tapeless.words import counted

MOST_NAMED = 5
"""So many videos are named of those to which the same happened."""

MOST_KINDS = 20
"""So many kinds of failures are told of."""

_STARTING_OVER = ("-F", "--forceall", "-f", "--force")


def describe_failures(failures: Sequence[Failure], results: Path, command: str | None) -> str:
    """The last words of a run that failed or was interrupted (then there are no failures)."""
    summary = results / "summary.csv"
    stale = f"{summary} is still that of an earlier run. " if summary.exists() else ""
    happened = _describe_kinds(_group(failures)) if failures else "The run ended early. "
    end = "the same command goes on from there" + (f":\n  {command}" if command else ".")
    return f"{happened}{stale}Finished results are kept: {end}"


def _describe_kinds(kinds: Sequence[Sequence[Failure]]) -> str:
    shown = "".join(map(_describe_kind, kinds[:MOST_KINDS]))
    rest = len(kinds) - MOST_KINDS
    more = f"\n  and {counted(rest, 'failure')} of other kinds" if rest > 0 else ""
    return (
        f"{counted(sum(map(len, kinds)), 'job')} failed because of this machine or of a fault in "
        f"tapeless, not of the videos (those have rows that say so):{shown}{more}\n"
    )


def _group(failures: Iterable[Failure]) -> list[list[Failure]]:
    """Failures of one stage that say the same belong together: a full disk fails all."""
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in sorted(failures, key=lambda failure: (failure.stage, failure.videos)):
        groups.setdefault((failure.stage, failure.said), []).append(failure)
    return list(groups.values())


def _describe_kind(kind: Sequence[Failure]) -> str:
    names = _named([video for failure in kind for video in failure.videos])
    said = kind[0].said.replace("\n", "\n    ")
    what = "its log" if len(kind) == 1 else "one of their logs"
    logs = "".join(f"\n    {what}: {log}" for log in kind[0].logs)
    return f"\n  - {'/'.join(filter(None, [kind[0].stage, names]))}: {said}{logs}"


def _named(videos: Sequence[str]) -> str:
    more = len(videos) - MOST_NAMED
    return ", ".join(videos[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def describe_success(results: Path) -> str:
    """The last words of a run that made reports: who was rejected and why, and where all is."""
    with (results / "summary.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    rejected: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] == "rejected":
            rejected.setdefault(row["code"], []).append(_who(row))
    shown = "".join(f"\n  - {code}: {_named(names)}" for code, names in sorted(rejected.items()))
    count = sum(map(len, rejected.values()))
    measured = f"{len(rows) - count} measured, {count} rejected"
    why = f": {results / 'summary.csv'} says why, docs/rejections.md what to do{shown}\n"
    return (
        f"{measured}{why if rejected else '. '}"
        f"Tables and contact sheets are in {results}, all people on one page in "
        f"{results / 'cohort.html'}, what it cost in {results / 'benchmarks.csv'}."
    )


def _who(row: dict[str, str]) -> str:
    person = row.get("person", "1")
    return row["video"] if person == "1" else f"{row['video']} (person {person})"


def word_command(command: str) -> str | None:
    """The command line that goes on where a run ended, as a person types it.

    Snakemake is called by its name, and what would do all anew is left out. None if the command
    holds secrets, which do not belong into a log.
    """
    if HIDDEN in hide_secrets_of_command(command):
        return None
    program, *words = shlex.split(command)
    name = PurePath(program).name
    name = "snakemake" if name == "__main__.py" else name
    return shlex.join([name, *[word for word in words if word not in _STARTING_OVER]])
