"""Body shape by fitting Anny to the keypoints and silhouettes of a video: one estimate per group.

One body is fitted to all frames. Then the frames are dealt out to groups in turn, so that every
group sees the whole video, and each group changes that body as its own frames want it. How much the
groups differ shows how far the numbers can be trusted.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tapeless.bodies import Body, Scale
from tapeless.gpus import GpuError
from tapeless.images import read_grey
from tapeless.keypoints import read_person
from tapeless.outcomes import Rejected
from tapeless.shape.anny_evidence import NOMINAL_HEIGHT_PX, Knowns, Observations, State
from tapeless.shape.anny_fit import Fitter
from tapeless.shape.anny_posing import bald
from tapeless.shape.anny_space import ShapeSpace
from tapeless.shape.outlines import gather_outlines
from tapeless.units import DENSITY_KG_M3

log = logging.getLogger(__name__)

BACKEND = "anny"

OUTLINE_SPACING_PX = 6.0
"""Distance of outline points for a person 550 pixels tall."""

GUESSED_FIELD_OF_VIEW_DEGREES = 52.0
"""Angle that the longer side of the picture spans, when the camera is not known: phones filming
video span 40 to 68 degrees."""

GUESSED_FOCAL_SPREAD = 0.2
"""Standard deviation of the logarithm of that guess's focal length: phones' lenses, and twofold
enlargement."""

NAMED_FOCAL_SPREAD = 0.08
"""The same for a lens that the file names: stabilising crops the picture by up to a fifth."""

EXACT_FOCAL_SPREAD = 0.005
"""The same for a field of view that was measured."""

MIN_FRAMES_PER_ESTIMATE = 2

NEAR_PX = 6.0
MIN_EXPLAINED_SHARE = 0.6
"""A frame is explained when this share of its outline lies within `NEAR_PX` of the body's rim, for
a person 550 pixels tall. The two rendered people looked at reach 0.96 and more, a real one
in front of clutter 0.72 and more."""

MAX_UNUSUALNESS = 3.0
"""Standard deviations from the mean body, per coefficient (root mean square): 1 is usual."""

NO_FIT_REASON = (
    "No body of a plausible size and pose explains the pictures. Film one person alone, standing "
    "upright, in close-fitting clothes, in front of a plain background; check the height given."
)


@dataclass(frozen=True)
class Frame:
    """One usable frame: BODY_25 keypoints (25, 3) in pixels and soft silhouette (H, W) uint8."""

    name: str
    keypoints: NDArray[np.float64]
    silhouette: NDArray[np.uint8]


@dataclass(frozen=True)
class Settings:
    """What the fit is told, and how it works.

    Attributes:
        stature_m: stature, None when it is not known; so are the following.
        mass_kg: mass.
        sex: "female" or "male".
        vertical_fov_degrees: angle that the height of the upright frame spans.
        fov_is_exact: whether that angle was measured, or is only what a file says of its lens.
        distance_m: from the lens to the person, on average over the video.
        object_px_per_m: pixels of the sampled frames that a metre spans at the person's distance.
        estimates: how many groups the frames are dealt out to.
        min_frames: below which a video is rejected.
        device: torch's name of it.
    """

    stature_m: float | None = None
    mass_kg: float | None = None
    sex: str | None = None
    vertical_fov_degrees: float | None = None
    fov_is_exact: bool = True
    distance_m: float | None = None
    object_px_per_m: float | None = None
    estimates: int = 3
    min_frames: int = MIN_FRAMES_PER_ESTIMATE
    device: str = "cpu"

    @property
    def lens_is_measured(self) -> bool:
        """Whether somebody measured the field of view."""
        return self.vertical_fov_degrees is not None and self.fov_is_exact


def read_frames(keypoints: Path, silhouettes: Path) -> list[Frame]:
    """All frames that have both keypoints and a silhouette, in time order."""
    return [
        Frame(path.stem, read_person(keypoints / f"{path.stem}.json").points, read_grey(path))
        for path in sorted(silhouettes.glob("*.png"))
    ]


def estimate_bodies(
    frames: Sequence[Frame], space_file: Path, settings: Settings, workers: int = 1
) -> list[Body]:
    """Fits one body to all frames, and lets each interleaved group of them change it.

    The numbers do not depend on how many `workers`, threads, there are. On a graphics card there is
    one: torch fails when the first matrices that it solves there come from several threads at once
    (pytorch/pytorch#90613).

    Raises:
        Rejected: when there are too few frames, or no plausible body explains most of them.
        GpuError: when the device is a graphics card that torch cannot use.
    """
    if settings.device != "cpu":
        _check_cuda()
        workers = 1
    if len(frames) < max(settings.min_frames, MIN_FRAMES_PER_ESTIMATE):
        raise Rejected(
            "too_few_frames",
            f"Only {len(frames)} frames show the person's whole outline. Film longer, in front of "
            "a plain background that differs from the clothes.",
        )
    torch.set_num_threads(1)
    return _estimate_bodies(frames, ShapeSpace.load(space_file), settings, workers)


def _check_cuda() -> None:
    if not torch.cuda.is_available():
        raise GpuError(
            f"shape.device is cuda, but torch {torch.__version__} cannot use a graphics card here. "
            "Install its build for CUDA (TORCH=cuda tools/setup) and run without --use-conda, "
            "whose build is for CPUs; or set shape.device to cpu. docs/workstation.md says more."
        )


@torch.inference_mode()
def _estimate_bodies(
    frames: Sequence[Frame], space: ShapeSpace, settings: Settings, workers: int
) -> list[Body]:
    """The bodies of the groups of those frames that one body can explain."""
    fitter = Fitter(space, settings.device, workers)
    sampled = len(frames)
    while 2 * len(frames) >= max(sampled, 2 * MIN_FRAMES_PER_ESTIMATE):
        seen, knowns = _observe(frames, settings), _knowns(frames[0], space, settings)
        state = fitter.fit(seen, knowns)
        explained = fitter.explained_share(state, seen, NEAR_PX).cpu().numpy()
        unusual = float(fitter.unusualness(state, knowns))
        log.info(
            "%d frames, outlines explained: %s; distance from the mean body: %.1f",
            len(frames),
            " ".join(f"{share:.0%}" for share in explained),
            unusual,
        )
        if unusual > MAX_UNUSUALNESS:
            break
        if (explained >= MIN_EXPLAINED_SHARE).all():
            count = min(settings.estimates, len(frames) // MIN_FRAMES_PER_ESTIMATE)
            groups = [torch.arange(start, len(frames), count) for start in range(count)]
            states = fitter.fit_groups(state, seen, knowns, groups)
            return [
                _body(space, fitter, own, seen, [frames[i] for i in group], settings)
                for own, group in zip(states, groups, strict=True)
            ]
        frames = [
            f for f, share in zip(frames, explained, strict=True) if share >= MIN_EXPLAINED_SHARE
        ]
    raise Rejected("no_fit", NO_FIT_REASON)


def _observe(frames: Sequence[Frame], settings: Settings) -> Observations:
    silhouettes = [frame.silhouette for frame in frames]
    tall_px = float(np.median([_extent_px(s) for s in silhouettes]))
    keypoints = np.stack([frame.keypoints for frame in frames]).astype(np.float32)
    height, width = silhouettes[0].shape
    return Observations(
        torch.as_tensor(keypoints, device=settings.device),
        gather_outlines(
            silhouettes, OUTLINE_SPACING_PX * tall_px / NOMINAL_HEIGHT_PX, settings.device
        ),
        (width / 2, height / 2),
        tall_px,
    )


def _knowns(frame: Frame, space: ShapeSpace, settings: Settings) -> Knowns:
    height, width = frame.silhouette.shape
    angle, side = settings.vertical_fov_degrees, height
    if angle is None:
        angle, side = GUESSED_FIELD_OF_VIEW_DEGREES, max(height, width)
    mean, precision = space.prior(settings.sex)
    return Knowns(
        stature_m=settings.stature_m,
        volume_m3=settings.mass_kg and settings.mass_kg / DENSITY_KG_M3,
        distance_m=settings.distance_m,
        object_px_per_m=settings.object_px_per_m,
        focal_px=side / 2 / math.tan(math.radians(angle) / 2),
        focal_spread=_focal_spread(settings),
        focal_is_measured=settings.lens_is_measured,
        prior_mean=torch.as_tensor(mean, device=settings.device),
        prior_precision=torch.as_tensor(precision, device=settings.device),
    )


def _focal_spread(settings: Settings) -> float:
    if settings.vertical_fov_degrees is None:
        return GUESSED_FOCAL_SPREAD
    return EXACT_FOCAL_SPREAD if settings.lens_is_measured else NAMED_FOCAL_SPREAD


def _scale(settings: Settings) -> Scale:
    """The best source of scale there is: the one that decides, though the others are heard.

    A distance gives none through a lens that was not measured: people's statures differ by less
    than lenses do.
    """
    if settings.stature_m is not None:
        return "known_height"
    if settings.object_px_per_m is not None:
        return "known_object"
    is_known = settings.distance_m is not None and settings.lens_is_measured
    return "known_distance" if is_known else "estimated"


def _body(
    space: ShapeSpace,
    fitter: Fitter,
    state: State,
    seen: Observations,
    frames: Sequence[Frame],
    settings: Settings,
) -> Body:
    state = replace(state, coefficients=bald(state.coefficients))
    vertices = fitter.body.surface.unposed(state.coefficients).cpu().numpy()
    coefficients = state.coefficients.cpu().numpy()
    joints = space.bones_mean + np.tensordot(coefficients, space.bones_basis, 1)
    floor = np.array([0, vertices[:, 1].min(), 0], np.float32)
    return Body(
        vertices=vertices - floor,
        faces=space.faces,
        joints=joints - floor,
        joint_names=space.bone_names,
        topology="anny",
        frames=np.array([frame.name for frame in frames]),
        posed_vertices=fitter.posed(state).cpu().numpy(),
        camera_focal_px=np.full(len(frames), float(state.log_focal.exp()), np.float32),
        camera_center_px=np.tile(np.array(seen.center_px, np.float32), (len(frames), 1)),
        backend=BACKEND,
        backend_version=str(space.anny_version),
        scale=_scale(settings),
    )


def _extent_px(silhouette: NDArray[np.uint8]) -> float:
    rows = np.flatnonzero((silhouette > 127).any(1))
    return float(np.ptp(rows)) if len(rows) else 0.0
