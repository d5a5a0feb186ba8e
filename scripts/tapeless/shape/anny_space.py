"""The space of adult bodies that the Anny fit searches: a mean body and its principal changes.

Anny describes a body by phenotypes and hundreds of local changes, which bend into one another and
know nothing of how common a body is. Here a population of adults is drawn from Anny once, and its
principal components become the unknowns of the fit: a body is `mean + basis . coefficients`,
linear, and the population's spread of the coefficients is the prior. Anny's 104 bones are merged
into the 19 joints that a video can tell apart. One component more, the last, is hair: how far it
keeps the outline from the skin of the head, which is no part of the body. The frame is that of the
body file: metres, y up, facing +z.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from tapeless.outcomes import MachineFault

Array = NDArray[np.float32]

ANY_SEX = "any"
SEXES = (ANY_SEX, "female", "male")
"""Whom a prior can be of."""

JOINTS: dict[str, tuple[str, tuple[str, ...]]] = {
    # joint: (parent, the Anny bones that move with it, the first being where it turns)
    "pelvis": ("", ("root", "pelvis.L", "pelvis.R", "spine05")),
    "lumbar": ("pelvis", ("spine04", "spine03")),
    "thorax": ("lumbar", ("spine02", "spine01")),
    "neck": ("thorax", ("neck01", "neck02", "neck03")),
    "head": ("neck", ("head", "eye.L", "eye.R")),
    "left_clavicle": ("thorax", ("clavicle.L", "shoulder01.L")),
    "left_shoulder": ("left_clavicle", ("upperarm01.L", "upperarm02.L")),
    "left_elbow": ("left_shoulder", ("lowerarm01.L", "lowerarm02.L")),
    "left_wrist": ("left_elbow", ("wrist.L", "finger*.L", "metacarpal*.L")),
    "right_clavicle": ("thorax", ("clavicle.R", "shoulder01.R")),
    "right_shoulder": ("right_clavicle", ("upperarm01.R", "upperarm02.R")),
    "right_elbow": ("right_shoulder", ("lowerarm01.R", "lowerarm02.R")),
    "right_wrist": ("right_elbow", ("wrist.R", "finger*.R", "metacarpal*.R")),
    "left_hip": ("pelvis", ("upperleg01.L", "upperleg02.L")),
    "left_knee": ("left_hip", ("lowerleg01.L", "lowerleg02.L")),
    "left_ankle": ("left_knee", ("foot.L", "toe*.L")),
    "right_hip": ("pelvis", ("upperleg01.R", "upperleg02.R")),
    "right_knee": ("right_hip", ("lowerleg01.R", "lowerleg02.R")),
    "right_ankle": ("right_knee", ("foot.R", "toe*.R")),
}
"""The joints of the fit, parents first."""

KEYPOINT_JOINTS: dict[str, tuple[str, str]] = {
    # BODY_25 keypoint: (Anny's COCO landmark, the joint that it rides on)
    "Nose": ("nose", "head"),
    "REye": ("right_eye", "head"),
    "LEye": ("left_eye", "head"),
    "REar": ("right_ear", "head"),
    "LEar": ("left_ear", "head"),
    "RShoulder": ("right_shoulder", "right_shoulder"),
    "LShoulder": ("left_shoulder", "left_shoulder"),
    "RElbow": ("right_elbow", "right_elbow"),
    "LElbow": ("left_elbow", "left_elbow"),
    "RWrist": ("right_wrist", "right_wrist"),
    "LWrist": ("left_wrist", "left_wrist"),
    "RHip": ("right_hip", "right_hip"),
    "LHip": ("left_hip", "left_hip"),
    "RKnee": ("right_knee", "right_knee"),
    "LKnee": ("left_knee", "left_knee"),
    "RAnkle": ("right_ankle", "right_ankle"),
    "LAnkle": ("left_ankle", "left_ankle"),
    "RBigToe": ("right_big_toe", "right_ankle"),
    "LBigToe": ("left_big_toe", "left_ankle"),
    "RSmallToe": ("right_small_toe", "right_ankle"),
    "LSmallToe": ("left_small_toe", "left_ankle"),
    "RHeel": ("right_heel", "right_ankle"),
    "LHeel": ("left_heel", "left_ankle"),
}
"""Which point of the body each keypoint means. Neck and MidHip follow from their neighbours."""


class SpaceError(MachineFault):
    """The file of a space cannot be used; the message says what to do."""


@dataclass(frozen=True)
class ShapeSpace:
    """A linear space of unposed bodies with its skeleton, as the fit needs it.

    Shapes: K coefficients, V vertices, F triangles, B bones, J joints, P keypoints, S priors.
    The bases are scaled so that over the whole population a coefficient has mean 0 and standard
    deviation 1; that of hair, the last, has the mean that its prior says. Bones and keypoints have
    no hair.
    """

    mean: Array  # (V, 3)
    basis: Array  # (K, V, 3)
    bones_mean: Array  # (B, 3) heads of all of Anny's bones
    bones_basis: Array  # (K, B, 3)
    bone_names: NDArray[np.str_]  # (B,)
    joint_bones: NDArray[np.int64]  # (J,) the bone at whose head each joint turns
    keypoints_mean: Array  # (P, 3)
    keypoints_basis: Array  # (K, P, 3)
    keypoint_slots: NDArray[np.int64]  # (P,) slot of each in BODY_25
    keypoint_joints: NDArray[np.int64]  # (P,) joint that each rides on
    faces: NDArray[np.int32]  # (F, 3)
    weights: Array  # (V, J) linear blend skinning
    parents: NDArray[np.int64]  # (J,) -1 for the root
    joint_names: NDArray[np.str_]  # (J,)
    prior_sexes: NDArray[np.str_]  # (S,) whom the priors are of: SEXES
    prior_means: Array  # (S, K)
    prior_precisions: Array  # (S, K, K) inverse covariances
    anny_version: NDArray[np.str_]  # ()

    def prior(self, sex: str | None) -> tuple[Array, Array]:
        """Mean (K,) and precision (K, K) of the coefficients of women, men, or adults of any sex.

        Raises:
            ValueError: if `sex` is neither None nor one of `SEXES`.
        """
        row = SEXES.index(sex or ANY_SEX)
        return self.prior_means[row], self.prior_precisions[row]

    def save(self, path: Path) -> None:
        """Writes the space as a compressed npz; a file that is there stays whole until the end.

        Jobs of several projects may do so at once: the last one stays.
        """
        unfinished = path.with_name(f".{path.name}.{uuid4().hex}.unfinished")
        try:
            with unfinished.open("wb") as file:
                np.savez_compressed(file, **{f.name: getattr(self, f.name) for f in fields(self)})
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> ShapeSpace:
        """Reads a space.

        Raises:
            SpaceError: if it is not there, damaged, or of another version of this class. Then it is
                removed, so that it is made again.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                return cls(**{f.name: data[f.name] for f in fields(cls)})
        except FileNotFoundError:
            raise SpaceError(
                f"{path} is gone, the space of bodies that is made once for all videos. The same "
                "command makes it again, in a minute, and then fits all videos anew."
            ) from None
        except (ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            path.unlink(missing_ok=True)
            raise SpaceError(
                f"{path} was damaged or is of another version ({error}), and has been removed: the "
                "same command makes it again, in a minute, and then fits all videos anew. If "
                "nobody touched it, have the disk checked."
            ) from error
