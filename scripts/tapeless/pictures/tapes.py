"""Where the tape lay when a body was measured, for pictures of it."""

from __future__ import annotations

import numpy as np

from tapeless.bodies import Body
from tapeless.measurements import ALGORITHMS, Anatomy, Subject, Table, load_table
from tapeless.tape import Cut, Floats, Tape


def tapes_around(body: Body, table: Table | None = None) -> dict[str, Floats]:
    """For each girth, points (N, 3) on the body along the cut that it was measured on, metres.

    The measurements are taken once more, by the same algorithms, with a tape that remembers; of
    all the cuts that an algorithm tried, the one with the girth that it returned is the tape.
    """
    table = table or load_table()
    anatomy = table.topologies[body.topology]
    subject = Subject(body, anatomy)
    subject.tape = tape = _RememberingTape(body, anatomy)
    tapes = {}
    for record in table.measurements:
        tape.cuts.clear()
        value = ALGORITHMS[record.kind](subject, record)
        for level, cut in tape.cuts.items():
            if cut.taut == value:
                points = cut.segments.reshape(-1, 2)
                tapes[record.name] = np.insert(points, 1, level, axis=1)
    return tapes


class _RememberingTape(Tape):
    """A tape that remembers its cuts of the torso, by level."""

    def __init__(self, body: Body, anatomy: Anatomy) -> None:
        super().__init__(body, anatomy.arms, anatomy.trunk)
        self.cuts: dict[float, Cut] = {}

    def torso(self, level: float) -> Cut:
        """The cut at a height, without arms."""
        self.cuts[level] = super().torso(level)
        return self.cuts[level]
