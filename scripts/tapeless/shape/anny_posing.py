"""Posing a body of the shape space, and how its points move with every unknown of the fit.

The last coefficient of a body is the hair on it: its surface has hair, stature and volume do not.

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

    `mean` (..., M, 3), `basis` (..., M, 3, K) and `weights` (..., M, J), where ... is nothing when
    all frames look at the same points, or F.
    """

    mean: Tensor
    basis: Tensor
    weights: Tensor

    def unposed(self, coefficients: Tensor) -> Tensor:
        """Where they are (..., M, 3) on the unposed body of the given shape."""
        return self.mean + self.basis @ coefficients

    def between(self, pairs: Tensor, share: Tensor) -> Points:
        """Points on the lines between pairs (F, M, 2) of these points, at `share` (F, M) of the
        way: 0 at the first, 1 at the second."""
        mean, basis, weights = (
            torch.lerp(
                all_.flatten(1)[pairs[..., 0]], all_.flatten(1)[pairs[..., 1]], share[..., None]
            )
            for all_ in (self.mean, self.basis, self.weights)
        )
        return Points(mean, basis.unflatten(-1, self.basis.shape[1:]), weights)


class PosableBody:
    """The bodies of a shape space, on one device, ready to be posed."""

    def __init__(self, space: ShapeSpace, device: str) -> None:
        def tensor(values: NDArray[Any]) -> Tensor:
            return torch.as_tensor(values, device=device)

        self.skeleton = Skeleton(space, device)
        self.surface = Points(
            tensor(space.mean), _points_first(tensor(space.basis)), tensor(space.weights)
        )
        joints = torch.nn.functional.one_hot(tensor(space.keypoint_joints), len(self.skeleton))
        self.keypoints = Points(
            tensor(space.keypoints_mean),
            _points_first(tensor(space.keypoints_basis)),
            joints.float(),
        )
        self.keypoint_slots = tensor(space.keypoint_slots)
        self.faces = tensor(space.faces.astype(np.int64))

    def stature(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Height of the unposed body in metres, and its derivative by the coefficients (K,)."""
        y = self.surface.unposed(bald(coefficients))[:, 1]
        top, floor = y.argmax(), y.argmin()
        slope = self.surface.basis[top, 1] - self.surface.basis[floor, 1]
        return y[top] - y[floor], bald(slope)

    def volume(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Volume that the surface encloses in m3, and its derivative by the coefficients (K,).

        The sum over all faces of the tetrahedra that they span with the origin.
        """
        unposed = self.surface.unposed(bald(coefficients))
        a, b, c = (unposed[self.faces[:, corner]] for corner in range(3))
        by_vertex = torch.zeros_like(unposed)
        for corner, (one, other) in enumerate(((b, c), (c, a), (a, b))):
            by_vertex.index_add_(0, self.faces[:, corner], torch.linalg.cross(one, other) / 6)
        volume = (a * torch.linalg.cross(b, c)).sum() / 6
        return volume, bald(by_vertex.flatten() @ self.surface.basis.flatten(0, 1))


def bald(coefficients: Tensor) -> Tensor:
    """The same body, or a slope by its coefficients (K,), without hair: the last of them."""
    return torch.cat([coefficients[:-1], torch.zeros_like(coefficients[-1:])])


def _points_first(basis: Tensor) -> Tensor:
    """(K, M, 3) as (M, 3, K): all that concerns a point lies together in memory."""
    return basis.permute(1, 2, 0).contiguous()


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
        unposed = points.unposed(coefficients)
        ends = torch.cat([unposed, torch.ones_like(unposed[:, :1])], 1)
        weighted = (points.weights[:, :, None] * ends[:, None]).flatten(1)  # (M, 4 J)
        offsets = self.positions - torch.einsum("fjab,jb->fja", self.rotations, self.rest)
        moves = torch.cat([self.rotations, offsets[..., None]], -1)  # (F, J, 3, 4)
        posed = moves.permute(0, 2, 1, 3).flatten(2).flatten(0, 1) @ weighted.T  # (3 F, M)
        return posed.unflatten(0, (-1, 3)).transpose(1, 2)

    def move(self, points: Points, coefficients: Tensor) -> PointMotion:
        """Where points (per frame) are, and what their derivatives are made of."""
        frames = len(self.positions)
        mean, basis, weights = (
            values.expand(frames, *values.shape[-dims:])
            for values, dims in ((points.mean, 2), (points.basis, 3), (points.weights, 2))
        )
        unposed = mean + basis @ coefficients
        offsets = self.positions - torch.einsum("fjab,jb->fja", self.rotations, self.rest)
        moves = torch.cat([self.rotations, offsets[..., None]], -1)  # (F, J, 3, 4)
        ends = torch.cat([unposed, torch.ones_like(unposed[..., :1])], -1)
        by_joint = torch.einsum("fjce,fme->fcmj", moves, ends)
        weighted = weights[:, None] * by_joint  # (F, 3, M, J)
        return PointMotion(self, basis, weights, weighted)


@dataclass(frozen=True)
class PointMotion:
    """Points of a placed body, M in each of F frames, and how they move with pose and shape.

    `basis` (F, M, 3, K) and `weights` (F, M, J) are theirs on the unposed body, and
    `weighted` (F, 3, M, J) is what each joint adds to where they are.
    """

    placement: Placement
    basis: Tensor
    weights: Tensor
    weighted: Tensor

    @property
    def position(self) -> Tensor:
        """Where they are (F, M, 3)."""
        return self.weighted.sum(3).transpose(1, 2)

    def along(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """How far each point moves along its direction (F, M, 3): by the turns (F, M, 3 J), and
        by the coefficients of the shape (F, M, K).

        By the root's position it moves by the direction itself.
        """
        return self._by_turn(directions), self._by_shape(directions)

    def _by_turn(self, directions: Tensor) -> Tensor:
        """A joint swings all that hangs on it about its axes: axis x lever, along the direction,
        is the axis times lever x direction."""
        place = self.placement
        carried = self.weighted @ place.skeleton.descendants.T
        carried_weight = self.weights @ place.skeleton.descendants.T
        x, y, z = (
            carried[:, c] - carried_weight * place.positions[:, None, :, c] for c in range(3)
        )
        u, v, w = directions[..., None].unbind(2)
        turned = (y * w - z * v, z * u - x * w, x * v - y * u)  # (F, M, J) each
        axes = torch.stack(
            [torch.eye(3).to(x).expand(len(x), 3, 3)]
            + [place.rotations[:, p] for p in place.skeleton.parents[1:]],
            1,
        )  # (F, J, 3, 3): columns are the axes about which each joint's unknowns turn
        by_axis = [turned[c][..., None] * axes[:, None, :, c] for c in range(3)]
        return (by_axis[0] + by_axis[1] + by_axis[2]).flatten(2)

    def _by_shape(self, directions: Tensor) -> Tensor:
        place = self.placement
        turns = torch.einsum("fmj,fjab->fmab", self.weights, place.rotations)
        unturned = (directions[..., None] * turns).sum(2)  # (F, M, 3), in the unposed body's frame
        of_joints = place.shape_moves - torch.einsum(
            "fjab,kjb->fkja", place.rotations, place.skeleton.basis
        )
        carried = self.weights @ of_joints.permute(0, 2, 3, 1).flatten(2)  # (F, M, 3 K)
        carried = carried.unflatten(2, (3, -1))
        parts = [
            unturned[:, :, c, None] * self.basis[:, :, c]
            + directions[:, :, c, None] * carried[:, :, c]
            for c in range(3)
        ]
        return parts[0] + parts[1] + parts[2]


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
