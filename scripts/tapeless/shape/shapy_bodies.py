"""From SHAPY's result for one frame to a body file.

Its result is a NumPy archive that also holds a pickled object, `measurements`: whoever reads that
runs whatever code is in it, and needs CUDA for it. It is never touched here.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapeless.bodies import Body
from tapeless.outcomes import Rejected
from tapeless.shape.shapy_files import ShapyError

Layout = Mapping[str, tuple[str, tuple[int | None, ...]]]
"""Arrays of an archive: kinds of NumPy's types, and shape (None: any size), by name."""

BACKEND = "shapy"
MODEL = "SHAPY_A"

VERTICES = 10475

JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar",
    "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
    "right_wrist", "jaw", "left_eye_smplhf", "right_eye_smplhf",
    *(f"{side}_{finger}{bone}" for side in ("left", "right")
      for finger in ("index", "middle", "pinky", "ring", "thumb") for bone in (1, 2, 3)),
)  # fmt: skip
"""The joints of SMPL-X, in the order of its joint regressor; the names are those of the package
smplx."""

HEIGHTS_M = (1.0, 2.4)
"""A body outside of this is no estimate of anybody: the shape space knows adults only."""

_UNREADABLE = (
    OSError, ValueError, TypeError, KeyError, EOFError, MemoryError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading raises that is cut short, no archive, encrypted, pickled, or says to be endless."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """What SHAPY says of one frame.

    Attributes:
        v_shaped: (10475, 3) m, unposed, y up.
        vertices: (10475, 3) m, as seen in the frame: x right, y down, z forward.
        faces: (F, 3), triangles whose normals point outwards.
        transl: (3,) m, what puts `vertices` before the camera. It is no measured distance: the
            camera of SHAPY has a weak perspective.
        center: (2,) px, what the camera looks at, in the frame.
        focal_length_in_px: of that camera.
    """

    v_shaped: NDArray[np.float64]
    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    transl: NDArray[np.float64]
    center: NDArray[np.float64]
    focal_length_in_px: float

    @property
    def height_m(self) -> float:
        """From the lowest to the highest point of the unposed body."""
        return float(np.ptp(self.v_shaped[:, 1]))


@dataclass(frozen=True, eq=False)
class BodyModel:
    """What is read of the user's SMPL-X.

    Attributes:
        joint_regressor: (55, 10475), takes the vertices of an unposed body to its joints.
        face_count: F, how many triangles a body has.
    """

    joint_regressor: NDArray[np.float64]
    face_count: int


def read_body_model(path: Path) -> BodyModel:
    """Reads the body model; nothing in it is executed.

    Raises:
        ShapyError: if the file is no SMPL-X body model.
    """
    wanted: Layout = {
        "J_regressor": ("f", (len(JOINT_NAMES), VERTICES)),
        "f": ("iuf", (None, 3)),
    }
    try:
        content = _read(path, wanted)
    except _NotAsWantedError as error:
        raise ShapyError(
            f"{path} is no body model of SMPL-X ({error}). Download it again."
        ) from error
    return BodyModel(content["J_regressor"].astype(np.float64), len(content["f"]))


def read_estimate(path: Path, model: BodyModel) -> Estimate:
    """Reads SHAPY's result for one frame; nothing in it is executed.

    Raises:
        Rejected: if it is a result, but of numbers that are no body.
        ShapyError: naming the frame, and every array that is not as SHAPY writes it.
    """
    wanted: Layout = {
        "v_shaped": ("f", (VERTICES, 3)),
        "vertices": ("f", (VERTICES, 3)),
        "faces": ("iu", (model.face_count, 3)),
        "transl": ("f", (3,)),
        "center": ("f", (2,)),
        "focal_length_in_px": ("iuf", ()),
    }
    try:
        content = _read(path, wanted)
        _check_constants(content)
    except _NotAsWantedError as error:
        raise ShapyError(
            f"What SHAPY wrote of {path.stem} is no result: {error}. Start again; if that does not "
            "help, test the image by hand as containers/shapy/README.md says."
        ) from error
    _check_values(content)
    return Estimate(
        v_shaped=content["v_shaped"].astype(np.float64),
        vertices=content["vertices"].astype(np.float64),
        faces=content["faces"].astype(np.int32),
        transl=content["transl"].astype(np.float64),
        center=content["center"].astype(np.float64),
        focal_length_in_px=float(content["focal_length_in_px"]),
    )


def make_body(
    estimate: Estimate, model: BodyModel, frame: str, stature_m: float | None = None
) -> Body:
    """The body of one frame: on the floor, with its joints, and as the camera sees it.

    A known stature scales the whole body, and with it the place where it stands, so that the
    picture stays as it is. The stature of the body is its extent along y, as `height` is measured
    on every body; SHAPY's own height goes from a landmark of the head to one of the left heel,
    and needs files that may not be there.

    Args:
        estimate: what SHAPY says.
        model: the body model that it is of.
        frame: the name of the frame.
        stature_m: the person's, if it is known.

    Raises:
        Rejected: if the body is none of a plausible size.
    """
    low, high = HEIGHTS_M
    if not low <= estimate.height_m <= high:
        raise Rejected(
            "no_fit", f"the body is {estimate.height_m:.2f} m tall, plausible is {low} to {high} m"
        )
    factor = 1.0 if stature_m is None else stature_m / estimate.height_m
    floor = np.array([0, estimate.v_shaped[:, 1].min(), 0])
    return Body(
        vertices=(estimate.v_shaped - floor) * factor,
        faces=estimate.faces,
        joints=(model.joint_regressor @ estimate.v_shaped - floor) * factor,
        joint_names=np.array(JOINT_NAMES),
        topology="smplx",
        frames=np.array([frame]),
        posed_vertices=(estimate.vertices + estimate.transl)[None] * factor,
        camera_focal_px=np.array([estimate.focal_length_in_px]),
        camera_center_px=estimate.center[None].astype(np.float32),
        backend=BACKEND,
        backend_version=MODEL,
        scale="estimated" if stature_m is None else "known_height",
    )


class _NotAsWantedError(Exception):
    """What is wrong with the content of a file."""


def _read(path: Path, wanted: Layout) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in wanted if name in archive}
    except _UNREADABLE as error:
        raise _NotAsWantedError(f"it cannot be read: {error}") from error
    if faults := list(_find_faults(arrays, wanted)):
        raise _NotAsWantedError("; ".join(faults))
    return arrays


def _find_faults(arrays: Mapping[str, NDArray[Any]], wanted: Layout) -> Iterator[str]:
    for name, (kinds, shape) in wanted.items():
        if name not in arrays:
            yield f"{name} is missing"
        elif not _has_shape(arrays[name], shape) or arrays[name].dtype.kind not in kinds:
            found, allowed = arrays[name], tuple("any" if n is None else n for n in shape)
            yield f"{name} is {found.dtype} of shape {found.shape}, allowed is {allowed}"


def _has_shape(array: NDArray[Any], wanted: Sequence[int | None]) -> bool:
    return len(array.shape) == len(wanted) and all(
        want in (None, size) for size, want in zip(array.shape, wanted, strict=True)
    )


def _check_constants(content: Mapping[str, NDArray[Any]]) -> None:
    """What no picture changes: if it is wrong, so is the program."""
    faces, focal_px = content["faces"], float(content["focal_length_in_px"])
    if faces.min() < 0 or faces.max() >= VERTICES:
        raise _NotAsWantedError(f"faces names vertices {faces.min()} to {faces.max()}")
    if not 0 < focal_px < np.inf:
        raise _NotAsWantedError(f"focal_length_in_px is {focal_px}")


def _check_values(content: Mapping[str, NDArray[Any]]) -> None:
    for name, array in content.items():
        if not np.isfinite(array).all():
            raise Rejected("no_fit", f"{name} has values that are not finite")
    if content["vertices"][:, 2].min() + content["transl"][2] <= 0:
        raise Rejected("no_fit", "the body is not before the camera")
