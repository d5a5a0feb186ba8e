"""Measures by how much landmarks that are found by rule move what is measured.

`python scripts/measure_landmarks.py` renews `tapeless/data/landmarks_by_rule.csv`: adults of Anny,
each measured with Anny's own landmarks and with the rules of the other topologies. Half a minute.
To be done when a rule or a definition changes; `python docs/generate.py` then writes the page.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tapeless.anatomy import Rule
from tapeless.measurements import TABLE_FILE, MeasuredBody, Table, load_table, measure
from tapeless.population import draw_adults, rest_body

ADULTS = 40
SEED = 14  # of nobody else: benchmarks/config.yaml lists the others
BY_RULE = ("smplx", "other")
COLUMNS = ("topology", "measurement", "adults", "bias_percent", "sd_percent", "largest_percent")
FILE = TABLE_FILE.with_name("landmarks_by_rule.csv")


def table_by_rule(topology: str) -> Table:
    """The definitions for Anny's bodies, with the rules of another topology.

    Of what the other one has vertices for, Anny's own are taken.
    """
    table = load_table()
    own, other = table.topologies["anny"], table.topologies[topology]
    landmarks = {
        name: place if isinstance(place, Rule) else own.landmarks[name]
        for name, place in other.landmarks.items()
    }
    anatomy = replace(other.renamed(own.joints), landmarks=landmarks, vertices=own.vertices)
    return replace(table, topologies={"anny": anatomy})


def differences(count: int, topology: str) -> dict[str, list[float]]:
    """What the rules change in each measurement that rests on one, relative, a value per adult."""
    table = table_by_rule(topology)
    people = [rest_body(adult) for adult in draw_adults(count, SEED, varied_beyond_prior=True)]
    pairs = [(measure(body), measure(body, table)) for body in people]
    return {
        record.name: [_change(record.name, *pair) for pair in pairs]
        for record in table.measurements
        if "approximate" in pairs[0][1].flags.get(record.name, ())
    }


def _change(name: str, own: MeasuredBody, by_rule: MeasuredBody) -> float:
    return by_rule.values[name] / own.values[name] - 1


def rows() -> Iterator[tuple[str | int, ...]]:
    """The rows of the table, in the order of `COLUMNS`."""
    for topology in BY_RULE:
        for name, found in differences(ADULTS, topology).items():
            percent = 100 * np.array(found)
            numbers = (percent.mean(), percent.std(ddof=1), np.abs(percent).max())
            yield (topology, name, ADULTS, *(f"{round(number, 1) + 0:.1f}" for number in numbers))


def main(path: Path = FILE) -> None:
    """Writes the table."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows())


if __name__ == "__main__":
    main()
