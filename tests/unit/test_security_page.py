"""The page on security names tests that there are, for each threat."""

from __future__ import annotations

import re

from projects import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
TEST = re.compile(r"`((?:unit|workflow|containers)/\w+\.py)(?:::(\w+))?`")
UNTESTED = ("Pictures leave the machine",)


def test_every_test_that_it_names_exists():
    named = TEST.findall(PAGE)
    assert len(named) > 30
    for path, name in named:
        text = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert not name or f"class {name}" in text or f"def {name}" in text, (path, name)


def test_every_threat_names_what_stops_it_and_the_test():
    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ")]
    threats = [[cell.strip() for cell in row] for row in rows if row[0].strip() != "threat"]
    assert len(threats) > 25
    for threat, stopped_by, proof in threats:
        assert stopped_by
        if threat not in UNTESTED:
            assert TEST.search(proof) or proof in ("the same", "`make lint`"), threat
