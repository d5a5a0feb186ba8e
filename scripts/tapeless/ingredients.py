"""What a configuration asks for beyond Python: programs of containers, weights, graphics cards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapeless.containers import pinned_digest
from tapeless.pose import openpose_models
from tapeless.shape import shapy_files


def chosen_programs(config: Mapping[str, Any]) -> dict[str, str]:
    """The programs of `containers.images` that are run, each with the rule that runs it."""
    chosen = {
        ("ffmpeg", "sample_frames"): config["sampling"]["ffmpeg"] == "container",
        ("openpose", "estimate_pose"): config["pose"]["backend"] == "openpose",
        ("shapy", "estimate_shape"): config["shape"]["backend"] == "shapy",
    }
    return {program: rule for (program, rule), is_chosen in chosen.items() if is_chosen}


def rules_on_cards(config: Mapping[str, Any]) -> set[str]:
    """The rules whose jobs compute on a graphics card."""
    pose, shape = config["pose"], config["shape"]
    asked = {
        "sample_frames": config["sampling"]["hwaccel"] == "cuda",
        "estimate_pose": pose["backend"] == "openpose" and pose["openpose"]["gpu"],
        "estimate_shape": shape["backend"] == "shapy" or shape["device"] == "cuda",
    }
    return {rule for rule, is_asked in asked.items() if is_asked}


def describe_ingredients(config: Mapping[str, Any]) -> dict[str, Any]:
    """For the provenance: runtime, digests and checksums of what is used; nothing if none is.

    Raises:
        ContainerError: if the file of images cannot be read.
    """
    settings, programs = config["containers"], chosen_programs(config)
    described: dict[str, Any] = {}
    if programs:
        images = {program: pinned_digest(program, settings) for program in programs}
        described["containers"] = {"runtime": settings["runtime"], "images": images}
    weights = {}
    if "openpose" in programs:
        own = config["pose"]["openpose"]
        models = Path(own["models"]).expanduser()
        weights["openpose"] = openpose_models.read_checksums(models, own)
    if "shapy" in programs:
        data = Path(config["shape"]["shapy"]["data"]).expanduser()
        weights["shapy"] = shapy_files.read_checksums(data)
    if weights:
        described["weights"] = weights
    return described
