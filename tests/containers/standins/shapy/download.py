"""A SHAPY download that is none: every file that SHAPY needs, made up, and the body of template.py.

A body model of 10 shapes and 10 expressions, as the first SMPL-X had them, without pose correctives
and facial landmarks, which nothing here reads. As in the real one, some entries are pickled: to
read those runs code.
"""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path

import numpy as np

from .template import make_template

CHECKPOINT = "trained_models/shapy/SHAPY_A/checkpoints/best_checkpoint"
BODY_MODEL = "body_models/smplx/SMPLX_NEUTRAL.npz"
DEFINITIONS = "utility_files/measurements/measurement_defitions.yaml"  # spelled so
LANDMARKS = "utility_files/measurements/smplx_measurements.yaml"

_RINGS = {"CW_p": "NippleRight", "BW_p": "BellyButton", "IW_p": "Crotch"}
_VERTICES = {"HeadTop": 8976, "HeelLeft": 8847, "NippleRight": 8340, "BellyButton": 5939,
             "Crotch": 3797}  # fmt: skip
_WEIGHTS = (0.5, 0.3, 0.2)


class _Bomb:
    """Fails whoever unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return importlib.import_module, ("what_nobody_should_run",)


def make_download(folder: Path) -> Path:
    """Fills `folder` like the folder "data" of SHAPY; returns it."""
    for name in (CHECKPOINT, BODY_MODEL, DEFINITIONS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / CHECKPOINT).write_bytes(b"PK\x03\x04 weights of a stand-in")
    _write_body_model(folder / BODY_MODEL)
    (folder / DEFINITIONS).write_text(
        "".join(f"{key}:\n- {name}\n- unused\n" for key, name in _RINGS.items())
    )
    _write_landmarks(folder / LANDMARKS)
    for name in ("expose_release/data/all_means.pkl", "expose_release/data/SMPLX_to_J14.pkl"):
        _make(folder / name).write_bytes(pickle.dumps({}))
    ids = _make(folder / "expose_release/utility_files/flame/SMPL-X__FLAME_vertex_ids.npy")
    np.save(ids, np.arange(5023))
    for gender in ("female", "male"):
        np.savez(
            _make(folder / f"utility_files/shape_priors/{gender}_normal.npz"), mean=np.zeros(10)
        )
    np.savez(_make(folder / "utility_files/smplx/smplx_correspondences.npz"), closest_faces=[0])
    return folder


def _make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_body_model(path: Path) -> None:
    body = make_template()
    parents = np.where(body.parents < 0, 2**32 - 1, body.parents).astype(np.uint32)
    np.savez_compressed(
        path,
        v_template=body.vertices,
        shapedirs=body.shape_directions.astype(np.float32),
        f=body.faces.astype(np.uint32),
        J_regressor=body.regressor,
        weights=body.weights.astype(np.float32),
        kintree_table=np.stack([parents, np.arange(55, dtype=np.uint32)]),
        joint2num=np.array({"Pelvis": _Bomb()}, dtype=object),
    )


def _write_landmarks(path: Path) -> None:
    """Each landmark lies in a triangle that has its vertex as a corner."""
    body = make_template()
    lines = []
    for name, vertex in _VERTICES.items():
        number = int(np.flatnonzero((body.faces == vertex).any(axis=1))[-1])
        corners = body.faces[number].tolist()
        weights = [_WEIGHTS[(place - corners.index(vertex)) % 3] for place in range(3)]
        lines.append(f"{name}:\n  bc: {weights}\n  face_idx: {number}\n")
    path.write_text("".join(lines))
