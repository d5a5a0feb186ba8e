"""Fits one body, posed anew in every frame, to keypoints and silhouettes: damped Gauss-Newton.

Unknown are the coefficients of the shape, shared by all frames; the focal length, shared as well;
and for every frame the turn of each joint and where the root stands. Each step solves the linearised
least squares of keypoints, outline and priors exactly; the frames meet in the shape only, so that
their blocks are eliminated one by one (Schur complement).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tapeless.shape.anny_posing import (
    Placement,
    Points,
    Pose,
    Skeleton,
    rotation_from_vector,
    vector_from_rotation,
)
from tapeless.shape.anny_space import ShapeSpace
from tapeless.shape.outlines import Outlines, RimFinder, match_outlines

FOCAL_SPREAD = 0.2
"""Standard deviation of the logarithm of the focal length, when it is not known."""

STATURE_SPREAD_M = 0.003
"""How closely the fitted body keeps to a known stature."""

TURN_SPREAD = {
    "pelvis": math.inf,
    "lumbar": 0.12,
    "thorax": 0.12,
    "neck": 0.2,
    "head": 0.2,
    "clavicle": 0.12,
    "shoulder": 0.6,
    "elbow": 0.4,
    "wrist": 0.1,
    "hip": 0.35,
    "knee": 0.35,
    "ankle": 0.25,
}
"""Standard deviation, in radians, of how far a joint turns away from the rest pose."""

KEYPOINT_OUTLIER_PX = 80
"""Distance beyond which a keypoint counts as an outlier, for a person 550 pixels tall."""

STRAY_OUTLIER_PX = 40
"""The same for rims of the body that lie outside the silhouette."""

YAW_STARTS = 8
"""Directions that a frame is started from; the one whose keypoints fit best is kept."""


@dataclass(frozen=True)
class Observations:
    """What F frames show: BODY_25 keypoints (F, 25, 3) in pixels, outlines, the principal point, and
    how tall the person is in the picture."""

    keypoints: Tensor
    outlines: Outlines
    center_px: tuple[float, float]
    person_height_px: float


@dataclass(frozen=True)
class Knowns:
    """What is known beforehand: stature in metres or None, focal length in pixels and whether it is
    known or a guess, mean (K,) and precision (K, K) of the shape prior."""

    stature_m: float | None
    focal_px: float
    focal_is_known: bool
    prior_mean: Tensor
    prior_precision: Tensor


@dataclass(frozen=True)
class Weights:
    """How much a stage of the fit trusts what: standard deviations in pixels for a person 550
    pixels tall, and the distance beyond which a point counts as an outlier."""

    keypoint_px: float
    outline_px: float | None
    outlier_px: float
    shape: bool = True


STAGES = (
    *[Weights(keypoint_px=6, outline_px=None, outlier_px=40)] * 6,
    *[Weights(keypoint_px=8, outline_px=12, outlier_px=16)] * 8,
    *[Weights(keypoint_px=10, outline_px=6, outlier_px=10)] * 8,
    *[Weights(keypoint_px=12, outline_px=3, outlier_px=6)] * 12,
)
"""The steps of the fit, in turn: keypoints set the pose, then outlines the shape."""


@dataclass(frozen=True)
class State:
    """All unknowns: pose per frame, shape coefficients (K,) and log focal length ()."""

    pose: Pose
    coefficients: Tensor
    log_focal: Tensor


@dataclass
class NormalEquations:
    """Gauss-Newton's J'J and J'r, in blocks: per frame, shared, and the two against each other."""

    frame: Tensor  # (F, P, P)
    cross: Tensor  # (F, P, S)
    shared: Tensor  # (S, S)
    frame_gradient: Tensor  # (F, P)
    shared_gradient: Tensor  # (S,)

    def add(self, by_frame: Tensor, by_shared: Tensor, residual: Tensor) -> None:
        """Adds rows: derivatives (F, R, P), (F, R, S) and residuals (F, R), all already weighted."""
        transposed = by_frame.transpose(1, 2)
        self.frame += transposed @ by_frame
        self.cross += transposed @ by_shared
        self.frame_gradient += (transposed @ residual[..., None])[..., 0]
        self.shared += torch.einsum("frs,frt->st", by_shared, by_shared)
        self.shared_gradient += torch.einsum("frs,fr->s", by_shared, residual)

    def solve(self, with_shared: bool) -> tuple[Tensor, Tensor]:
        """The steps of the frames (F, P) and of the shared unknowns (S,)."""
        if not with_shared:
            return -torch.linalg.solve(self.frame, self.frame_gradient), torch.zeros_like(
                self.shared_gradient
            )
        both = torch.cat([self.cross, self.frame_gradient[..., None]], 2)
        eliminated = torch.linalg.solve(self.frame, both)
        cross, gradient = eliminated[..., :-1], eliminated[..., -1]
        reduced = self.shared - torch.einsum("fps,fpt->st", self.cross, cross)
        right = self.shared_gradient - torch.einsum("fps,fp->s", self.cross, gradient)
        shared = -torch.linalg.solve(reduced, right)
        return -(gradient + cross @ shared), shared


