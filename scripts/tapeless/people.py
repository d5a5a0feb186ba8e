"""Several people of one video: where each has their files, and stages that run once for each.

With `people: dominant` a stage's directory holds the files of the one person who is measured. With
`people: all` it holds `person_1`, `person_2` and so on instead, each laid out as the directory of
that one person would be, with an `outcome.json` of its own. Person 1 is the one whom `dominant`
would have measured, and the directory's own `outcome.json` is theirs. A video that was rejected
before anybody could be followed has no such folders, whatever is set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.outcomes import Outcome, Rejected, check_stage, run_stage
from tapeless.seals import seal

if TYPE_CHECKING:
    import pandas as pd

MAIN_PERSON = 1
"""The number of the person whom the sheet's height, mass, sex and subject belong to."""

_FOLDER = re.compile(r"person_([1-9][0-9]*)")

Work = Callable[..., Mapping[str, int]]


def people_of(stage: Path) -> dict[int, Path]:
    """Each person's number and directory in a stage's directory, in the order of the numbers.

    Only `MAIN_PERSON` and the directory itself when the stage holds one person, or nobody.
    """
    return _followed(stage) or {MAIN_PERSON: stage}


def person_folder(stage: Path, person: int) -> Path:
    """Where a stage that holds several people keeps the files of one."""
    return stage / f"person_{person}"


def rows_of_person(table: pd.DataFrame, person: int) -> pd.DataFrame:
    """The rows of a table with a column `person` that tell of one person.

    Rows without a number, of a video in which nobody was found, tell of everybody.
    """
    return table[table["person"].isna() | (table["person"] == person)]


def run_people_stage(output: Path, upstream: Sequence[Path], work: Work) -> Outcome:
    """Runs one stage for each person, as `tapeless.outcomes.run_stage` does for a video.

    `work(person, output, *upstream)` is called with the number of a person and with their own
    directories; one of `upstream` that knows no people apart, such as the sampled frames, is handed
    to everybody. A person who was rejected before is not worked on, which leaves the others alone.

    Returns:
        The outcome of person 1, which is also that of the whole directory.

    Raises:
        DamagedStageError: if a stage in `upstream` is not as it was written.
    """
    for stage in upstream:
        check_stage(stage)
    numbers = sorted({number for stage in upstream for number in _followed(stage)})
    if not numbers:
        return run_stage(output, upstream, partial(work, MAIN_PERSON, output, *upstream))
    outcomes = {}
    for number in numbers:
        own_output = person_folder(output, number)
        own_upstream = [_followed(stage).get(number, stage) for stage in upstream]
        outcomes[number] = run_stage(
            own_output, own_upstream, partial(work, number, own_output, *own_upstream)
        )
    outcomes[MAIN_PERSON].write(output)
    seal(output)
    return outcomes[MAIN_PERSON]


def run_each_person(
    output: Path, work: Mapping[int, Callable[[Path], Mapping[str, int]]]
) -> Mapping[str, int]:
    """The work of the stage that finds several people, each in a directory of their own.

    Args:
        output: the stage's directory, which exists.
        work: by the number of the person; it is called with their directory.

    Returns:
        What was counted of person 1.

    Raises:
        Rejected: if person 1 is rejected. The others are done all the same.
    """
    outcomes = {}
    for number, work_on_person in work.items():
        folder = person_folder(output, number)
        outcomes[number] = run_stage(folder, [], partial(work_on_person, folder))
    main = outcomes[MAIN_PERSON]
    if main.code is not None:
        raise Rejected(main.code, main.reason or "", **main.counts)
    return main.counts


def _followed(stage: Path) -> dict[int, Path]:
    """The directories of the people whom a stage keeps apart, by number; none if it does not."""
    found = {
        int(match[1]): path for path in stage.iterdir() if (match := _FOLDER.fullmatch(path.name))
    }
    return dict(sorted(found.items()))
