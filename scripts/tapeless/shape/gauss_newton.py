"""Normal equations of a least-squares problem whose frames meet only in a few shared unknowns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class NormalEquations:
    """Gauss-Newton's J'J and J'r for F frames with P unknowns each, and S shared unknowns.

    The matrix has an arrow's shape: a block per frame, a block of the shared unknowns, and a block
    between each frame and the shared; two frames never touch.
    """

    frame: Tensor  # (F, P, P)
    cross: Tensor  # (F, P, S)
    shared: Tensor  # (S, S)
    frame_gradient: Tensor  # (F, P)
    shared_gradient: Tensor  # (S,)

    @classmethod
    def zeros(cls, frames: int, unknowns: int, shared: int, like: Tensor) -> NormalEquations:
        """No equations yet, of the type and on the device of `like`."""
        return cls(
            like.new_zeros(frames, unknowns, unknowns),
            like.new_zeros(frames, unknowns, shared),
            like.new_zeros(shared, shared),
            like.new_zeros(frames, unknowns),
            like.new_zeros(shared),
        )

    @classmethod
    def of_parts(cls, parts: Sequence[NormalEquations]) -> NormalEquations:
        """The equations of frames one after another; what is said of the shared adds up."""
        return cls(
            torch.cat([part.frame for part in parts]),
            torch.cat([part.cross for part in parts]),
            torch.stack([part.shared for part in parts]).sum(0),
            torch.cat([part.frame_gradient for part in parts]),
            torch.stack([part.shared_gradient for part in parts]).sum(0),
        )

    def add(self, by_frame: Tensor, by_shared: Tensor, residual: Tensor) -> None:
        """Adds R rows per frame, already weighted: derivatives (F, R, P) and (F, R, S), residuals
        (F, R)."""
        transposed = by_frame.transpose(1, 2)
        self.frame += transposed @ by_frame
        self.cross += transposed @ by_shared
        self.frame_gradient += (transposed @ residual[..., None])[..., 0]
        self.shared += torch.einsum("frs,frt->st", by_shared, by_shared)
        self.shared_gradient += torch.einsum("frs,fr->s", by_shared, residual)

    def solve(self) -> tuple[Tensor, Tensor]:
        """The step of every frame (F, P) and of the shared unknowns (S,).

        Frames are eliminated first (Schur complement), so that the largest system solved has
        max(P, S) unknowns however many frames there are.
        """
        both = torch.cat([self.cross, self.frame_gradient[..., None]], 2)
        eliminated = torch.linalg.solve(self.frame, both)
        cross, gradient = eliminated[..., :-1], eliminated[..., -1]
        reduced = self.shared - torch.einsum("fps,fpt->st", self.cross, cross)
        right = self.shared_gradient - torch.einsum("fps,fp->s", self.cross, gradient)
        shared = -torch.linalg.solve(reduced, right)
        return -(gradient + cross @ shared), shared

    def solve_frames(self) -> Tensor:
        """The step of every frame (F, P), the shared unknowns held where they are."""
        return -torch.linalg.solve(self.frame, self.frame_gradient)
