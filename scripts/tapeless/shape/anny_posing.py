"""Posing a body of the shape space, and how its points move with every unknown of the fit.

Conventions: F frames, V vertices, M chosen points, J joints, K shape coefficients. Posed points
are in camera coordinates (x right, y down, z forward, metres). A joint's rotation turns it in the
frame of its parent, away from the rest pose; the root's is in the camera's frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tapeless.shape.anny_space import ShapeSpace


@dataclass(frozen=True)
class Pose:
    """How a body stands in F frames: rotations (F, J, 3, 3) and root position (F, 3) in metres."""

    rotations: Tensor
    translation: Tensor

    def __getitem__(self, frames: Tensor | slice) -> Pose:
        return Pose(self.rotations[frames], self.translation[frames])

    def moved(self, turns: Tensor, shift: Tensor) -> Pose:
        """The pose after small turns (F, J, 3) in each parent's frame and a shift (F, 3)."""
        return Pose(rotation_from_vector(turns) @ self.rotations, self.translation + shift)


@dataclass(frozen=True)
class Points:
    """Points of the unposed body: what they are as a function of shape, and the joints they follow.

    `mean` (..., M, 3), `basis` (K, ..., M, 3) and `weights` (..., M, J), where ... is nothing when
    all frames look at the same points, or F.
    """

    mean: Tensor
    basis: Tensor
    weights: Tensor

    def unposed(self, coefficients: Tensor) -> Tensor:
        """Where they are (..., M, 3) on the unposed body of the given shape."""
        return self.mean + torch.tensordot(coefficients, self.basis, 1)

    def between(self, pairs: Tensor, share: Tensor) -> Points:
        """Points on the lines between pairs (F, M, 2) of these points, at `share` (F, M) of the
        way: 0 at the first, 1 at the second."""
        return Points(
            *(
                torch.lerp(
                    all_[..., pairs[..., 0], :], all_[..., pairs[..., 1], :], share[..., None]
                )
                for all_ in (self.mean, self.basis, self.weights)
            )
        )


