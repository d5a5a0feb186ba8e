"""SHAPY's own five measurements, by the procedure that its authors document.

They are taken on the unposed body of SMPL-X, on the CPU and without SHAPY's code, from landmarks of
the user's download (`shapy_landmarks.py`). Their definitions are `shapy_measurements` of the table.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tapeless.bodies import Body, InvalidBodyError
from tapeless.measurements import load_table
from tapeless.shapy_landmarks import InvalidLandmarksError, Landmark
from tapeless.tape import Cut, Floats, Ints, Tape, loops_at
from tapeless.units import DENSITY_KG_M3
from tapeless.volume import signed_volume

TOPOLOGY = "smplx"
"""The topology of the bodies that SHAPY's landmarks are on."""

PLANE_REACH_M = 1.0
"""Half the side of the square that bodies are cut with, around the origin in x and z."""

_ARMS_IN_TAPE = 1.05
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))

log = logging.getLogger(__name__)


def measure_as_shapy(body: Body, landmarks: Mapping[str, Landmark]) -> dict[str, float]:
    """SHAPY's measurements of a body of topology `TOPOLOGY`: SI values by name.

    Where the tape of a ring goes around more than the torso, as when the underside of an arm
    reaches its plane, the number stays SHAPY's and the log has a warning.

    Args:
        body: x and z as SHAPY has them, for the square is around their origin.
        landmarks: from `load_landmarks`.

    Raises:
        InvalidBodyError: if there is no body where the landmarks say.
        InvalidLandmarksError: if a landmark is on a triangle that the body does not have.
    """
    surface = _Surface(body)
    anatomy = load_table().topologies[body.topology]
    tape = Tape(body, anatomy.arms, anatomy.trunk)
    values = {}
    for record in load_table().shapy_measurements:
        points = [surface.find(name, landmarks[name]) for name in record.landmarks]
        values[record.name] = ALGORITHMS[record.kind](surface, points)
        if record.kind == "ring":
            _compare_with_torso(body, tape, float(points[0][1]), record.name, values[record.name])
    return values


class _Surface:
    """Triangles in double precision."""

    def __init__(self, body: Body) -> None:
        self.vertices: Floats = body.vertices.astype(np.float64)
        self.faces: Ints = body.faces.astype(np.intp)

    def find(self, name: str, landmark: Landmark) -> Floats:
        """Where a landmark is, (3,)."""
        if landmark.face >= len(self.faces):
            raise InvalidLandmarksError(
                f"landmark {name} is on triangle {landmark.face}, but the body has"
                f" {len(self.faces)}: the landmarks are not those of its model, {TOPOLOGY}"
            )
        return np.asarray(landmark.weights) @ self.vertices[self.faces[landmark.face]]


def cut_as_shapy(vertices: Floats, faces: Ints, level: float) -> Cut:
    """All that a horizontal square of 2 m, around the origin in x and z, cuts of a surface.

    Raises:
        InvalidBodyError: if it meets nothing.
    """
    loops = loops_at(vertices, faces, level)
    cut = Cut(np.concatenate([np.empty((0, 2, 2)), *(loop.segments for loop in loops)]))
    for side in _SIDES:
        cut = cut.within(np.asarray(side, float), PLANE_REACH_M)
    if len(cut.segments) == 0:
        raise InvalidBodyError(
            f"there is no body at a height of {level:.3f} m, {PLANE_REACH_M:g} m around the origin"
        )
    return cut


def _distance(_surface: _Surface, points: Sequence[Floats]) -> float:
    top, bottom = points
    return abs(float(top[1] - bottom[1]))


def _ring(surface: _Surface, points: Sequence[Floats]) -> float:
    (point,) = points
    return cut_as_shapy(surface.vertices, surface.faces, float(point[1])).taut


def _tetrahedra(surface: _Surface, _points: Sequence[Floats]) -> float:
    return abs(signed_volume(surface.vertices[surface.faces])) * DENSITY_KG_M3


ALGORITHMS: dict[str, Callable[[_Surface, Sequence[Floats]], float]] = {
    "distance": _distance,
    "ring": _ring,
    "tetrahedra": _tetrahedra,
}
"""How each kind of measurement of SHAPY's is taken, in SI units, from where its landmarks are."""


def _compare_with_torso(body: Body, tape: Tape, level: float, name: str, girth: float) -> None:
    try:
        torso = tape.torso(level).taut
    except InvalidBodyError as error:
        reason = f"there is no comparing it with the torso alone: {error}"
    else:
        if girth <= _ARMS_IN_TAPE * torso:
            return
        reason = f"the torso alone has {torso:.3f} m there, so that an arm lies in the tape"
    log.warning(
        "%s of %s is %.3f m as SHAPY measures it, but %s. %s leaves arms out.",
        name,
        ", ".join(body.frames.tolist()) or "a body",
        girth,
        reason,
        name.removeprefix("shapy_"),
    )
