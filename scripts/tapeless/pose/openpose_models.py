"""The models of OpenPose, which its user has to find: what is missing, or is another file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tapeless.downloads import (
    MissingFile,
    MissingFilesError,
    checksum_files,
    find_fault,
    find_linked_files,
    has_content,
)

NETWORKS_FILE = Path(__file__).parents[1] / "data" / "openpose_models.yaml"
"""Which networks there are, and the MD5 of their weights."""

_ALWAYS = "bodies"
_LAYERS = "pose_deploy.prototxt"
_PAGE = "containers/openpose/README.md"


@dataclass(frozen=True)
class _File:
    """A file of OpenPose's: where it goes, what it is, where it comes from; the MD5 of weights."""

    target: str
    what: str
    source: str
    md5: str | None = None


def find_missing_models(models: Path, settings: Mapping[str, object]) -> list[MissingFile]:
    """The files that OpenPose needs and that its folder `models` lacks, or has others in place of.

    An empty file is none, and weights of another MD5 than OpenPose's authors publish are others.
    `settings` is `pose.openpose` of the configuration, which says whether faces and hands are
    looked for.
    """
    missing = []
    for file in _find_needed(settings):
        path = models / file.target
        is_there = has_content(path)
        fault = find_fault(path, file.md5) if is_there and file.md5 else ""
        if fault or not is_there:
            missing.append(MissingFile(path, file.what, file.source, file.target, fault))
    return missing


def require_models(models: Path, settings: Mapping[str, object]) -> None:
    """Makes sure that OpenPose has its models; `settings` as in `find_missing_models`.

    Raises:
        MissingFilesError: with a table of what is missing, where it comes from and where it goes.
    """
    if missing := find_missing_models(models, settings):
        raise MissingFilesError("OpenPose", models, missing)


def find_linked_models(models: Path, settings: Mapping[str, object]) -> dict[str, Path]:
    """The models that are kept outside of `models`: where, by their path in it."""
    return find_linked_files(models, [file.target for file in _find_needed(settings)])


def read_checksums(models: Path, settings: Mapping[str, object]) -> dict[str, str]:
    """Checksums of the weights in use, by path; "missing" where one cannot be read."""
    return checksum_files(models, [f.target for f in _find_needed(settings) if f.md5])


def _find_needed(settings: Mapping[str, object]) -> Iterator[_File]:
    networks = yaml.safe_load(NETWORKS_FILE.read_text(encoding="utf-8"))
    for key, network in networks.items():
        if key != _ALWAYS and not settings[key]:
            continue
        folder, md5 = network["folder"], network["md5"]
        what = f"of OpenPose's network for {key}"
        yield _File(
            f"{folder}/{network['weights']}",
            f"weights {what}",
            f"its official site is gone: see {_PAGE} (MD5 {md5})",
            md5,
        )
        yield _File(
            f"{folder}/{_LAYERS}",
            f"layers {what}",
            f"github.com/CMU-Perceptual-Computing-Lab/openpose, models/{folder}",
        )
