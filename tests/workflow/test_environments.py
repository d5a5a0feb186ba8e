"""The conda environments: each parses, is pinned and complete, and agrees with the lock."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from rattler import MatchSpec

from tapeless.sources import find_sources

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = sorted([*(ROOT / "envs").glob("*.yaml"), *(ROOT / "benchmarks/envs").glob("*.yaml")])
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-contrib-python",
    "ffmpeg": "ffmpeg-python",
    "google": "protobuf",
    "pynvml": "nvidia-ml-py",
    "yaml": "pyyaml",
}
"""What a module is called where it is installed from, if that is another name."""


def read(environment: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(environment.read_text(encoding="utf-8"))
    return content


def conda_specs(environment: Path) -> list[MatchSpec]:
    return [MatchSpec(s) for s in read(environment)["dependencies"] if isinstance(s, str)]


def pip_requirements(environment: Path) -> list[Requirement]:
    (pip,) = (part for part in read(environment)["dependencies"] if isinstance(part, dict))
    return [Requirement(line) for line in pip["pip"]]


def locked() -> dict[str, str]:
    """Versions by distribution: of the lock, and of torch, which it leaves to tools/setup."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    lines += (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    pins = (re.match(r"([a-z0-9-]+)==([^\s;]+)", line) for line in lines)
    return {pin[1]: pin[2] for pin in pins if pin}


def users() -> dict[Path, set[Path]]:
    """Scripts by the environment that their rules name."""
    found: dict[Path, set[Path]] = {}
    files = [*(ROOT / "rules").glob("*.smk"), *(ROOT / "benchmarks").glob("*.smk")]
    for rules in (*files, ROOT / "benchmarks" / "Snakefile"):
        text = rules.read_text(encoding="utf-8")
        for rule in re.split(r"^ *rule ", text, flags=re.MULTILINE)[1:]:
            script = re.search(r'script:\s+"(.+)"', rule)
            environment = re.search(r'conda:\s+"(.+)"', rule)
            if script and environment:
                of_script, of_environment = (rules.parent / m[1] for m in (script, environment))
                found.setdefault(of_environment.resolve(), set()).add(of_script.resolve())
    return found


def imports(script: Path) -> set[str]:
    """Distributions that a script needs, itself or through the library."""
    modules: set[str] = set()
    for path in (script, *find_sources(script, ROOT / "scripts")):
        if path.suffix == ".py":
            modules |= _imported(ast.parse(path.read_text(encoding="utf-8")))
    modules -= set(sys.stdlib_module_names) | {"tapeless", "snakemake"}  # it brings itself along
    modules -= {path.stem for path in script.parent.glob("*.py")}
    return {DISTRIBUTIONS.get(module, module) for module in modules}


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_every_environment_is_used_and_every_one_used_exists():
    assert set(users()) == set(ENVIRONMENTS)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
class TestEnvironment:
    def test_it_takes_nothing_from_channels_that_it_does_not_name(self, environment: Path):
        assert read(environment)["channels"] == ["conda-forge", "nodefaults"]

    def test_every_package_is_pinned(self, environment: Path):
        assert all(spec.version is not None for spec in conda_specs(environment))
        for requirement in pip_requirements(environment):
            assert [part.operator for part in requirement.specifier] == ["=="]

    def test_it_has_a_python_that_tapeless_runs_on(self, environment: Path):
        (python,) = (s for s in conda_specs(environment) if s.name.normalized == "python")
        assert str(python.version) in ("3.11.*", "3.12.*")

    def test_it_lists_what_its_scripts_import(self, environment: Path):
        conda = {spec.name.normalized for spec in conda_specs(environment)}
        listed = {requirement.name for requirement in pip_requirements(environment)}
        listed |= {"torch"} if "pytorch" in conda else set()
        needed = set().union(*map(imports, users()[environment]))
        assert needed - listed == set()

    def test_it_agrees_with_the_lock(self, environment: Path):
        lock = locked()
        for requirement in pip_requirements(environment):
            assert str(requirement.specifier) == f"=={lock[requirement.name]}"
        for spec in conda_specs(environment):
            if spec.name.normalized == "pytorch":
                assert str(spec.version) == f"=={lock['torch']}"


def test_scripts_that_decode_or_recall_frames_have_ffmpeg():
    for environment, scripts in users().items():
        if any("ffmpeg-python" in imports(script) for script in scripts):
            assert "ffmpeg" in {spec.name.normalized for spec in conda_specs(environment)}


def test_the_locks_name_no_index_and_no_host():
    for lock in ROOT.glob("requirements*.lock"):
        assert not re.search(
            r"://|^-|--(extra-)?index|--find-links", lock.read_text(), re.MULTILINE
        )


def test_the_lock_for_checks_holds_the_lock_for_running():
    run, dev = (
        set(re.findall(r"^\S+==\S+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert run <= dev