class PosableBody:
    """The bodies of a shape space, on one device, ready to be posed."""

    def __init__(self, space: ShapeSpace, device: str) -> None:
        def tensor(values: NDArray[Any]) -> Tensor:
            return torch.as_tensor(values, device=device)

        self.skeleton = Skeleton(space, device)
        self.surface = Points(tensor(space.mean), tensor(space.basis), tensor(space.weights))
        joints = torch.nn.functional.one_hot(tensor(space.keypoint_joints), len(self.skeleton))
        self.keypoints = Points(
            tensor(space.keypoints_mean), tensor(space.keypoints_basis), joints.float()
        )
        self.keypoint_slots = tensor(space.keypoint_slots)
        self.faces = tensor(space.faces.astype(np.int64))

    def stature(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Height of the unposed body in metres, and its derivative by the coefficients (K,)."""
        y = self.surface.unposed(coefficients)[:, 1]
        top, floor = y.argmax(), y.argmin()
        slope = self.surface.basis[:, top, 1] - self.surface.basis[:, floor, 1]
        return y[top] - y[floor], slope

    def volume(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Volume that the surface encloses in m3, and its derivative by the coefficients (K,).

        The sum over all faces of the tetrahedra that they span with the origin.
        """
        unposed = self.surface.unposed(coefficients)
        a, b, c = (unposed[self.faces[:, corner]] for corner in range(3))
        by_vertex = torch.zeros_like(unposed)
        for corner, (one, other) in enumerate(((b, c), (c, a), (a, b))):
            by_vertex.index_add_(0, self.faces[:, corner], torch.linalg.cross(one, other) / 6)
        volume = (a * torch.linalg.cross(b, c)).sum() / 6
        return volume, torch.tensordot(self.surface.basis, by_vertex, 2)


class Skeleton:
    """The joints of a shape space, on one device."""

    def __init__(self, space: ShapeSpace, device: str) -> None:
        self.names = [str(name) for name in space.joint_names]
        self.parents = [int(parent) for parent in space.parents]
        self.mean = torch.as_tensor(space.bones_mean[space.joint_bones], device=device)
        self.basis = torch.as_tensor(space.bones_basis[:, space.joint_bones], device=device)
        count = len(self.parents)
        self.descendants = torch.eye(count, device=device)  # (J, J): row j marks what turns with j
        for joint in reversed(range(1, count)):
            self.descendants[self.parents[joint]] += self.descendants[joint]

    def __len__(self) -> int:
        return len(self.parents)

    def rest_joints(self, coefficients: Tensor) -> Tensor:
        """Joint positions (J, 3) of the unposed body."""
        return self.mean + torch.einsum("k,kjc->jc", coefficients, self.basis)

    def place(self, pose: Pose, coefficients: Tensor) -> Placement:
        """Rotations and positions of all joints in camera coordinates."""
        rest = self.rest_joints(coefficients)
        rotations = [pose.rotations[:, 0]]
        positions = [pose.translation]
        shape_moves = [torch.zeros(len(pose.translation), len(self.basis), 3).to(rest)]
        for joint in range(1, len(self)):
            parent = self.parents[joint]
            turn = rotations[parent]
            rotations.append(turn @ pose.rotations[:, joint])
            positions.append(positions[parent] + turn @ (rest[joint] - rest[parent]))
            offset = self.basis[:, joint] - self.basis[:, parent]
            shape_moves.append(shape_moves[parent] + torch.einsum("fab,kb->fka", turn, offset))
        return Placement(
            self,
            rest,
            torch.stack(rotations, 1),
            torch.stack(positions, 1),
            torch.stack(shape_moves, 2),
        )


@dataclass(frozen=True)
class Placement:
    """All joints of a posed skeleton: `rotations` (F, J, 3, 3), `positions` (F, J, 3) and what a
    unit of each shape coefficient moves them by, `shape_moves` (F, K, J, 3)."""

    skeleton: Skeleton
    rest: Tensor
    rotations: Tensor
    positions: Tensor
    shape_moves: Tensor

    def pose(self, points: Points, coefficients: Tensor) -> Tensor:
        """Points (F, M, 3) that all frames share, by linear blend skinning."""
        unposed, weights = points.unposed(coefficients), points.weights
        offsets = self.positions - torch.einsum("fjab,jb->fja", self.rotations, self.rest)
        turns = torch.einsum("mj,fjab->fmab", weights, self.rotations)
        return torch.einsum("fmab,mb->fma", turns, unposed) + weights @ offsets

    def differentiate(self, points: Points, coefficients: Tensor) -> PointMotion:
        """Where points (per frame) are and how they move with pose and shape."""
        frames = len(self.positions)
        mean = points.mean.expand(frames, *points.mean.shape[-2:])
        weights = points.weights.expand(frames, *points.weights.shape[-2:])
        basis = points.basis
        if basis.dim() == 3:
            basis = basis[:, None].expand(-1, frames, -1, -1)
        unposed = mean + torch.einsum("k,kfmc->fmc", coefficients, basis)
        arms = unposed[:, :, None] - self.rest  # (F, M, J, 3)
        by_joint = torch.einsum("fjab,fmjb->fmja", self.rotations, arms) + self.positions[:, None]
        weighted = weights[..., None] * by_joint
        position = weighted.sum(2)

        descendants = self.skeleton.descendants
        carried = torch.einsum("jk,fmkc->fmjc", descendants, weighted)
        carried_weight = torch.einsum("jk,fmk->fmj", descendants, weights)
        levers = carried - carried_weight[..., None] * self.positions[:, None]
        axes = torch.stack(
            [torch.eye(3).to(levers).expand(frames, 3, 3)]
            + [self.rotations[:, p] for p in self.skeleton.parents[1:]],
            1,
        )  # (F, J, 3, 3): columns are the axes about which each joint's unknowns turn
        by_turn = torch.linalg.cross(
            axes.transpose(2, 3)[:, None].expand(-1, levers.shape[1], -1, -1, -1),
            levers[:, :, :, None].expand(-1, -1, -1, 3, -1),
            dim=-1,
        )  # (F, M, J, axis, 3)

        turns = torch.einsum("fmj,fjab->fmab", weights, self.rotations)
        of_joints = self.shape_moves - torch.einsum(
            "fjab,kjb->fkja", self.rotations, self.skeleton.basis
        )
        by_shape = torch.einsum("fmab,kfmb->fmka", turns, basis) + torch.einsum(
            "fmj,fkja->fmka", weights, of_joints
        )
        return PointMotion(position, by_turn.flatten(2, 3), by_shape)


@dataclass(frozen=True)
class PointMotion:
    """Points (F, M, 3) with their derivatives: `by_turn` (F, M, 3 J, 3), `by_shape` (F, M, K, 3).

    By the root's position they move one to one.
    """

    position: Tensor
    by_turn: Tensor
    by_shape: Tensor


def rotation_from_vector(vectors: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3), by Rodrigues' formula."""
    angle = vectors.norm(dim=-1)[..., None, None]
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    safe = angle.clamp_min(1e-8)
    return (
        torch.eye(3).to(vectors)
        + torch.sin(safe) / safe * cross
        + (1 - torch.cos(safe)) / safe**2 * (cross @ cross)
    )


def vector_from_rotation(rotations: Tensor) -> Tensor:
    """Axis-angle vectors (..., 3) of rotation matrices (..., 3, 3), for angles below pi."""
    cosine = ((rotations.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1 + 1e-6, 1 - 1e-6)
    angle = torch.acos(cosine)
    skew = torch.stack(
        [
            rotations[..., 2, 1] - rotations[..., 1, 2],
            rotations[..., 0, 2] - rotations[..., 2, 0],
            rotations[..., 1, 0] - rotations[..., 0, 1],
        ],
        -1,
    )
    return skew * (angle / (2 * torch.sin(angle)).clamp_min(1e-6))[..., None]
