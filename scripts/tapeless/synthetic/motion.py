"""How a person stands and sways while turning: rotations of Anny's bones, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping

import anny
import numpy as np
import numpy.typing as npt
import roma
import torch

Floats = npt.NDArray[np.float64]
Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]

STANCE: Mapping[str, Bounds] = {
    # bone: least and greatest turn (rad) about Anny's axes (x to the left, y back, z up) from the
    # A-pose; of the left side, the right one mirrors it
    "clavicle": ((-0.05, 0.00, -0.05), (0.05, 0.08, 0.05)),
    "upperarm01": ((-0.25, 0.05, -0.20), (0.10, 0.34, 0.20)),
    "lowerarm01": ((-0.10, -0.10, -0.30), (0.60, 0.10, 0.20)),
    "wrist": ((-0.15, -0.15, -0.20), (0.15, 0.15, 0.20)),
    "upperleg01": ((-0.05, -0.05, -0.10), (0.05, 0.08, 0.10)),
    "lowerleg01": ((0.00, -0.02, -0.05), (0.10, 0.02, 0.05)),
    "spine04": ((-0.04, -0.02, -0.03), (0.04, 0.02, 0.03)),
    "spine02": ((-0.04, -0.02, -0.03), (0.04, 0.02, 0.03)),
    "neck01": ((-0.08, -0.04, -0.05), (0.08, 0.04, 0.05)),
    "head": ((-0.08, -0.04, -0.08), (0.08, 0.04, 0.08)),
}
_ASYMMETRY = 0.15
"""Of a stance's range, how far left and right may differ."""
_SWAY = 0.06
"""Of a stance's range, the standard deviation of the sway about it."""
_SWAYS_PER_TAKE = (0.5, 3.0)


def stand_and_sway(model: anny.Anny, frames: int, generator: np.random.Generator) -> torch.Tensor:
    """Pose parameters (frames, 104, 4, 4) of a natural stance, arms away from the body, swaying."""
    turns = np.zeros((frames, len(model.bone_labels), 3))
    for bone, bounds in STANCE.items():
        low, high = np.array(bounds)
        stance = generator.uniform(low, high)
        for name in (bone, f"{bone}.L", f"{bone}.R"):
            if name not in model.bone_labels:
                continue
            own = stance + _ASYMMETRY * (high - low) * generator.uniform(-0.5, 0.5, 3)
            turn = own + _SWAY * (high - low) * _sway(frames, generator)
            mirrored = [1, -1, -1] if name.endswith(".R") else [1, 1, 1]
            turns[:, model.bone_labels.index(name)] = turn * mirrored
    poses = torch.eye(4).repeat(frames, len(model.bone_labels), 1, 1)
    poses[..., :3, :3] = roma.rotvec_to_rotmat(torch.from_numpy(turns).float())
    return poses


def _sway(frames: int, generator: np.random.Generator) -> Floats:
    """Smooth random curves (frames, 3) of about unit size."""
    time = np.linspace(0, 1, frames)[:, None]
    rates = generator.uniform(*_SWAYS_PER_TAKE, (3, 3))
    phases = generator.uniform(0, 2 * np.pi, (3, 3))
    waves = [np.sin(2 * np.pi * r * time + p) for r, p in zip(rates, phases, strict=True)]
    return np.sum(waves, axis=0) * np.sqrt(2 / 3)
