"""Builds the shape space of the Anny fit from a population of adults drawn from Anny."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Sequence

import numpy as np
import trimesh
from anny.keypoints import KeypointsRegressor
from anny.models.model_data import ANNY_VERSION
from numpy.typing import NDArray

from tapeless.anny_model import load_model
from tapeless.keypoints import BODY_25
from tapeless.population import PRIOR_SEED, Builds, draw_adults, rest_shapes
from tapeless.shape.anny_space import JOINTS, KEYPOINT_JOINTS, SEXES, Array, ShapeSpace

log = logging.getLogger(__name__)

ADULTS = 800
"""How many adults the space is built from: many more than there are components."""

COMPONENTS = 60
"""Unknowns of a body's shape."""

BUILDS: Builds = "even_bmi"
"""The thin and the heavy as common as the average: the space then has their shapes, too, and
nobody is drawn to the average. With builds as common as they are, waists were 18 mm off once
around and 31 mm from the front, in place of 17 and 28 (24 adults of seed 2)."""

HAIR_M, HAIR_SD_M = 0.007, 0.012
"""Mean and standard deviation of how far hair keeps the outline from the skin of the head: assumed.

One more unknown of a body. Without it, hair made a head of known stature too large in the picture,
and the body too small: chests by 27 mm less of 7 people with 1 to 3 cm of hair than of 8 without
(seed 2, once around); with it by 13 mm, and no less near for those without."""

HAIRLINE_M = 0.03
"""From the eyes up to where hair begins, and from there to where all of it is."""


def build_shape_space(adults: int = ADULTS, components: int = COMPONENTS) -> ShapeSpace:
    """The shape space of `adults` people drawn with the prior's seed: the same one every time."""
    people = draw_adults(adults, PRIOR_SEED, builds=BUILDS)
    vertices, bone_heads = rest_shapes(people)
    log.info("drew %d adults", adults)
    model = load_model()
    labels = list(model.bone_labels)
    keypoints = np.einsum("pv,nvc->npc", _landmark_weights(), vertices)
    means, bases, scores = _principal_components([vertices, bone_heads, keypoints], components)
    hair = _hair(means[0], means[2], model.faces.numpy(), labels)
    bases = [np.concatenate([bases[0], hair[None]]), *(_without_hair(b) for b in bases[1:])]
    priors = [_gaussian(scores[members]) for members in _members([a.sex for a in people])]
    names = list(JOINTS)
    return ShapeSpace(
        mean=means[0],
        basis=bases[0],
        bones_mean=means[1],
        bones_basis=bases[1],
        bone_names=np.array(labels),
        joint_bones=np.array([labels.index(bones[0]) for _, bones in JOINTS.values()]),
        keypoints_mean=means[2],
        keypoints_basis=bases[2],
        keypoint_slots=np.array([BODY_25.index(name) for name in KEYPOINT_JOINTS]),
        keypoint_joints=np.array([names.index(joint) for _, joint in KEYPOINT_JOINTS.values()]),
        faces=model.faces.numpy().astype(np.int32),
        weights=_skinning_weights(labels),
        parents=np.array([names.index(p) if p else -1 for p, _ in JOINTS.values()]),
        joint_names=np.array(names),
        prior_sexes=np.array(SEXES),
        prior_means=np.stack([mean for mean, _ in priors]),
        prior_precisions=np.stack([precision for _, precision in priors]),
        anny_version=np.array(str(ANNY_VERSION)),
    )


def _principal_components(
    parts: Sequence[Array], count: int
) -> tuple[list[Array], list[Array], NDArray[np.float64]]:
    """Mean and basis of each part (N, M, 3), and the scores (N, count), by the vertices (part 0).

    The other parts follow the scores by regression; scores being uncorrelated, that is a product.
    """
    means = [part.mean(0) for part in parts]
    centred = [
        (part - mean).reshape(len(part), -1) for part, mean in zip(parts, means, strict=True)
    ]
    values, vectors = np.linalg.eigh(centred[0].astype(np.float64) @ centred[0].T)
    first = vectors[:, ::-1][:, :count]
    signs = np.sign(first[np.abs(first).argmax(0), np.arange(count)])
    scores = first * signs * np.sqrt(len(first))
    explained = values[::-1][:count].sum() / values.sum()
    log.info("%d components explain %.2f %% of the variance", count, 100 * explained)
    bases = [
        (scores.T @ part / len(scores)).reshape(count, -1, 3).astype(np.float32) for part in centred
    ]
    return [mean.astype(np.float32) for mean in means], bases, scores


def _members(sexes: Sequence[str]) -> list[NDArray[np.bool_]]:
    own = np.array(sexes)
    return [np.ones(len(own), bool), *(own == sex for sex in SEXES[1:])]


def _gaussian(scores: NDArray[np.float64]) -> tuple[Array, Array]:
    """Mean (K + 1,) and precision (K + 1, K + 1) of scores (N, K), and of hair."""
    precision = np.eye(scores.shape[1] + 1)
    precision[:-1, :-1] = np.linalg.inv(np.cov(scores, rowvar=False))
    mean = np.append(scores.mean(0), HAIR_M / HAIR_SD_M)
    return mean.astype(np.float32), precision.astype(np.float32)


def _hair(mean: Array, keypoints: Array, faces: NDArray[np.int64], labels: Sequence[str]) -> Array:
    """How far (V, 3) one standard deviation of hair stands off the skin of the mean body, along its
    normals: nothing on the face, and all of it above the forehead and behind the ears."""
    names = [landmark for landmark, _ in KEYPOINT_JOINTS.values()]
    eyes, ears = (
        keypoints[[names.index(f"{side}_{part}") for side in ("left", "right")]].mean(0)
        for part in ("eye", "ear")
    )
    _, y, z = mean.T
    above, behind = (y - eyes[1]) / HAIRLINE_M - 1, (ears[2] - z) / HAIRLINE_M
    of_head = _skinning_weights(labels)[:, list(JOINTS).index("head")]
    share = of_head * np.clip(np.maximum(above, behind), 0, 1)
    normals = trimesh.Trimesh(mean, faces, process=False).vertex_normals
    return (HAIR_SD_M * share[:, None] * normals).astype(np.float32)


def _without_hair(basis: Array) -> Array:
    """That basis (K, M, 3) with one component more, which moves nothing: (K + 1, M, 3)."""
    return np.concatenate([basis, np.zeros_like(basis[:1])])


def _skinning_weights(bone_labels: Sequence[str]) -> Array:
    """Anny's skinning weights (V, J), those of bones that move together added up."""
    model = load_model()
    joint_of_bone = np.array([_joint_of(label) for label in bone_labels])
    bones = model.vertex_bone_indices.numpy()
    weights = np.zeros((len(bones), len(JOINTS)), np.float32)
    rows = np.arange(len(bones))[:, None].repeat(bones.shape[1], 1)
    np.add.at(weights, (rows, joint_of_bone[bones]), model.vertex_bone_weights.numpy())
    return weights


def _joint_of(bone_label: str) -> int:
    for number, (_, patterns) in enumerate(JOINTS.values()):
        if any(fnmatch.fnmatchcase(bone_label, pattern) for pattern in patterns):
            return number
    raise ValueError(f"no joint of the fit moves Anny's bone {bone_label!r}")


def _landmark_weights() -> Array:
    """What makes each keypoint of Anny's vertices, (P, V)."""
    regressor = KeypointsRegressor.coco(load_model())
    rows = [regressor.labels.index(landmark) for landmark, _ in KEYPOINT_JOINTS.values()]
    return regressor.regression_weights.numpy()[rows]
