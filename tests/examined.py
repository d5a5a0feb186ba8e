"""A machine as the doctor sees it: a chosen configuration, and programs as a test wants them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from tapeless.configuration import with_defaults
from tapeless.doctor import Finding, Situation, Verdict, examine

ROOT = Path(__file__).parents[1]

IMAGES = ROOT / "tests/images.yaml"
"""A link to the file of images, beside which there are no pins, as there may be in a clone."""

SHAPY = {"backend": "shapy", "shapy": {"data": "data"}}
OPENPOSE = {"backend": "openpose", "openpose": {"models": "models"}}


def configure(**groups: Any) -> dict[str, Any]:
    """A configuration with its defaults; the images are those of tapeless."""
    schema = yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text(encoding="utf-8"))
    own = {"images": str(IMAGES), "mounts_file": None}
    groups["containers"] = own | groups.get("containers", {})
    return with_defaults(groups, schema)


def look(
    *rules: str, situation: Mapping[str, Any] | None = None, **groups: Any
) -> dict[str, list[Finding]]:
    """What the doctor finds, by name, for jobs of these rules (none: of all of the route)."""
    given = {"project": ROOT, "rules": frozenset(rules) if rules else None, **(situation or {})}
    findings: dict[str, list[Finding]] = {}
    for finding in examine(Situation(config=configure(**groups), **given)):
        findings.setdefault(finding.name, []).append(finding)
    return findings


def look_from(
    environment: Mapping[str, str], *rules: str, **groups: Any
) -> dict[str, list[Finding]]:
    """What `look` finds in a process with these environment variables besides its own."""
    inherited = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    path = os.pathsep.join([str(Path(__file__).parent), str(ROOT / "scripts")])
    said = subprocess.run(
        [sys.executable, "-m", "examined", json.dumps([rules, groups])],
        env=inherited | dict(environment) | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return {
        name: [Finding(**fields | {"verdict": Verdict(fields["verdict"])}) for fields in findings]
        for name, findings in json.loads(said).items()
    }


def only(findings: Mapping[str, list[Finding]], name: str) -> Finding:
    """The one finding of that name."""
    (finding,) = findings[name]
    return finding


def assert_ok(finding: Finding) -> None:
    assert finding.verdict is Verdict.OK, finding


def assert_failed(finding: Finding, *, found: str, remedy: str) -> None:
    """It failed, says why, and its line ends with what mends it."""
    assert finding.verdict is Verdict.FAILED, finding
    assert found in finding.found
    assert remedy in finding.remedy
    assert finding.describe().endswith(finding.remedy)


def assert_unknown(finding: Finding, found: str) -> None:
    assert finding.verdict is Verdict.UNKNOWN, finding
    assert found in finding.found


def make_program(path: Path, *lines: str) -> Path:
    """A program of these lines of shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n", encoding="utf-8")
    path.chmod(stat.S_IRWXU)
    return path


if __name__ == "__main__":
    _rules, _groups = json.loads(sys.argv[1])
    json.dump(look(*_rules, **_groups), sys.stdout, default=asdict)
