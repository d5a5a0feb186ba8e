"""Times measuring one body: all measurements, from a body file that is loaded already.

`PYTHONPATH=scripts python benchmarks/scripts/time_measuring.py [N]` measures N adults of Anny (8),
each five times, and prints the median and the slowest, in milliseconds.
"""

import logging
import statistics
import sys
import time

from tapeless.measurements import load_table, measure
from tapeless.population import draw_adults, rest_body

REPEATS = 5
SEED = 5

log = logging.getLogger(__name__)


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


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    times = time_measuring(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
    log.info(
        "%d measurements of a body: median %.0f ms, slowest %.0f ms",
        len(load_table().measurements),
        statistics.median(times),
        max(times),
    )
