"""Memory that is freed and needed again is not fetched from the system each time."""

from __future__ import annotations

import subprocess
import sys

ROUNDS = """
import ctypes
import resource
from types import SimpleNamespace
import numpy as np
from tapeless.jobs import run_stages

def work():
    arrays = [np.ones(1 << 18) for _ in range(24)]  # 2 MiB each
    return sum(array.sum() for array in arrays)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def stage(job):
    work()
    before = faults()
    for _ in range(10):
        assert work() == 6 << 20
    print(faults() - before)

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: a huge page would count as one
names = ("params", "log", "resources", "config", "wildcards", "rule", "threads")
job = SimpleNamespace(input={}, output={}, **dict.fromkeys(names))
BEGIN
"""
PAGES_OF_A_ROUND = 6 * (8 << 20) // 4096


def count_faults(begin: str) -> int:
    """How many pages a process fetched for the same work, done ten times again."""
    code = ROUNDS.replace("BEGIN", begin)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(run.stdout)


def test_a_stage_of_a_job_fetches_next_to_nothing_for_the_same_work_again() -> None:
    assert count_faults("run_stages(job, [stage])") < PAGES_OF_A_ROUND / 10


def test_left_alone_it_fetches_everything_every_time() -> None:
    assert count_faults("stage(job)") > 5 * PAGES_OF_A_ROUND
