"""Lines of logs that tell of a video, among those that tell of others.

An id may be a number or an everyday word, so it counts only in the forms in which Snakemake and our
rules write it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from pathlib import Path

from tapeless.erasure.places import ENDINGS, Places
from tapeless.erasure.traces import Traces

_BEFORE = r"(?<![A-Za-z0-9._-])"
_AFTER = r"(?![A-Za-z0-9_-]|\.[A-Za-z0-9_-])"


def find_mentions(traces: Traces, places: Places) -> re.Pattern[bytes]:
    """What is in each line that tells of a person, and in no other."""
    ids = _any_of(traces.videos)
    tops = _any_of({str(places.logs), str(places.benchmarks)})
    person = r"(?: \(person \d+\))?"
    forms = [
        rf"{_BEFORE}{_any_of([str(places.results)])}/videos/{ids}{_AFTER}",
        rf"{_BEFORE}{tops}/(?:\w+/)+{ids}(?:{_any_of(ENDINGS)})?{_AFTER}",
        rf"(?:\bvideo=|_wildcards_){ids}{_AFTER}",
        # messages of our rules, and the last words of a run
        rf"^Job \d+: .*{_BEFORE}{ids}(?:, with \w+| are to be believed)?\s*$",
        rf"^  - \w+(?:/|: )(?:[\w.-]+{person}, )*{ids}{person}(?:,|:| and \d+ more|\s*$)",
    ]
    if traces.subjects:
        forms.append(rf"\bsubject['\"]?\s*[=:]\s*['\"]?{_spelt(traces.subjects)}(?!\w)")
    if traces.recordings:
        paths = {path for one in traces.recordings for path in (one, str(Path.cwd() / one))}
        forms.append(rf"(?<![\w./-]){_spelt(paths)}{_AFTER}")
    return re.compile("|".join(forms).encode("utf-8", "surrogateescape"))


def _spelt(texts: Iterable[str]) -> str:
    """Texts as files hold them: as they are, in JSON, in HTML."""
    spellings = {
        spelling
        for text in texts
        for spelling in (
            text,
            html.escape(text),
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
        )
    }
    return _any_of(spellings)


def _any_of(texts: Iterable[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, sorted(texts, key=len, reverse=True)))})"
