"""Times measuring one body: all measurements, from a body file that is loaded already.

`PYTHONPATH=scripts python benchmarks/scripts/time_measuring.py` measures some adults of Anny, each
five times, and prints the median and the slowest, in milliseconds, as JSON; or writes it into the
file that is named after it.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from tapeless.measurements import load_table, measure
from tapeless.population import draw_adults, rest_body

ADULTS = 8
REPEATS = 5
SEED = 5


def time_measuring(bodies: int) -> list[float]:
    """Milliseconds that each measuring of each body took; the table is read before."""
    table = load_table()
    people = [
        rest_body(adult) for adult in draw_adults(bodies, seed=SEED, varied_beyond_prior=True)
    ]
    measure(people[0], table)  # what is made once: where the surface has holes
    times = []
    for body in people * REPEATS:
        started = time.perf_counter()
        measure(body, table)
        times.append(1000 * (time.perf_counter() - started))
    return times


def main() -> dict[str, float]:
    """How many measurements, and the median and the longest time of taking them all."""
    times = time_measuring(ADULTS)
    return {
        "measurements": len(load_table().measurements),
        "median_ms": round(statistics.median(times), 1),
        "slowest_ms": round(max(times), 1),
    }


if __name__ == "__main__":
    times = json.dumps(main(), indent=2) + "\n"
    if len(sys.argv) > 1:  # libraries may print, too
        Path(sys.argv[1]).write_text(times, encoding="utf-8")
    else:
        sys.stdout.write(times)
