"""The body file: a person's unposed surface, its joints, and where they come from.

One `estimate_N.npz` holds one estimate of one person. Whatever measures or draws a body needs this
file and nothing else, whichever backend wrote it.
"""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from tapeless.anatomy import TOPOLOGIES, Topology

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Names = npt.NDArray[np.str_]
Scale = Literal["known_height", "known_object", "known_distance", "estimated"]

SCALES: tuple[str, ...] = get_args(Scale)
"""Where the size of a body may come from, the best source first."""

_FLOOR_TOLERANCE_M = 0.001
_SHAPES: dict[str, tuple[str | int, ...]] = {
    "vertices": ("V", 3),
    "faces": ("F", 3),
    "joints": ("J", 3),
    "joint_names": ("J",),
    "frames": ("N",),
    "posed_vertices": ("P", "V", 3),
    "camera_focal_px": ("P",),
    "camera_center_px": ("P", 2),
}
# Types other than float32.
_TYPES: dict[str, Any] = {"faces": np.int32, "joint_names": np.str_, "frames": np.str_}
_MAX_BYTES = 512 << 20
"""What is unpacked of a file at most: a body in 1000 frames takes 160 MiB."""
_ALLOWED = {"topology": TOPOLOGIES, "scale": SCALES}


# What arrays of a file may hold, by numpy's letters, to become one of these types.
_KINDS: dict[Any, str] = {np.float32: "fiu", np.int32: "iu", np.str_: "U"}
# What zipfile, zlib and numpy raise of an archive that is damaged, wherever it is.
_DAMAGES = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, struct.error, tokenize.TokenError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip


class InvalidBodyError(ValueError):
    """A body that breaks the contract; the message lists every fault, and the file if there is one.

    It is the program that is at fault here, never the video.
    """


@dataclass(frozen=True, eq=False)
class Body:
    """One estimate of a person's body.

    Lengths are metres. Arrays are converted to the types below; a body that breaks the contract
    cannot be made.

    Attributes:
        vertices: (V, 3) float32, unposed; y up, feet at y = 0, facing +z, x to the person's left.
        faces: (F, 3) int32, triangles whose normals point outwards.
        joints: (J, 3) float32, in the frame of `vertices`.
        joint_names: (J,) the body model's own names of the joints.
        topology: what the numbers of the vertices mean, see `anatomy.TOPOLOGIES`.
        frames: (N,) names of the frames that the estimate rests on.
        posed_vertices: (N, V, 3) float32, the body as seen in each frame, in that frame's camera
            coordinates (x right, y down, z forward); (0, V, 3) when the backend has none.
        camera_focal_px: (N,) float32, or (0,) without `posed_vertices`. A point is seen at
            u = focal * x / z + center.
        camera_center_px: (N, 2) float32, or (0, 2) without `posed_vertices`.
        backend: what made the estimate, such as "anny".
        backend_version: its version.
        scale: where the size comes from, see `SCALES`.

    Raises:
        InvalidBodyError: naming every faulty field, what was seen and what is allowed.
    """

    vertices: Floats
    faces: Ints
    joints: Floats
    joint_names: Names
    topology: Topology
    frames: Names
    posed_vertices: Floats
    camera_focal_px: Floats
    camera_center_px: Floats
    backend: str
    backend_version: str
    scale: Scale

    def __post_init__(self) -> None:
        for name in _SHAPES:
            array: npt.NDArray[Any] = np.asarray(
                getattr(self, name), dtype=_TYPES.get(name, np.float32)
            )
            object.__setattr__(self, name, array)
        faults = list(_shape_faults(self)) or list(_value_faults(self))
        if faults:
            raise InvalidBodyError("; ".join(faults))

    def save(self, path: Path) -> None:
        """Writes the body to `path` (`.npz`); a file that is there stays whole until the end."""
        unfinished = path.with_name(f".{path.name}.unfinished")
        with unfinished.open("wb") as file:
            np.savez_compressed(file, **{f.name: getattr(self, f.name) for f in fields(self)})
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> Body:
        """Reads a body file; nothing in it is executed.

        Raises:
            InvalidBodyError: naming the file and its faults.
            OSError: if the file cannot be read.
        """
        try:
            content = _read_arrays(path)
            return cls(**content)
        except InvalidBodyError as error:
            raise InvalidBodyError(f"{path}: {error}") from error


def _read_arrays(path: Path) -> dict[str, Any]:
    names = [field.name for field in fields(Body)]
    _check_size(path.stat().st_size)
    file = io.BytesIO(path.read_bytes())  # so that no OSError is the file's fault
    try:
        with zipfile.ZipFile(file) as packed:
            _check_size(sum(part.file_size for part in packed.infolist()))
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            content = {name: archive[name] for name in names if name in archive}
    except InvalidBodyError:
        raise
    except _DAMAGES as error:
        raise InvalidBodyError(f"not a body file ({error})") from error
    if missing := [name for name in names if name not in content]:
        raise InvalidBodyError(f"no field {', '.join(missing)}")
    for name in _SHAPES:
        kinds = _KINDS[_TYPES.get(name, np.float32)]
        if (dtype := content[name].dtype).kind not in kinds:
            raise InvalidBodyError(f"{name} is of type {dtype}, which is not of the kind {kinds}")
    return {name: array if name in _SHAPES else str(array) for name, array in content.items()}


def _check_size(size: int) -> None:
    if size > _MAX_BYTES:
        allowed = f"allowed are {_MAX_BYTES >> 20} MiB"
        raise InvalidBodyError(f"not a body file (it holds {size >> 20} MiB, {allowed})")


def _shape_faults(body: Body) -> Iterator[str]:
    sizes: dict[str, int] = {}
    for name, expected in _SHAPES.items():
        shape = getattr(body, name).shape
        allowed = tuple(
            sizes.get(size, size) if isinstance(size, str) else size for size in expected
        )
        fits = len(shape) == len(allowed) and all(
            isinstance(want, str) or seen == want for seen, want in zip(shape, allowed, strict=True)
        )
        if not fits:
            yield f"{name} has shape {shape}, allowed is ({', '.join(map(str, allowed))})"
            continue
        sizes |= {s: n for s, n in zip(expected, shape, strict=True) if isinstance(s, str)}
    posed, frames = sizes.get("P", 0), sizes.get("N", 0)
    if posed not in (0, frames):
        yield f"posed_vertices has {posed} frames, allowed is 0 or the {frames} of frames"


def _value_faults(body: Body) -> Iterator[str]:
    for name, allowed in _ALLOWED.items():
        if getattr(body, name) not in allowed:
            yield f"{name} is {getattr(body, name)!r}, allowed is {' or '.join(map(repr, allowed))}"
    for name in _SHAPES:
        array = getattr(body, name)
        if array.dtype == np.float32 and not np.isfinite(array).all():
            yield f"{name} has {np.count_nonzero(~np.isfinite(array))} values that are not finite"
    count = len(body.vertices)
    if len(body.faces) == 0:
        yield "faces is empty, allowed is at least one triangle"
    elif body.faces.min() < 0 or body.faces.max() >= count:
        yield f"faces has indices {body.faces.min()}..{body.faces.max()}, allowed is 0..{count - 1}"
    elif abs(lowest := float(body.vertices[:, 1].min())) > _FLOOR_TOLERANCE_M:
        yield f"vertices has its lowest point at y = {lowest:.4f} m, allowed is 0 (the floor)"
