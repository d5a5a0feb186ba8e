"""Fits one body, posed anew in every frame, to keypoints and silhouettes: damped Gauss-Newton.

Unknown are the coefficients of the shape and the focal length, shared by all frames, and for
every frame the turn of each joint and where the root stands. Keypoints set the poses; then the
outlines take over, ever more strictly, and set the shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tapeless.shape.anny_evidence import Evidence, Knowns, Observations, State
from tapeless.shape.anny_posing import PosableBody, Pose, rotation_from_vector
from tapeless.shape.anny_space import ShapeSpace
from tapeless.shape.gauss_newton import NormalEquations
from tapeless.shape.outlines import RimFinder


@dataclass(frozen=True)
class Stage:
    """Steps that trust keypoints and outlines to so many pixels; outline points farther off than
    `outlier_px` count little. The first stage looks at keypoints only."""

    steps: int
    keypoint_px: float
    outline_px: float | None = None
    outlier_px: float = math.inf


STAGES = (
    Stage(6, keypoint_px=6),
    Stage(8, keypoint_px=8, outline_px=12, outlier_px=16),
    Stage(8, keypoint_px=10, outline_px=6, outlier_px=10),
    Stage(12, keypoint_px=40, outline_px=3, outlier_px=6),
)
"""The fit, after its start. In the end keypoints hardly count: a detector's hips and shoulders are
not quite those of the body model, and would pull the shape with them."""

POINTS_PER_OBSERVATION = 10.0
"""Outline points that count as one observation where the images are asked how tall somebody is.

