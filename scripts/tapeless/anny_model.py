"""The one Anny body model of the project, built once into one small file.

Anny 0.6.2 reads its 1,136 shape targets a number at a time (a minute) and caches three copies of
them in double precision (1.1 GB). Here the same model is built in seconds, without what only
shapes faces, and kept as a single file of about 70 MB in single precision, written atomically so
that jobs that start together never read half a file.

The coordinates are Anny's own: z up, metres, facing -y, feet not at 0.
"""

from __future__ import annotations

import dataclasses
import gzip
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import anny
import numpy as np
import roma
import torch
from anny.models import full_model
from anny.models.model_data import ModelData, RigConfig, TopologyConfig
from anny.models.model_transforms import compact_phenotype_blendshapes, filter_blendshapes
from anny.paths import get_anny_cache_path

log = logging.getLogger(__name__)

MODEL_FILE = f"tapeless_body_v1_anny_{anny.models.model_data.ANNY_VERSION}.safetensors"

_FACE_PREFIXES = ("cheek", "chin", "ear", "eye", "eyebrows", "forehead", "mouth", "nose", "head")


def load_model() -> anny.Anny:
    """The project's body model: 6 phenotypes and every local change below the face, float32.

    The file lies in Anny's cache directory (environment variable `ANNY_CACHE_DIR`, read when
    `anny` is imported) and is built there when it is missing: about 10 seconds, once. Callers share
    one instance in a process and must not change it.
    """
    return _load(get_anny_cache_path() / MODEL_FILE)


@cache
def _load(path: Path) -> anny.Anny:
    if not path.exists():
        log.info("building the body model, once, into %s", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_atomically(_build(), path)
    return anny.Anny.from_model_data(
        ModelData.load_safetensors(path),
        pose_parameterization="local-ref",
        bone_orientation="cached",
        root_identity_orientation=False,
        extrapolate_phenotypes=False,
        # By default Warp does it, which looks for graphics cards, compiles into the user's home,
        # and says so on standard output and error.
        skinning_method="lbs",
    )


def _write_atomically(data: ModelData, path: Path) -> None:
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}.unfinished")
    try:
        data.save_safetensors(unfinished)
        unfinished.chmod(0o644)  # safetensors keeps its files from everybody else
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _build() -> ModelData:
    with _fast_uncached_loading():
        data = full_model.build_anny_model_data(
            rig=RigConfig.from_string("anny"),
            topology=TopologyConfig.from_string("anny"),
            local_changes="default",
            facial_actions="none",
        )
    return _single_precision(compact_phenotype_blendshapes(_without_faces(data)))


def _without_faces(data: ModelData) -> ModelData:
    keep = [not _shapes_a_face(label) for label in data.metadata.blendshape_labels]
    filtered = filter_blendshapes(data, keep)
    orientations = data.bone_orientation_blendshapes  # which the filter of anny 0.6.2 forgets
    assert orientations is not None
    return dataclasses.replace(
        filtered, bone_orientation_blendshapes=orientations[torch.tensor(keep)]
    )


def _shapes_a_face(blendshape_label: str) -> bool:
    block, name = blendshape_label.split(":")
    part = name.removeprefix("l-").removeprefix("r-").split("-")[0]
    return block == "local_change" and part in _FACE_PREFIXES


def _single_precision(data: ModelData) -> ModelData:
    tensors = {
        field.name: value.float()
        for field in dataclasses.fields(data)
        if isinstance(value := getattr(data, field.name), torch.Tensor)
        and value.is_floating_point()
    }
    return dataclasses.replace(data, **tensors)


@contextmanager
def _fast_uncached_loading() -> Iterator[None]:
    """Makes Anny read its targets with numpy, and keep no copy of them on disk."""
    originals = (full_model.load_blend_shape, full_model.load_data)
    full_model.load_blend_shape = read_target
    full_model.load_data = full_model.load_data.__wrapped__
    try:
        yield
    finally:
        full_model.load_blend_shape, full_model.load_data = originals


def read_target(
    filename: str, vertices_count: int, world_transformation: roma.Linear, dtype: torch.dtype
) -> torch.Tensor:
    """One shape target as (vertices_count, 3) offsets: the same as Anny's reader, 20 times faster.

    A target lists "vertex x y z" a line, for the vertices that move.
    """
    with gzip.open(filename, "rt") as lines:
        rows = np.array(lines.read().split(), dtype=np.float64).reshape(-1, 4)
    offsets = np.zeros((vertices_count, 3))
    offsets[rows[:, 0].astype(int)] = rows[:, 1:]
    return world_transformation.apply(torch.as_tensor(offsets, dtype=dtype))
