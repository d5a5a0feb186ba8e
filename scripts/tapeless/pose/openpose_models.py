"""The models of OpenPose, which its user has to find, and what of them is missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tapeless.checksums import checksum_file
from tapeless.downloads import MissingFile, MissingFilesError

_NETWORKS = {
    None: ("pose/body_25", "pose_iter_584000.caffemodel", "78287b57cf85fa89c03f1393d368e5b7"),
    "face": ("face", "pose_iter_116000.caffemodel", "e747180d728fa4e4418c465828384333"),
    "hands": ("hand", "pose_iter_102000.caffemodel", "a82cfc3fea7c62f159e11bd3674c1531"),
}
"""By the key of the configuration that asks for a network (None: always there), its folder, its
weights and their MD5, as OpenPose's CMakeLists.txt has them."""

_LAYERS = "pose_deploy.prototxt"


def find_missing_models(models: Path, settings: Mapping[str, object]) -> list[MissingFile]:
    """The files that OpenPose needs and that its folder `models` lacks; an empty file is none.

    `settings` is `pose.openpose` of the configuration, which says whether faces and hands are
    looked for.
    """
    return [
        MissingFile(path=models / target, what=what, source=source, target=target)
        for target, (what, source) in _find_needed(settings).items()
        if not _has_content(models / target)
    ]


def require_models(models: Path, settings: Mapping[str, object]) -> None:
    """Makes sure that OpenPose has its models; `settings` as in `find_missing_models`.

    Raises:
        MissingFilesError: with a table of what is missing, where it comes from and where it goes.
    """
    if missing := find_missing_models(models, settings):
        raise MissingFilesError("OpenPose", models, missing)


def read_checksums(models: Path, settings: Mapping[str, object]) -> dict[str, str]:
    """Checksums of the weights in use, by path; "missing" where one cannot be read.

    It keeps no workflow from being planned: there may be no video left to look at, and where there
    is one, its job says what is missing.
    """
    weights = (target for target in _find_needed(settings) if not target.endswith(_LAYERS))
    return {target: _checksum(models / target) for target in weights}


def _find_needed(settings: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """What a file is and where it comes from, by its path in the folder of models."""
    needed = {}
    for key, (folder, weights, md5) in _NETWORKS.items():
        if key is None or settings[key]:
            what = f"of OpenPose's network for {key or 'bodies'}"
            needed[f"{folder}/{weights}"] = (
                f"weights {what}",
                f"its official site is gone: see containers/openpose/README.md (MD5 {md5})",
            )
            needed[f"{folder}/{_LAYERS}"] = (
                f"layers {what}",
                f"github.com/CMU-Perceptual-Computing-Lab/openpose, models/{folder}",
            )
    return needed


def _checksum(path: Path) -> str:
    try:
        return checksum_file(path)
    except OSError:
        return "missing"


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
