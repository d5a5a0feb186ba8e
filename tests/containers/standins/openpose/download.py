"""Models of OpenPose that are none: every file that it needs, made up, and what is known of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

BODY = ("pose/body_25/pose_iter_584000.caffemodel", "pose/body_25/pose_deploy.prototxt")
FACE = ("face/pose_iter_116000.caffemodel", "face/pose_deploy.prototxt")
HAND = ("hand/pose_iter_102000.caffemodel", "hand/pose_deploy.prototxt")


def make_models(folder: Path) -> Path:
    """Fills `folder` like the folder "models" of OpenPose; returns it."""
    for name in (*BODY, *FACE, *HAND):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(made_up(name), encoding="utf-8")
    return folder


def made_up(name: str) -> str:
    """The content of a file."""
    return f"{name} of a stand-in"


def recognise(models: Path, source: Path, target: Path) -> Path:
    """Writes tapeless' file of networks with the checksums of these models in it.

    Args:
        models: from `make_models`.
        source: the file as it is, `tapeless.pose.openpose_models.NETWORKS_FILE`.
        target: the file to write, which may be the same one of a copy of tapeless.

    Returns:
        `target`.
    """
    networks = yaml.safe_load(source.read_text(encoding="utf-8"))
    for network in networks.values():
        content = (models / network["folder"] / network["weights"]).read_bytes()
        network["md5"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    target.write_text(yaml.safe_dump(networks, sort_keys=False), encoding="utf-8")
    return target