class Fitter:
    """Fits bodies of one shape space, on one device."""

    def __init__(self, space: ShapeSpace, device: str) -> None:
        def tensor(values: object) -> Tensor:
            return torch.as_tensor(values, device=device)

        self.device = device
        self.skeleton = Skeleton(space, device)
        self.vertices_mean = tensor(space.mean)
        self.vertices_basis = tensor(space.basis)
        self.skin = tensor(space.weights)
        self.keypoint_slots = tensor(space.keypoint_slots)
        joints = torch.nn.functional.one_hot(tensor(space.keypoint_joints), len(self.skeleton))
        self.keypoints = Points(
            tensor(space.keypoints_mean), tensor(space.keypoints_basis), joints.float()
        )
        self.rim_finder = RimFinder(space.faces, device)
        spread = [TURN_SPREAD[name.split("_")[-1]] for name in space.joint_names]
        self.turn_precision = (1 / tensor(spread)).repeat_interleave(3)  # (3 J,)

    # --- the body ---------------------------------------------------------------------------

    def unposed(self, coefficients: Tensor) -> Tensor:
        """Vertices (V, 3) of the unposed body."""
        return self.vertices_mean + torch.einsum("k,kvc->vc", coefficients, self.vertices_basis)

    def stature(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Height in metres and its derivative by the coefficients (K,)."""
        y = self.unposed(coefficients)[:, 1]
        top, floor = y.argmax(), y.argmin()
        return y[top] - y[floor], self.vertices_basis[:, top, 1] - self.vertices_basis[:, floor, 1]

    def posed(self, state: State) -> Tensor:
        """Vertices (F, V, 3) in camera coordinates."""
        placement = self.skeleton.place(state.pose, state.coefficients)
        return placement.pose_points(self.unposed(state.coefficients), self.skin)

    # --- the fit ----------------------------------------------------------------------------

    def fit(self, seen: Observations, knowns: Knowns) -> State:
        """The most probable body and poses."""
        scale = seen.person_height_px / 550
        state = self.start(seen, knowns, scale)
        for weights in STAGES:
            state = self.step(state, seen, knowns, weights, scale)
        return state

    def start(self, seen: Observations, knowns: Knowns, scale: float) -> State:
        """Poses from keypoints alone, the best of several directions for every frame."""
        frames = len(seen.keypoints)
        coefficients = knowns.prior_mean.clone()
        for _ in range(3 if knowns.stature_m else 0):  # the shortest way to the stature
            height, slope = self.stature(coefficients)
            coefficients = coefficients + (knowns.stature_m - height) * slope / (slope @ slope)
        yaws = torch.arange(YAW_STARTS, device=self.device) * (2 * math.pi / YAW_STARTS)
        many = Observations(
            seen.keypoints.repeat_interleave(YAW_STARTS, 0),
            seen.outlines[torch.arange(frames).repeat_interleave(YAW_STARTS)],
            seen.center_px,
            seen.person_height_px,
        )
        state = State(
            self._standing(many, knowns.focal_px, yaws.repeat(frames), coefficients),
            coefficients,
            torch.tensor(math.log(knowns.focal_px), device=self.device),
        )
        for _ in range(12):
            state = self.step(state, many, knowns, Weights(10, None, 60, shape=False), scale)
        cost = self._keypoint_cost(state, many, scale).reshape(frames, YAW_STARTS)
        best = cost.argmin(1) + torch.arange(frames, device=self.device) * YAW_STARTS
        return replace(state, pose=state.pose[best])

    def step(
        self, state: State, seen: Observations, knowns: Knowns, weights: Weights, scale: float
    ) -> State:
        """One damped Gauss-Newton step."""
        placement = self.skeleton.place(state.pose, state.coefficients)
        equations = self._priors(state, knowns)
        self._add_keypoints(equations, placement, state, seen, weights, scale)
        if weights.outline_px is not None:
            self._add_outline(equations, placement, state, seen, weights, scale)
        by_frame, shared = equations.solve(weights.shape)
        turns = by_frame[:, :-3].unflatten(1, (-1, 3)).clamp(-0.4, 0.4)
        return State(
            state.pose.moved(turns, by_frame[:, -3:].clamp(-1.0, 1.0)),
            state.coefficients + shared[:-1].clamp(-1.5, 1.5),
            state.log_focal + shared[-1].clamp(-0.1, 0.1),
        )

    # --- the terms --------------------------------------------------------------------------

    def _priors(self, state: State, knowns: Knowns) -> NormalEquations:
        frames, unknowns = len(state.pose.translation), 3 * len(self.skeleton) + 3
        count = len(state.coefficients)
        like = state.coefficients
        turned = vector_from_rotation(state.pose.rotations).flatten(1)
        precision = self.turn_precision**2
        damping = torch.full((unknowns,), 1e-3, device=self.device)
        damping[:-3] += precision + 1.0
        equations = NormalEquations(
            torch.diag(damping).expand(frames, -1, -1).clone(),
            like.new_zeros(frames, unknowns, count + 1),
            like.new_zeros(count + 1, count + 1),
            like.new_zeros(frames, unknowns),
            like.new_zeros(count + 1),
        )
        equations.frame_gradient[:, :-3] = precision * turned
        equations.shared[:-1, :-1] = knowns.prior_precision
        equations.shared_gradient[:-1] = knowns.prior_precision @ (
            state.coefficients - knowns.prior_mean
        )
        focal_precision = 1e8 if knowns.focal_is_known else FOCAL_SPREAD**-2
        equations.shared[-1, -1] = focal_precision
        equations.shared_gradient[-1] = focal_precision * (
            state.log_focal - math.log(knowns.focal_px)
        )
        if knowns.stature_m is not None:
            height, slope = self.stature(state.coefficients)
            precision_m = STATURE_SPREAD_M**-2
            equations.shared[:-1, :-1] += precision_m * torch.outer(slope, slope)
            equations.shared_gradient[:-1] += precision_m * (height - knowns.stature_m) * slope
        return equations

    def _add_keypoints(
        self,
        equations: NormalEquations,
        placement: Placement,
        state: State,
        seen: Observations,
        weights: Weights,
        scale: float,
    ) -> None:
        observed = seen.keypoints[:, self.keypoint_slots]
        motion = placement.differentiate(self.keypoints, state.coefficients)
        projected, by_point = self._project(motion.position, state, seen.center_px)
        miss = projected - observed[..., :2]
        trust = (observed[..., 2] > 0) / (weights.keypoint_px * scale) ** 2
        trust = trust * _inlier(miss.norm(dim=-1), KEYPOINT_OUTLIER_PX * scale)
        self._add_rows(equations, motion, by_point, miss, trust, projected, seen.center_px)

    def _add_outline(
        self,
        equations: NormalEquations,
        placement: Placement,
        state: State,
        seen: Observations,
        weights: Weights,
        scale: float,
    ) -> None:
        unposed = self.unposed(state.coefficients)
        posed = placement.pose_points(unposed, self.skin)
        projected, _ = self._project(posed, state, seen.center_px)
        rims = self.rim_finder.find(posed, projected)
        matches = match_outlines(rims, seen.outlines)
        edges, share = matches.edges, matches.share[..., None]
        points = Points(
            *(
                torch.lerp(values[..., edges[..., 0], :], values[..., edges[..., 1], :], share)
                for values in (self.vertices_mean, self.vertices_basis, self.skin)
            )
        )
        motion = placement.differentiate(points, state.coefficients)
        projected, by_point = self._project(motion.position, state, seen.center_px)
        offset = projected - matches.points
        miss = (matches.normals * offset).sum(-1, keepdim=True)
        wanted = torch.where(matches.of_rim, miss[..., 0] > 0, matches.present)
        outlier = torch.where(matches.of_rim, STRAY_OUTLIER_PX, weights.outlier_px) * scale
        trust = wanted * _inlier(offset.norm(dim=-1), outlier) / (weights.outline_px * scale) ** 2
        by_point = torch.einsum("fmc,fmcx->fmx", matches.normals, by_point)[:, :, None]
        along = (matches.normals * (projected - projected.new_tensor(seen.center_px))).sum(-1)
        self._add_scaled(equations, motion, by_point, miss, trust, along[..., None])

    def _add_rows(self, equations, motion, by_point, miss, trust, projected, center) -> None:
        by_focal = projected - projected.new_tensor(center)
        self._add_scaled(equations, motion, by_point, miss, trust, by_focal)

    @staticmethod
    def _add_scaled(equations, motion, by_point, miss, trust, by_focal) -> None:
        root = trust.sqrt()[..., None]
        turn = torch.einsum("fmrc,fmpc->fmrp", by_point, motion.by_turn)
        by_frame = torch.cat([turn, by_point], -1) * root[..., None]
        shape = torch.einsum("fmrc,fmkc->fmrk", by_point, motion.by_shape)
        by_shared = torch.cat([shape, by_focal[..., None]], -1) * root[..., None]
        equations.add(by_frame.flatten(1, 2), by_shared.flatten(1, 2), (miss * root).flatten(1, 2))

    # --- the camera -------------------------------------------------------------------------

    @staticmethod
    def _project(
        points: Tensor, state: State, center: tuple[float, float]
    ) -> tuple[Tensor, Tensor]:
        """Pixels (..., 2) of camera-space points (..., 3), and their derivatives (..., 2, 3)."""
        focal = state.log_focal.exp()
        depth = points[..., 2:].clamp_min(0.1)
        flat = focal * points[..., :2] / depth
        derivative = torch.zeros(*points.shape[:-1], 2, 3).to(points)
        derivative[..., 0, 0] = derivative[..., 1, 1] = focal / depth[..., 0]
        derivative[..., 2] = -flat / depth
        return flat + points.new_tensor(center), derivative

    def _keypoint_cost(self, state: State, seen: Observations, scale: float) -> Tensor:
        placement = self.skeleton.place(state.pose, state.coefficients)
        rest = self.keypoints.mean + torch.einsum(
            "k,kpc->pc", state.coefficients, self.keypoints.basis
        )
        projected, _ = self._project(
            placement.pose_points(rest, self.keypoints.weights), state, seen.center_px
        )
        observed = seen.keypoints[:, self.keypoint_slots]
        miss = (projected - observed[..., :2]).norm(dim=-1) / (10 * scale)
        turned = vector_from_rotation(state.pose.rotations).flatten(1) * self.turn_precision
        robust = torch.log1p(miss**2 / 4) * 4 * (observed[..., 2] > 0)
        return robust.sum(1) + (turned**2).sum(1)

    def _standing(
        self, seen: Observations, focal_px: float, yaws: Tensor, coefficients: Tensor
    ) -> Pose:
        """The rest pose, turned by `yaws`, where the hips and the size in the picture put it."""
        upright = torch.diag(yaws.new_tensor([1.0, -1.0, -1.0]))
        turn = rotation_from_vector(torch.stack([0 * yaws, yaws, 0 * yaws], 1))
        frames = len(yaws)
        rotations = torch.eye(3).to(yaws).expand(frames, len(self.skeleton), 3, 3).clone()
        rotations[:, 0] = upright @ turn
        rest = self.keypoints.mean + torch.einsum("k,kpc->pc", coefficients, self.keypoints.basis)
        observed = seen.keypoints[:, self.keypoint_slots]
        present = observed[..., 2] > 0
        body_y = rest[:, 1].expand(frames, -1)
        extent_m = _spread(body_y, present)
        extent_px = _spread(observed[..., 1], present)
        depth = focal_px * extent_m / extent_px.clamp_min(1)
        middle_px = _mean(observed[..., :2], present) - observed.new_tensor(seen.center_px)
        middle_y = _mean(body_y[..., None], present)[:, 0]
        pelvis_y = self.skeleton.rest_joints(coefficients)[0, 1]
        xy = middle_px * (depth / focal_px)[:, None]
        return Pose(rotations, torch.stack([xy[:, 0], xy[:, 1] + middle_y - pelvis_y, depth], 1))


def _inlier(distance: Tensor, outlier: float) -> Tensor:
    """Weight of Geman and McClure's robust estimator: 1 near, falling off beyond `outlier`."""
    return (1 + (distance / outlier) ** 2) ** -2


def _mean(values: Tensor, present: Tensor) -> Tensor:
    weight = present[..., None].float()
    return (values * weight).sum(1) / weight.sum(1).clamp_min(1)


def _spread(values: Tensor, present: Tensor) -> Tensor:
    """Standard deviation over the present ones, the vertical size that both sides can be asked for."""
    mean = _mean(values[..., None], present)
    return _mean((values - mean)[..., None] ** 2, present)[:, 0].sqrt()