They say so only by proportions, which the space of bodies renders to some millimetres, the same for
all neighbouring points: as thousands of observations they outvoted the population, and made
everybody 2 % too small (seeds 20 and 2, 12 adults: -34 mm; with this weight +1 mm)."""

SAME_VIEW_DEGREES = 10.0
"""Frames whose directions differ by less see the same, and err alike: they count as one, nearly."""

ALIKE = 0.75
"""How nearly, as an exponent: n such frames count as n^(1 - ALIKE). With 1, fronts of the thin and
the heavy were drawn to the average too much, with 0.5 too little (24 adults of seed 2: mean error
of the hips 26, 23 and 28 mm for 1, 0.75 and 0.5; of once around, no matter)."""

DIRECTIONS = 8
"""Directions that a person may face at the start; the one that explains the keypoints is kept."""
START_STEPS = 12
START_KEYPOINT_PX = 10.0

OWN_STEPS = 3
"""Steps that lead from the body of all frames to that of a few of them."""

FRAMES_AT_ONCE = 8
"""Frames that are looked at together: what that takes of memory does not grow with the video."""


class Fitter:
    """Fits bodies of one shape space, on one device, to some frames at once on each of the
    `workers`, which do not change the numbers."""

    def __init__(self, space: ShapeSpace, device: str, workers: int = 1) -> None:
        self.body = PosableBody(space, device)
        self._rim_finder = RimFinder(space.faces, device)
        self._workers = workers

    def fit(self, seen: Observations, knowns: Knowns) -> State:
        """The most probable body and poses.

        Where nothing gives the scale, a first fit is to find the stature only, and a second one,
        from there, keeps to it. A distance is then heard by the second one only, to which it tells
        the lens: the first one would take for it what outlines tell of the lens, which is little.
        """
        state = self._start(seen, knowns)
        knowns = self.weighed(knowns, state)
        with ThreadPoolExecutor(self._workers) as pool:
            if knowns.scale_is_known:
                return self._steps(state, seen, knowns, STAGES, pool)
            precision = POINTS_PER_OBSERVATION * knowns.prior_precision
            careful = replace(knowns, prior_precision=precision, distance_m=None)
            state = self._steps(state, seen, careful, STAGES, pool)
            return self._steps(state, seen, self.scaled(knowns, state), STAGES[-1:], pool)

    def weighed(self, knowns: Knowns, state: State) -> Knowns:
        """The prior counting more the more often the frames repeat a view of the body.

        Ten frames of a front show what one shows; were they ten observations, they would
        outvote the population on how deep the body is, which they do not see.
        """
        ahead = state.pose.rotations[:, 0, :, 2]
        squared = torch.acos((ahead @ ahead.T).clamp(-1, 1)) ** 2
        alike = torch.exp(-squared / (2 * math.radians(SAME_VIEW_DEGREES) ** 2)).sum(1)
        repetition = float(len(alike) / (1 / alike).sum()) ** ALIKE
        return replace(
            knowns,
            prior_precision=repetition * knowns.prior_precision,
            focal_spread=knowns.focal_spread / math.sqrt(repetition),
        )

    def scaled(self, knowns: Knowns, state: State) -> Knowns:
        """What is known, with the stature of the present state where nothing gives the scale."""
        if knowns.scale_is_known:
            return knowns
        return replace(knowns, stature_m=float(self.body.stature(state.coefficients)[0]))

    def fit_groups(
        self, state: State, seen: Observations, knowns: Knowns, groups: Sequence[Tensor]
    ) -> list[State]:
        """A body for each group of frames (their numbers), given that of all frames, `state`.

        Each group moves it as its frames want it; all are then shifted together, so that
        their mean is the body of all frames, which knows more than any of them.
        """
        own_stage = replace(STAGES[-1], steps=OWN_STEPS)
        knowns = self.weighed(self.scaled(knowns, state), state)
        with ThreadPoolExecutor(self._workers) as pool:
            states = [
                self._steps(state[frames], seen[frames], knowns, [own_stage], pool)
                for frames in groups
            ]
        mean = torch.stack([own.coefficients for own in states]).mean(0)
        return [
            replace(own, coefficients=own.coefficients + state.coefficients - mean)
            for own in states
        ]

    def posed(self, state: State) -> Tensor:
        """Vertices (F, V, 3) in camera coordinates."""
        placement = self.body.skeleton.place(state.pose, state.coefficients)
        return placement.pose(self.body.surface, state.coefficients)

    def explained_share(self, state: State, seen: Observations, near_px: float) -> Tensor:
        """The share of each frame's outline (F,) that lies within `near_px` of the body's rim."""
        return torch.cat(
            [
                self._weigh(state[part], seen[part]).explained_share(near_px)
                for part in _parts(len(seen))
            ]
        )

    def unusualness(self, state: State, knowns: Knowns) -> Tensor:
        """Distance of the shape from the population's mean, in standard deviations per unknown."""
        away = state.coefficients - knowns.prior_mean
        return (away @ knowns.prior_precision @ away / len(away)).sqrt()

    def _start(self, seen: Observations, knowns: Knowns) -> State:
        """The population's mean body, posed by keypoints alone from several directions at once."""
        frames = len(seen)
        many = seen[torch.arange(frames).repeat_interleave(DIRECTIONS)]
        coefficients = self._mean_shape(knowns)
        yaws = torch.arange(DIRECTIONS).to(coefficients) * (2 * math.pi / DIRECTIONS)
        pose = self._standing(many, knowns.focal_px, yaws.repeat(frames), coefficients)
        state = State(pose, coefficients, coefficients.new_tensor(math.log(knowns.focal_px)))
        for _ in range(START_STEPS):
            evidence = self._weigh(state, many)
            evidence.add_pose_prior()
            evidence.add_keypoints(START_KEYPOINT_PX)
            shared = torch.zeros_like(evidence.equations.shared_gradient)
            state = state.moved(evidence.equations.solve_frames(), shared)
        cost = self._weigh(state, many).keypoint_cost(START_KEYPOINT_PX)
        best = cost.reshape(frames, DIRECTIONS).argmin(1)
        rows = torch.arange(frames).to(best) * DIRECTIONS + best
        return replace(state, pose=state.pose[rows])

    def _steps(
        self,
        state: State,
        seen: Observations,
        knowns: Knowns,
        stages: Sequence[Stage],
        pool: Executor,
    ) -> State:
        for stage in stages:
            for _ in range(stage.steps):
                state = self._step(state, seen, knowns, stage, pool)
        return state

    def _step(
        self, state: State, seen: Observations, knowns: Knowns, stage: Stage, pool: Executor
    ) -> State:
        @torch.inference_mode()  # which is a thread's own
        def look(frames: slice) -> NormalEquations:
            evidence = self._weigh(state[frames], seen[frames])
            evidence.add_pose_prior()
            evidence.add_keypoints(stage.keypoint_px)
            if stage.outline_px is not None:
                evidence.add_outline(stage.outline_px, stage.outlier_px)
            return evidence.equations

        beforehand = self._weigh(state[:0], seen[:0])
        beforehand.add_knowns(knowns, state.pose.translation[:, 2].mean())
        seen_in_parts = pool.map(look, _parts(len(seen)))
        equations = NormalEquations.of_parts([beforehand.equations, *seen_in_parts])
        return state.moved(*equations.solve())

    def _weigh(self, state: State, seen: Observations) -> Evidence:
        return Evidence(self.body, self._rim_finder, seen, state)

    def _mean_shape(self, knowns: Knowns) -> Tensor:
        """The prior's mean, changed as little as gives it the known stature."""
        coefficients = knowns.prior_mean.clone()
        if knowns.stature_m is None:
            return coefficients
        for _ in range(3):  # top and floor may move to other vertices
            height, slope = self.body.stature(coefficients)
            coefficients += (knowns.stature_m - height) * slope / (slope @ slope)
        return coefficients

    def _standing(
        self, seen: Observations, focal_px: float, yaws: Tensor, coefficients: Tensor
    ) -> Pose:
        """The rest pose turned by `yaws` (F,), placed so that mean and vertical spread of the
        keypoints agree."""
        observed = seen.keypoints[:, self.body.keypoint_slots]
        present = (observed[..., 2:] > 0).float()
        expected_y = self.body.keypoints.unposed(coefficients)[:, 1:2].expand(len(yaws), -1, 1)
        spread_m, spread_px = _spread(expected_y, present), _spread(observed[..., 1:2], present)
        depth = focal_px * spread_m / spread_px.clamp_min(1)
        center = _mean(observed[..., :2], present) - observed.new_tensor(seen.center_px)
        root = torch.cat([center * depth / focal_px, depth], 1)
        root[:, 1:2] += (
            _mean(expected_y, present) - self.body.skeleton.rest_joints(coefficients)[0, 1]
        )
        facing_camera = torch.diag(yaws.new_tensor([1.0, -1.0, -1.0]))
        about_y = torch.stack([0 * yaws, yaws, 0 * yaws], 1)
        rotations = torch.eye(3).to(yaws).repeat(len(yaws), len(self.body.skeleton), 1, 1)
        rotations[:, 0] = facing_camera @ rotation_from_vector(about_y)
        return Pose(rotations, root)


def _parts(frames: int) -> list[slice]:
    return [slice(i, i + FRAMES_AT_ONCE) for i in range(0, frames, FRAMES_AT_ONCE)]


def _mean(values: Tensor, present: Tensor) -> Tensor:
    """Mean (F, C) of those values (F, M, C) that are present (F, M, 1)."""
    return (values * present).sum(1) / present.sum(1).clamp_min(1)


def _spread(values: Tensor, present: Tensor) -> Tensor:
    """Standard deviation (F, C) of those values (F, M, C) that are present (F, M, 1)."""
    mean = _mean(values, present)[:, None]
    return _mean((values - mean) ** 2, present).sqrt()
