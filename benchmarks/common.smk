# What both workflows of the benchmark share: who is measured, and where the files lie.
import os
import sys
from pathlib import Path

RESULTS = "benchmarks/results"
COHORT = f"{RESULTS}/{config['cohort']}"
PEOPLE = config["cohorts"][config["cohort"]]
ADULTS = [f"adult_{number:02d}" for number in range(1, PEOPLE["adults"] + 1)]

LIBRARY = Path(workflow.basedir).parent / "scripts"
if str(LIBRARY) not in sys.path:
    sys.path.insert(0, str(LIBRARY))

from tapeless.sources import find_sources

os.environ["PYTHONPATH"] = str(LIBRARY)  # for the scripts of the benchmark
os.environ.setdefault("ANNY_CACHE_DIR", str(Path("resources/anny").absolute()))


def sources_of(script):
    """The library files behind a script of the benchmark, so that an edit reruns what needs it."""
    return find_sources(Path(workflow.basedir) / script, LIBRARY)
