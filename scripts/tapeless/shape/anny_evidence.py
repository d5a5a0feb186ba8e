"""What speaks for a posed body: keypoints, outlines and what is known beforehand, linearised.

Every term adds its equations, in the unknowns of the fit around the present state. Distances in
pixels are given for a person 550 pixels tall in the picture, and scaled to the one at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tapeless.shape.anny_posing import PointMotion, PosableBody, Pose, vector_from_rotation
from tapeless.shape.gauss_newton import NormalEquations
from tapeless.shape.outlines import Matches, Outlines, RimFinder, match_outlines

NOMINAL_HEIGHT_PX = 550

STATURE_SPREAD_M = 0.001
"""How closely the fitted body keeps to a known stature."""

VOLUME_SPREAD = 0.002
"""How closely it keeps to the volume of a known mass, as a share of it. Bodies differ in density by
about 2 %, but the thousands of neighbouring outline points count as if they were independent, so
that what is known must count for more, too, or it would not be heard."""

DISTANCE_SPREAD = 0.002
"""How closely the body keeps to a known distance from the lens, as a share of it."""

OBJECT_SPREAD = 0.002
"""How closely it keeps to the scale of a known object, as a share of it."""

TURN_SPREAD = {
    "pelvis": math.inf,
    "lumbar": 0.04,
    "thorax": 0.04,
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
"""Standard deviation, in radians, of how far a joint turns away from the rest pose. That of the
spine is small, because a pelvis that tips and a chest that leans against it look the same from
the front as another shape; what a picture does show, a bend to the side, it still sees."""

TURN_DAMPING = 100.0
"""What keeps a step short in turns that the picture hardly shows, such as towards the camera."""

KEYPOINT_OUTLIER_PX = 80.0
"""Distance beyond which a keypoint counts as an outlier."""

STRAY_OUTLIER_PX = 40.0
"""The same for a rim of the body that lies outside the silhouette."""


@dataclass(frozen=True)
class Observations:
    """What F frames show: BODY_25 keypoints (F, 25, 3) in pixels, outlines, the principal point,
    and how tall the person is in the picture."""

    keypoints: Tensor
    outlines: Outlines
    center_px: tuple[float, float]
    person_height_px: float

    def __len__(self) -> int:
        return len(self.keypoints)

    def __getitem__(self, frames: Tensor | slice) -> Observations:
        return replace(self, keypoints=self.keypoints[frames], outlines=self.outlines[frames])


@dataclass(frozen=True)
class Knowns:
    """What is known beforehand: stature in metres, volume in m3, distance from the lens in metres,
    and pixels in a metre at that distance, each None when not known; focal length in pixels,
    the standard deviation of its logarithm, and whether it was measured; mean (K,) and precision
    (K, K) of the shape prior."""

    stature_m: float | None
    volume_m3: float | None
    distance_m: float | None
    object_px_per_m: float | None
    focal_px: float
    focal_spread: float
    focal_is_measured: bool
    prior_mean: Tensor
    prior_precision: Tensor

    @property
    def scale_is_known(self) -> bool:
        """Whether anything says how large the person is, besides the images.

        A distance does so through a lens that is known: half as far away through one half as long,
        somebody is half as large.
        """
        distance_m = self.distance_m if self.focal_is_measured else None
        scales = (self.stature_m, distance_m, self.object_px_per_m, self.volume_m3)
        return any(scale is not None for scale in scales)


@dataclass(frozen=True)
class State:
    """All unknowns: pose per frame, shape coefficients (K,) and log focal length ()."""

    pose: Pose
    coefficients: Tensor
    log_focal: Tensor

    def __getitem__(self, frames: Tensor | slice) -> State:
        return replace(self, pose=self.pose[frames])

    def moved(self, by_frame: Tensor, shared: Tensor) -> State:
        """The state after a step of each frame (F, 3 J + 3) and of the shared unknowns (K + 1,),
        kept within what the linearisation can be trusted for."""
        turns = by_frame[:, :-3].unflatten(1, (-1, 3)).clamp(-0.2, 0.2)
        return State(
            self.pose.moved(turns, by_frame[:, -3:].clamp(-1.0, 1.0)),
            self.coefficients + shared[:-1].clamp(-1.5, 1.5),
            self.log_focal + shared[-1].clamp(-0.1, 0.1),
        )


class Evidence:
    """The terms of the fit around one state."""

    def __init__(
        self, body: PosableBody, rim_finder: RimFinder, seen: Observations, state: State
    ) -> None:
        self._body, self._rim_finder, self._seen, self._state = body, rim_finder, seen, state
        self._scale = seen.person_height_px / NOMINAL_HEIGHT_PX
        self._placement = body.skeleton.place(state.pose, state.coefficients)
        frames, unknowns = len(state.pose.translation), 3 * len(body.skeleton) + 3
        self.equations = NormalEquations.zeros(
            frames, unknowns, len(state.coefficients) + 1, state.coefficients
        )

    def add_pose_prior(self) -> None:
        """Poses are near rest, and change little at a step."""
        equations, precision = self.equations, self._turn_precision()
        damping = torch.cat([precision + TURN_DAMPING, precision.new_full((3,), 1e-3)])
        equations.frame += torch.diag(damping)
        turned = vector_from_rotation(self._state.pose.rotations).flatten(1)
        equations.frame_gradient[:, :-3] += precision * turned

    def add_knowns(self, knowns: Knowns, depth_m: Tensor) -> None:
        """What is known of the shape, the lens and the mean distance before looking."""
        state, equations = self._state, self.equations
        equations.shared[:-1, :-1] += knowns.prior_precision
        equations.shared_gradient[:-1] += knowns.prior_precision @ (
            state.coefficients - knowns.prior_mean
        )
        of_focal = torch.zeros_like(equations.shared_gradient)
        of_focal[-1] = 1
        focal_miss = state.log_focal - math.log(knowns.focal_px)
        self._add_known(focal_miss, of_focal, knowns.focal_spread)
        height, slope = self._body.stature(state.coefficients)
        by_stature = torch.cat([slope, slope.new_zeros(1)])
        if knowns.stature_m is not None:
            self._add_known(height - knowns.stature_m, by_stature, STATURE_SPREAD_M)
        if knowns.volume_m3 is not None:
            volume, slope = self._body.volume(state.coefficients)
            spread = VOLUME_SPREAD * knowns.volume_m3
            by_volume = torch.cat([slope, slope.new_zeros(1)])
            self._add_known(volume - knowns.volume_m3, by_volume, spread)
        self._add_distance(knowns, depth_m, by_stature / height, of_focal)

    def _add_distance(
        self, knowns: Knowns, depth_m: Tensor, by_log_stature: Tensor, of_focal: Tensor
    ) -> None:
        """How far off the person stands, in metres or as what a metre spans in the picture.

        A body twice as large at twice the distance makes the same picture, and so does one as large
        seen from twice as far through a lens twice as long. So the distance is not an unknown of
        its own here: it grows in proportion with stature and focal length.
        """
        log_depth = depth_m.clamp_min(0.1).log()
        if knowns.distance_m is not None:
            miss = log_depth - math.log(knowns.distance_m)
            self._add_known(miss, by_log_stature + of_focal, DISTANCE_SPREAD)
        if knowns.object_px_per_m is not None:
            miss = math.log(knowns.object_px_per_m) - self._state.log_focal + log_depth
            self._add_known(miss, by_log_stature, OBJECT_SPREAD)

    def _add_known(self, miss: Tensor, slope: Tensor, spread: float) -> None:
        """A function of the shared unknowns, of slope (K + 1,), known to within `spread`."""
        self.equations.shared += torch.outer(slope, slope) / spread**2
        self.equations.shared_gradient += miss * slope / spread**2

    def add_keypoints(self, spread_px: float) -> None:
        """Keypoints lie where the body has them, to within `spread_px`."""
        observed = self._observed_keypoints()
        motion = self._placement.move(self._body.keypoints, self._state.coefficients)
        projected = self._project(motion.position)
        miss = projected - observed[..., :2]
        trust = (observed[..., 2] > 0) / (spread_px * self._scale) ** 2
        trust = trust * _inlier(miss.norm(dim=-1), KEYPOINT_OUTLIER_PX * self._scale)
        directions = torch.eye(2).to(miss).expand(*miss.shape, 2)
        self._add(motion, directions, miss, trust)

    def add_outline(self, spread_px: float, outlier_px: float) -> None:
        """The rim of the body lies on the outline to within `spread_px`, and nowhere outside."""
        matches = self._match()
        points = self._body.surface.between(matches.edges, matches.share)
        motion = self._placement.move(points, self._state.coefficients)
        offset = self._project(motion.position) - matches.points
        miss = (matches.normals * offset).sum(-1)
        counts = torch.where(matches.of_rim, miss > 0, matches.present)
        outlier = torch.where(matches.of_rim, STRAY_OUTLIER_PX, outlier_px) * self._scale
        trust = counts * _inlier(offset.norm(dim=-1), outlier) / (spread_px * self._scale) ** 2
        self._add(motion, matches.normals[:, :, None], miss[..., None], trust)

    def keypoint_cost(self, spread_px: float) -> Tensor:
        """How badly each frame's pose (F,) explains its keypoints, outliers counting little, and
        how unusual a pose it is."""
        observed = self._observed_keypoints()
        posed = self._placement.pose(self._body.keypoints, self._state.coefficients)
        miss = (self._project(posed) - observed[..., :2]).norm(dim=-1) / (spread_px * self._scale)
        turned = vector_from_rotation(self._state.pose.rotations).flatten(1)
        robust = 4 * torch.log1p(miss**2 / 4) * (observed[..., 2] > 0)
        return robust.sum(1) + (self._turn_precision() * turned**2).sum(1)

    def explained_share(self, near_px: float) -> Tensor:
        """The share of each frame's outline (F,) that has a rim of the body within `near_px`."""
        matches = self._match()
        points = self._body.surface.between(matches.edges, matches.share)
        motion = self._placement.move(points, self._state.coefficients)
        miss = (self._project(motion.position) - matches.points).norm(dim=-1)
        counts = matches.present & ~matches.of_rim
        near = counts & (miss < near_px * self._scale)
        return near.sum(1) / counts.sum(1).clamp_min(1)

    def _match(self) -> Matches:
        posed = self._placement.pose(self._body.surface, self._state.coefficients)
        rims = self._rim_finder.find(posed, self._project(posed))
        return match_outlines(rims, self._seen.outlines)

    def _observed_keypoints(self) -> Tensor:
        return self._seen.keypoints[:, self._body.keypoint_slots]

    def _turn_precision(self) -> Tensor:
        names = self._body.skeleton.names
        spread = [TURN_SPREAD[name.split("_")[-1]] for name in names]
        return self._state.coefficients.new_tensor(spread).repeat_interleave(3) ** -2

    def _project(self, points: Tensor) -> Tensor:
        """Pixels (..., 2) of camera-space points (..., 3)."""
        flat = self._state.log_focal.exp() * points[..., :2] / _depth(points)
        return flat + points.new_tensor(self._seen.center_px)

    def _add(self, motion: PointMotion, directions: Tensor, miss: Tensor, trust: Tensor) -> None:
        """Adds a row for each direction (F, M, R, 2) in which a point is missed (F, M, R)."""
        position = motion.position
        depth = _depth(position)
        focal = self._state.log_focal.exp()
        flat = focal * position[..., :2] / depth  # also the derivative by the log focal length
        for row in range(miss.shape[-1]):
            direction = directions[:, :, row]
            by_focal = (direction * flat).sum(-1, keepdim=True)
            by_point = torch.cat([direction * focal, -by_focal], -1) / depth
            root = trust.sqrt()[..., None]
            by_turn, by_shape = motion.along(root * by_point)
            self.equations.add(
                torch.cat([by_turn, root * by_point], -1),
                torch.cat([by_shape, root * by_focal], -1),
                root[..., 0] * miss[..., row],
            )


def _depth(points: Tensor) -> Tensor:
    return points[..., 2:].clamp_min(0.1)


def _inlier(distance: Tensor, outlier: Tensor | float) -> Tensor:
    """Weight of Geman and McClure's robust estimator: 1 near, falling off beyond `outlier`."""
    return (1 + (distance / outlier) ** 2) ** -2
