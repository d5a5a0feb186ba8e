"""What a backend prepares once for all videos: there, or made by the first run."""

from __future__ import annotations

from collections.abc import Iterator

from tapeless.doctor.findings import Finding, ok
from tapeless.doctor.situation import Situation


def check_body_model(situation: Situation) -> Iterator[Finding]:
    """Nothing to mend if it is missing: it is only slower once."""
    for needs in situation.needs.values():
        if needs.is_prepared is not None:
            is_prepared = needs.is_prepared(situation.resources)
            later = "not yet prepared: the first run does that (a minute)"
            yield ok("body model", "prepared" if is_prepared else later)
