# What the scripts of a benchmark find: this Python, whether or not its environment is activated (with
# --use-conda, that of the rule), the library, and the body model. What runs the workflow itself (scaling.smk,
# faults.smk, the time of one video) needs Snakemake, too, which no rule's environment has: not with --use-conda.
import os
import sys
from pathlib import Path

LIBRARY = Path(workflow.basedir).parent / "scripts"

os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
os.environ["PYTHONPATH"] = str(LIBRARY)
os.environ.setdefault("ANNY_CACHE_DIR", str(Path("resources/anny").absolute()))
