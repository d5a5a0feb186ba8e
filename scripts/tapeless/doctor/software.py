"""Python, its packages, Snakemake, and the profile that it takes."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import yaml

from tapeless.doctor.findings import Finding, failed, ok, unknown
from tapeless.doctor.situation import Situation

PYTHONS = ((3, 11), (3, 12))
"""The versions of Python that tapeless is tried with."""

_SETUP = "make setup"
_MODULES = {
    "ffmpeg-python": "ffmpeg",
    "nvidia-ml-py": "pynvml",
    "opencv-contrib-python": "cv2",
    "pillow": "PIL",
    "protobuf": "google.protobuf",
    "pytorch": "torch",
    "pyyaml": "yaml",
}
"""What a distribution is imported as, if by another name."""
_PIN = re.compile(r"([A-Za-z0-9-]+)==?([0-9][^=]*)")
ENVIRONMENTS = {
    "anny": {"build_shape_space"},
    "mediapipe": {"select_keypoints", "segment_person", "blur_faces", "check_video"},
    "measure": {
        "measure_bodies",
        "summarize_video",
        "collect_benchmarks",
        "collect_checks",
        "collect_reports",
        "write_provenance",
    },
    "pictures": {"draw_video", "draw_cohort"},
}
"""The rules of every route by the file of `envs/` that lists their packages; backends say so."""


def check_python(situation: Situation) -> Iterator[Finding]:
    """The Python of this process, which is that of the jobs too."""
    version = platform.python_version()
    if sys.version_info[:2] in PYTHONS or situation.veil:
        yield ok("Python", version)
    else:
        tried = " and ".join(".".join(map(str, python)) for python in PYTHONS)
        yield unknown("Python", f"{version}; tapeless is tried with {tried}", _SETUP)


def check_packages(situation: Situation) -> Iterator[Finding]:
    """Every package of the stages that run; found, not loaded, which would take seconds."""
    if situation.veil:
        yield unknown("packages", f"not looked for: {situation.veil}")
        return
    pins = _read_pins(situation)
    missing = [name for name in pins if not _is_there(name)]
    others = [f"{name} {version}" for name, version in _find_other_versions(pins).items()]
    if missing:
        yield failed("packages", f"not installed: {', '.join(missing)}", _SETUP)
    elif others:
        found = f"not the versions of envs/: {', '.join(others)}; numbers may differ"
        yield unknown("packages", found, _SETUP)
    else:
        yield ok("packages", f"{len(pins)}, in the versions of envs/")


def check_snakemake(situation: Situation) -> Iterator[Finding]:
    """Snakemake's version, and the profile that it takes if none is named."""
    snakefile = (situation.project / "Snakefile").read_text(encoding="utf-8")
    oldest = re.search(r'min_version\("(.+?)"\)', snakefile)
    assert oldest is not None
    try:
        version = metadata.version("snakemake")
    except metadata.PackageNotFoundError:
        yield failed("Snakemake", "not installed", _SETUP)
        return
    if _numbers(version) < _numbers(oldest[1]):
        yield failed("Snakemake", f"{version}; {oldest[1]} or newer is needed", _SETUP)
    else:
        yield ok("Snakemake", version)


def check_profile(situation: Situation) -> Iterator[Finding]:
    """A run that names no profile takes `profiles/default`; with cards, another suits better."""
    found = [f"profiles/default{'' if _has_default(situation) else ' is not here: none'}"]
    if name := os.environ.get("SNAKEMAKE_PROFILE"):
        found.append(f"below it {name} (SNAKEMAKE_PROFILE)")
    if situation.programs:
        found.append("a workstation with graphics cards: --workflow-profile profiles/workstation")
    yield ok("profile", "; ".join(found))


def _has_default(situation: Situation) -> bool:
    places = (Path("profiles/default"), situation.project / "profiles/default")
    return any(place.is_dir() for place in places)


def _read_pins(situation: Situation) -> dict[str, str]:
    """Versions by distribution, of the environments of the rules that run."""
    used = {name for name, rules in ENVIRONMENTS.items() if situation.runs(*rules)}
    used |= {needs.environment for needs in situation.needs.values() if needs.environment}
    pins: dict[str, str] = {}
    for name in sorted(used):
        text = (situation.project / f"envs/{name}.yaml").read_text(encoding="utf-8")
        pins |= _parse_pins(yaml.safe_load(text))
    return pins


def _parse_pins(environment: Mapping[str, list[str | dict[str, list[str]]]]) -> dict[str, str]:
    """What jobs import: all that pip installs, and conda's PyTorch."""
    lines: list[str] = []
    for part in environment["dependencies"]:
        if isinstance(part, dict):
            lines += part["pip"]
        elif part.startswith("pytorch="):
            lines.append(part)
    pins = (_PIN.match(line) for line in lines)
    return {pin[1]: pin[2] for pin in pins if pin}


def _is_there(distribution: str) -> bool:
    module = _MODULES.get(distribution, distribution.replace("-", "_"))
    try:
        return find_spec(module) is not None
    except ImportError:  # of the package that a dotted name lies in
        return False


def _find_other_versions(pins: Mapping[str, str]) -> dict[str, str]:
    """Installed versions that are not those pinned; a build's own suffix (+cpu) does not count."""
    others = {}
    for distribution, pinned in pins.items():
        name = _MODULES[distribution] if distribution == "pytorch" else distribution
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = "of unknown version"
        if version.partition("+")[0] != pinned:
            others[name] = version
    return others


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
