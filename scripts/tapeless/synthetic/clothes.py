"""Clothes, skin and hair: a colour for every vertex of a body, and how far they stand off it."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import anny
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_SKIN = np.array(
    [[241, 204, 180], [224, 172, 140], [198, 146, 110], [160, 110, 78], [112, 74, 52], [78, 52, 40]]
)
_HAIR = np.array([[28, 22, 20], [60, 40, 28], [110, 76, 46], [190, 150, 96], [150, 148, 146]])
_EYES = np.array([50, 40, 36])
_FOLD_DEPTH = 0.05
_GRAIN = 0.02

_TORSO = ("spine", "root", "pelvis", "upperleg01")
_SHIRT = ("spine", "clavicle", "shoulder", "upperarm")
_TROUSERS = ("root", "pelvis", "upperleg")
_SHOES = ("foot", "toe")
_WAISTBAND = (0.54, 0.60)
"""Of the stature, where trousers begin."""
_HEM = 10
"""Steps from vertex to vertex over which hair and cloth come down to the skin at their edges."""


@dataclass(frozen=True)
class Outfit:
    """What somebody wears: `colours` (V, 3) uint8, and which vertices (V,) `hair` and `cloth`
    cover; shoes are neither."""

    colours: npt.NDArray[np.uint8]
    hair: Mask
    cloth: Mask

    def stand_off(
        self, faces: npt.NDArray[np.integer], hair_m: float, looseness_m: float
    ) -> Floats:
        """How far (V,) hair and cloth are from the skin, in metres, along its normals.

        Both are shells: `hair_m` and `looseness_m` thick inside, and thinner towards their edges.
        Cloth that hangs from the chest and the hips is not shown.
        """
        shells = ((self.hair, hair_m), (self.cloth, looseness_m))
        return np.asarray(sum(thickness * _tapered(m, faces) for m, thickness in shells))


def dress(
    model: anny.Anny, vertices: npt.NDArray[np.float32], generator: np.random.Generator
) -> Outfit:
    """Dresses somebody in a shirt, trousers or shorts, and shoes.

    `vertices` are the unposed ones (V, 3), y up, facing +z.
    """
    bones = _bone_of_each_vertex(model)
    colours = np.tile(generator.choice(_SKIN), (len(vertices), 1)).astype(np.float64)
    folds = _folds(vertices, generator)
    shirt = _SHIRT + (("lowerarm",) if generator.random() < 0.5 else ())
    trousers = _TROUSERS + (("lowerleg",) if generator.random() < 0.7 else ())
    waistband = generator.uniform(*_WAISTBAND) * vertices[:, 1].max()
    above, torso = vertices[:, 1] > waistband, _belongs(bones, _TORSO)
    in_shirt = (_belongs(bones, shirt) | torso) & (above | ~torso)
    in_trousers = (_belongs(bones, trousers) | torso) & ~in_shirt
    for worn in (in_shirt, in_trousers, _belongs(bones, _SHOES)):
        colours[worn] = _fabric(generator) * folds[worn, None]
    if generator.random() < 0.3:
        colours[in_shirt & _stripes(vertices, generator)] *= 0.75
    hair = _hair(vertices, bones)
    colours[hair] = generator.choice(_HAIR)
    colours[_belongs(bones, ("eye",))] = _EYES
    colours *= generator.normal(1, _GRAIN, (len(vertices), 1))
    return Outfit(np.clip(colours, 0, 255).astype(np.uint8), hair, in_shirt | in_trousers)


def _tapered(covered: Mask, faces: npt.NDArray[np.integer]) -> Floats:
    """1 (V,) inside what is covered, 0 outside, and in between near the edge."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    ones = np.ones(len(pairs))
    neighbours = coo_array((ones, pairs.T), shape=(len(covered),) * 2).tocsr()
    share = covered.astype(float)
    for _ in range(_HEM):
        share = neighbours @ share / np.maximum(neighbours @ np.ones(len(share)), 1) * covered
    return share


def _bone_of_each_vertex(model: anny.Anny) -> npt.NDArray[np.str_]:
    strongest = model.vertex_bone_weights.argmax(dim=1, keepdim=True)
    return np.array(model.bone_labels)[model.vertex_bone_indices.gather(1, strongest)[:, 0].numpy()]


def _belongs(bones: npt.NDArray[np.str_], parts: tuple[str, ...]) -> Mask:
    return np.logical_or.reduce([np.char.startswith(bones, part) for part in parts])


def _fabric(generator: np.random.Generator) -> Floats:
    hue, saturation, value = generator.uniform([0, 0.1, 0.15], [1, 0.8, 0.9])
    return 255 * np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float64)


def _folds(vertices: npt.NDArray[np.float32], generator: np.random.Generator) -> Floats:
    waves = generator.normal(0, 25, (6, 3))
    phases = generator.uniform(0, 2 * np.pi, 6)
    folds: Floats = 1 + _FOLD_DEPTH * np.sin(vertices @ waves.T + phases).mean(axis=1) * 2
    return folds


def _stripes(vertices: npt.NDArray[np.float32], generator: np.random.Generator) -> Mask:
    return np.mod(vertices[:, 1] / generator.uniform(0.05, 0.12), 1) < 0.4


def _hair(vertices: npt.NDArray[np.float32], bones: npt.NDArray[np.str_]) -> Mask:
    """The scalp: above the brow in front, down to the nape behind."""
    eyes = vertices[_belongs(bones, ("eye",))].mean(axis=0)
    above, behind = vertices[:, 1] - eyes[1], eyes[2] - vertices[:, 2]
    scalp = (above > 0.05) | ((behind > 0.085) & (above > 0.05 - 0.9 * (behind - 0.085)))
    return scalp & _belongs(bones, ("head", "neck03")) & (above > -0.07)
