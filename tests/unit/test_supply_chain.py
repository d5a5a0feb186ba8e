"""What is installed was locked, what is in it is listed, and an audit that saw nothing says so."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from projects import ROOT

LOCKS = sorted(ROOT.glob("requirements*.lock"))


def entries(lock: Path) -> list[str]:
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if re.match("[A-Za-z0-9]", line)]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_is_locked_to_one_version_and_its_checksums(lock: Path):
    assert len(entries(lock)) > 20
    loose = [e for e in entries(lock) if not re.search(r"==[^ ]+ .*--hash=sha256:[0-9a-f]{64}", e)]
    assert loose == []


def test_the_bill_of_materials_has_every_package_and_its_checksums(tmp_path: Path):
    bill = tmp_path / "sbom.json"
    command = ["make", "--assume-old=setup-dev", "sbom", f"SBOM={bill}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    content = json.loads(bill.read_text(encoding="utf-8"))
    assert content["bomFormat"] == "CycloneDX"
    assert content["metadata"]["component"]["name"] == "tapeless"
    listed = {part["name"]: part for part in content["components"]}
    locked = {entry.partition("==")[0] for entry in entries(ROOT / "requirements.lock")}
    assert set(listed) == locked | {"torch"}
    for name in locked:
        (reference,) = listed[name]["externalReferences"]
        assert all(entry["alg"] == "SHA-256" for entry in reference["hashes"])


FINE = {"name": "flask", "version": "3.0", "vulns": []}
BAD = {"name": "pip", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.0"]}]}
UNSEEN = {"name": "click", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Runs tools/audit, to which pip-audit says this; what it ends with."""
    loader = SourceFileLoader("audit", str(ROOT / "tools/audit"))
    spec = spec_from_loader("audit", loader)
    assert spec is not None
    module: Any = module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)

    def run(answer: str) -> int:
        done = subprocess.CompletedProcess([], 0, answer, "no route to host")
        monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: done)
        return int(module.main(["requirements.lock"]))

    return run


@pytest.mark.parametrize(
    ("packages", "status", "says"),
    [
        ([FINE], 0, "1 packages were looked up, and no vulnerability"),
        ([FINE, BAD], 1, "pip 1.0: PYSEC-1, fixed in 2.0"),
        ([FINE, UNSEEN], 2, "NOT AUDITED: 1 of 2"),
        ([BAD, UNSEEN], 1, "NOT AUDITED: 1 of 2"),
    ],
    ids=["fine", "vulnerable", "not looked up", "both"],
)
def test_an_audit_that_could_not_look_something_up_is_no_success(
    audit: Callable[[str], int],
    capsys: pytest.CaptureFixture[str],
    packages: list[dict[str, Any]],
    status: int,
    says: str,
):
    assert audit(json.dumps({"dependencies": packages})) == status
    assert says in capsys.readouterr().out


def test_an_audit_without_an_answer_is_no_success(
    audit: Callable[[str], int], capsys: pytest.CaptureFixture[str]
):
    assert audit("") == 2
    assert "NOT AUDITED" in capsys.readouterr().out
