# What the workflows of the benchmark share: who is filmed and measured, and where the files lie.
import sys
from pathlib import Path


include: "environment.smk"
include: "../rules/scheduling.smk"


# A try with fewer people is apart from what is real, and changes nothing of it.
RESULTS = "benchmarks/results" + (f"/try_of_{config['adults']}" if config["adults"] else "")
COHORT = f"{RESULTS}/{config['cohort']}"
PEOPLE = config["cohorts"][config["cohort"]]


def first_adults(number):
    """The ids of the first people of the cohort; fewer if `--config adults=` says so."""
    number = min(number, PEOPLE["adults"], config["adults"] or PEOPLE["adults"])
    return [f"adult_{each:02d}" for each in range(1, number + 1)]


ADULTS = first_adults(PEOPLE["adults"])
SOME_ADULTS = first_adults(config["ablation"]["adults"])

if str(LIBRARY) not in sys.path:
    sys.path.insert(0, str(LIBRARY))

from tapeless.sources import find_sources


def sources_of(script):
    """The files behind a script of the benchmark, so that an edit reruns what needs it: other
    scripts that it imports, and what they all rest on in the library."""
    path = Path(workflow.basedir) / script
    scripts = find_sources(path, path.parent)
    library = {file for each in (path, *scripts) for file in find_sources(each, LIBRARY)}
    return sorted({*scripts, *library})
