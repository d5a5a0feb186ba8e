"""The final verdicts on videos, from the folder of the results."""

from __future__ import annotations

import json
from pathlib import Path

from tapeless.outcomes import OUTCOME_FILE
from tapeless.watching.progress import Verdict

_UNKNOWN = Verdict("done")


def read_verdict(results: Path, video: str) -> Verdict:
    """The verdict on a video whose jobs are done; `done` where there is none (here)."""
    path = results / "videos" / video / OUTCOME_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["outcome"] == "ok":
            return Verdict("measured")
        return Verdict("rejected", content["code"], content["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return _UNKNOWN
