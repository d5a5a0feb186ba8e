"""A body with the numbers of SMPL-X, made of nothing but formulas: 10475 vertices, 20908 faces.

SMPL-X itself is licensed and cannot be shipped. What programs rely on is the same here: an adult in
a T-pose, in metres, y up, facing +z, x to the left, with its origin in the trunk; three surfaces,
a skin with an open socket for each eye and two closed eyeballs; the published landmarks at their
places; 55 joints, and a matrix that gives them from the vertices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

VERTICES, FACES = 10475, 20908
EYEBALL_VERTICES = 546
SKIN_VERTICES = VERTICES - 2 * EYEBALL_VERTICES
SOCKET_EDGES = 17
ORIGIN_M = 1.25  # of SMPL-X lies in the trunk, not on the floor

# Places in metres above the floor, of the left side where there are two.
_HIP, _KNEE, _ANKLE, _TOES = (
    (0.095, 0.89, 0),
    (0.1, 0.48, 0),
    (0.105, 0.08, -0.02),
    (0.115, 0.03, 0.13),
)
_SHOULDER, _ELBOW, _WRIST = (0.175, 1.4, -0.02), (0.44, 1.39, -0.03), (0.69, 1.39, -0.02)
_FINGERS = (0.85, 1.385, 0.0)
_EYE = (0.033, 1.62, 0.088)
_FINGERS_SPREAD = (
    ("index", 0.02), ("middle", 0.0), ("pinky", -0.03), ("ring", -0.015), ("thumb", 0.04),
)  # fmt: skip
_JOINTS = (  # what each hangs on, and its place
    ("pelvis", "", (0, 0.94, 0)), ("hip", "pelvis", _HIP), ("spine1", "pelvis", (0, 1.05, 0)),
    ("knee", "hip", _KNEE), ("spine2", "spine1", (0, 1.17, 0)), ("ankle", "knee", _ANKLE),
    ("spine3", "spine2", (0, 1.23, 0)), ("foot", "ankle", (0.112, 0.03, 0.08)),
    ("neck", "spine3", (0, 1.43, -0.015)), ("collar", "spine3", (0.06, 1.38, 0)),
    ("head", "neck", (0, 1.53, 0)), ("shoulder", "collar", _SHOULDER),
    ("elbow", "shoulder", _ELBOW), ("wrist", "elbow", _WRIST), ("jaw", "head", (0, 1.54, 0.02)),
    ("eye", "head", (0.033, 1.62, 0.076)),
)  # fmt: skip

LANDMARKS = {
    8976: (0, 1.73, 0.02),  # top of the head
    8847: (0.105, 0.0, -0.075),  # left heel
    8635: (-0.105, 0.0, -0.075),
    3572: (0.085, 1.27, 0.14),  # left nipple
    8340: (-0.085, 1.27, 0.14),
    5939: (0, 1.08, 0.12),  # belly button
    5941: (0, 1.08, -0.12),
    5949: (0, 0.9, 0.12),  # pubic bone
}  # fmt: skip
CROTCH, INSEAM = 3797, 5601
"""Numbers of vertices as published for SMPL-X (DavidBoja/SMPL-Anthropometry)."""

_CELL_M = 0.0175
_BLEND_M = 0.03
_TRUNK = np.array(  # height, half width, half depth
    [(0.84, 0.10, 0.06), (0.90, 0.165, 0.105), (0.97, 0.165, 0.11), (1.08, 0.145, 0.105),
     (1.18, 0.145, 0.105), (1.28, 0.155, 0.11), (1.36, 0.16, 0.095), (1.43, 0.12, 0.07),
     (1.48, 0.05, 0.05)]
)  # fmt: skip


@dataclass(frozen=True)
class Template:
    """Vertices (10475, 3) m, faces (20908, 3), joints (55, 3) m, parents (55,), the matrix (55,
    10475) from vertices to joints, weights (10475, 55), and directions of shape (10475, 3, 20)."""

    vertices: np.ndarray
    faces: np.ndarray
    joints: np.ndarray
    parents: np.ndarray
    regressor: np.ndarray
    weights: np.ndarray
    shape_directions: np.ndarray


@cache
def make_template() -> Template:
    """Makes the body; the same one always."""
    skin, faces = _net(_fill_diagonals(_cells()))
    skin = _settle(skin, faces)
    for side in (1, -1):
        skin, faces = _open_socket(skin, faces, np.array(_EYE) * (side, 1, 1))
    skin, faces = _refine(skin, faces, SKIN_VERTICES)
    order = _number(skin)
    rank = np.empty(len(skin), int)
    rank[order] = np.arange(len(skin))
    parts = [(skin[order], rank[faces]), *(_eyeball(side) for side in (1, -1))]
    starts = np.cumsum([0, *(len(part) for part, _ in parts)])
    vertices = np.concatenate([part for part, _ in parts])
    faces = np.concatenate([f + start for (_, f), start in zip(parts, starts, strict=False)])
    assert (len(vertices), len(faces)) == (VERTICES, FACES), (len(vertices), len(faces))
    joints, parents = _skeleton()
    weights = _weigh(vertices, joints, parents)
    return Template(
        vertices - (0, ORIGIN_M, 0),
        faces,
        joints - (0, ORIGIN_M, 0),
        parents,
        _regress(vertices, joints),
        weights,
        _directions(vertices, joints, parents),
    )


def _depth(points: np.ndarray) -> np.ndarray:
    """Roughly how far points lie outside of the skin, m; negative inside."""
    depth = _trunk(points)
    for part in _limbs(points):
        depth = _blend(depth, part)
    return np.maximum(depth, -points[:, 1])  # soles are flat


def _trunk(points: np.ndarray) -> np.ndarray:
    x, y, z = points.T
    inside = np.clip(y, *_TRUNK[[0, -1], 0])
    wide, deep = (np.interp(inside, _TRUNK[:, 0], _TRUNK[:, column]) for column in (1, 2))
    flat = np.sqrt((x / wide) ** 2 + (z / deep) ** 2 + 1e-12)
    return np.hypot(np.maximum((flat - 1) * deep, 0), y - inside) + np.minimum((flat - 1) * deep, 0)


def _limbs(points: np.ndarray) -> Iterator[np.ndarray]:
    mirrored = np.abs(points[:, [0]]) * (1, 0, 0) + points * (0, 1, 1)
    yield _cone(points, (0, 1.42, -0.015), (0, 1.55, 0.0), 0.056, 0.052)
    yield _ball(points, (0, 1.605, 0.02), (0.078, 0.118, 0.098))
    yield _cone(mirrored, _HIP, _KNEE, 0.085, 0.056)
    yield _cone(mirrored, _KNEE, _ANKLE, 0.054, 0.036)
    yield _cone(mirrored, (0.105, 0.035, -0.045), _TOES, 0.036, 0.034)
    yield _cone(mirrored, _SHOULDER, _ELBOW, 0.054, 0.042)
    yield _cone(mirrored, _ELBOW, _WRIST, 0.042, 0.029)
    flat = (1, 1.6, 1)  # hands are flat
    yield _cone(
        mirrored * flat, np.multiply(_WRIST, flat), np.multiply(_FINGERS, flat), 0.034, 0.036
    )
    yield _ball(mirrored, (0.085, 1.26, 0.085), (0.055, 0.055, 0.04))
    yield _ball(mirrored, (0.085, 0.91, -0.07), (0.08, 0.09, 0.06))


def _cone(points, start, end, start_radius: float, end_radius: float) -> np.ndarray:
    start, end = np.asarray(start, float), np.asarray(end, float)
    way = end - start
    share = np.clip((points - start) @ way / (way @ way), 0, 1)
    radius = start_radius + share * (end_radius - start_radius)
    return np.linalg.norm(points - start - share[:, None] * way, axis=1) - radius


def _ball(points, centre, radii) -> np.ndarray:
    scaled = (points - centre) / radii
    return (np.linalg.norm(scaled, axis=1) - 1) * min(radii)


def _blend(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    share = np.maximum(_BLEND_M - np.abs(one - other), 0) / _BLEND_M
    return np.minimum(one, other) - share**2 * _BLEND_M / 4


def _cells() -> np.ndarray:
    """Which cells of a grid over x, y, z lie inside the skin; those of one piece."""
    low, high = np.array([-0.95, -0.05, -0.25]), np.array([0.95, 1.8, 0.3])
    axes = [np.arange(a, b, _CELL_M) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    inside = (_depth(grid.reshape(-1, 3)) < 0).reshape(grid.shape[:3])
    whole = np.zeros_like(inside)
    whole[tuple(int((p - a) / _CELL_M) for p, a in zip((0, 1.1, 0), low, strict=True))] = True
    while True:
        grown = whole.copy()
        for axis in range(3):
            for step in (-1, 1):
                grown |= np.roll(whole, step, axis)
        grown &= inside
        if (grown == whole).all():
            return whole
        whole = grown


def _fill_diagonals(cells: np.ndarray) -> np.ndarray:
    """Fills cells until no two of them touch in an edge or a corner only."""
    steps = [np.array(step) for step in np.ndindex(2, 2, 2) if sum(step) > 1]
    while True:
        before = cells.sum()
        for step in steps:
            for signs in np.ndindex(2, 2, 2):
                way = step * (1 - 2 * np.array(signs))
                far = np.roll(cells, -way, (0, 1, 2))
                parts = [
                    np.roll(cells, -way * axis, (0, 1, 2))
                    for axis in np.eye(3, dtype=int)[step > 0]
                ]
                lonely = cells & far & ~np.any(parts, axis=0)
                first = np.eye(3, dtype=int)[step > 0][0]
                cells = cells | np.roll(lonely, way * first, (0, 1, 2))
        if cells.sum() == before:
            return cells


def _net(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The closed surface of the cells: vertices in metres, triangles."""
    quads = []
    for axis in range(3):
        u, v = np.eye(3, dtype=int)[[(axis + 1) % 3, (axis + 2) % 3]]
        for outwards in (-1, 1):
            found = np.argwhere(cells & ~np.roll(cells, -outwards, axis))
            corner = found + np.eye(3, dtype=int)[axis] * (outwards > 0)
            quads.append(
                np.stack([corner, corner + u, corner + u + v, corner + v][::outwards], axis=1)
            )
    corners, index = np.unique(np.concatenate(quads).reshape(-1, 3), axis=0, return_inverse=True)
    quad = index.reshape(-1, 4)
    faces = np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])
    return corners * _CELL_M + (-0.95, -0.05, -0.25) - _CELL_M / 2, faces


def _settle(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Spreads the vertices evenly over the skin."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = np.bincount(edges[:, 0], minlength=len(vertices))[:, None]
    for _ in range(12):
        total = np.stack(
            [np.bincount(edges[:, 0], vertices[edges[:, 1], a], len(vertices)) for a in range(3)], 1
        )
        vertices = _onto_skin(vertices + 0.6 * (total / count - vertices))
    return vertices


def _onto_skin(points: np.ndarray) -> np.ndarray:
    for _ in range(4):
        depth = _depth(points)
        slope = np.stack(
            [(_depth(points + e) - _depth(points - e)) / 2e-4 for e in np.eye(3) * 1e-4], axis=1
        )
        step = depth / np.maximum((slope**2).sum(axis=1), 0.25)
        points = points - np.clip(step, -0.02, 0.02)[:, None] * slope
    return points


def _open_socket(vertices, faces, place) -> tuple[np.ndarray, np.ndarray]:
    """Takes the skin away around one vertex, and gives the rim its number of edges."""
    middle = int(np.linalg.norm(vertices - place, axis=1).argmin())
    around = (faces == middle).any(axis=1)
    vertices = np.delete(vertices, middle, axis=0)
    faces, removed = faces[~around], int(around.sum())
    faces = faces - (faces > middle)
    for _ in range(SOCKET_EDGES - removed):
        edges, owners = np.unique(_edges(faces), axis=0, return_counts=True)
        rim = edges[owners == 1]
        rim = rim[np.linalg.norm(vertices[rim].mean(axis=1) - place, axis=1) < 0.05]
        longest = np.linalg.norm(vertices[rim[:, 0]] - vertices[rim[:, 1]], axis=1).argmax()
        vertices, faces = _split(vertices, faces, *rim[longest])
    return vertices, faces


def _edges(faces: np.ndarray) -> np.ndarray:
    """The three edges of each face, the smaller number first, (3 F, 2)."""
    return np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)


def _split(vertices, faces, one: int, other: int) -> tuple[np.ndarray, np.ndarray]:
    """Puts a vertex in the middle of an edge."""
    beside = (faces == one).any(axis=1) & (faces == other).any(axis=1)
    new = len(vertices)
    first, second = faces[beside].copy(), faces[beside].copy()
    first[first == one] = new
    second[second == other] = new
    middle = vertices[[one, other]].mean(axis=0)
    return np.vstack([vertices, middle]), np.concatenate([faces[~beside], first, second])


def _refine(vertices, faces, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits long edges, each between two faces of its own, until there are enough vertices."""
    while (lacking := count - len(vertices)) > 0:
        edges, owner = _edges(faces), np.tile(np.arange(len(faces)), 3)
        order = np.lexsort((owner, edges[:, 1], edges[:, 0]))
        edges, owner = edges[order], owner[order]
        pairs = np.flatnonzero((edges[:-1] == edges[1:]).all(axis=1))
        length = np.linalg.norm(vertices[edges[pairs, 0]] - vertices[edges[pairs, 1]], axis=1)
        taken, chosen = np.zeros(len(faces), bool), []
        for at in pairs[np.argsort(-length, kind="stable")][: 4 * lacking]:
            if not taken[owner[at : at + 2]].any() and len(chosen) < lacking:
                taken[owner[at : at + 2]] = True
                chosen.append(at)
        new = len(vertices) + np.arange(len(chosen))[:, None]
        one, other = edges[chosen].T
        halves = []
        for beside in (faces[owner[chosen]], faces[owner[np.array(chosen) + 1]]):
            halves += [np.where(beside == end[:, None], new, beside) for end in (one, other)]
        vertices = np.vstack([vertices, _onto_skin((vertices[one] + vertices[other]) / 2)])
        faces = np.concatenate([faces[~taken], *halves])
    return vertices, faces


def _number(skin: np.ndarray) -> np.ndarray:
    """An order of the vertices that puts the landmarks at their numbers."""
    wanted = {
        number: int(np.linalg.norm(skin - p, axis=1).argmin()) for number, p in LANDMARKS.items()
    }
    wanted[8976] = int(skin[:, 1].argmax())
    between = np.flatnonzero((np.abs(skin[:, 0]) < 0.01) & (skin[:, 1] > 0.6))
    wanted[CROTCH], wanted[INSEAM] = between[np.argsort(skin[between, 1])[:2]].tolist()
    others = iter(sorted(set(range(len(skin))) - set(wanted.values())))
    return np.array([wanted[n] if n in wanted else next(others) for n in range(len(skin))])


def _eyeball(side: int) -> tuple[np.ndarray, np.ndarray]:
    rings, around = 16, 34
    polar = np.pi * np.arange(1, rings + 1) / (rings + 1)
    angle = 2 * np.pi * np.arange(around) / around
    ball = np.stack(
        [np.outer(np.sin(polar), np.cos(angle)), np.outer(np.cos(polar), np.ones(around)),
         -np.outer(np.sin(polar), np.sin(angle))], axis=-1
    ).reshape(-1, 3)  # fmt: skip
    vertices = np.vstack([ball, [0, 1, 0], [0, -1, 0]]) * 0.012 + np.multiply(_EYE, (side, 1, 1))
    here = np.arange(around)
    there = np.roll(here, -1)
    faces = [np.stack([here, there, np.full(around, rings * around)], 1)]
    for ring in range(rings - 1):
        a, b = ring * around + here, ring * around + there
        faces += [np.stack([a, a + around, b], 1), np.stack([b, a + around, b + around], 1)]
    last = (rings - 1) * around
    faces.append(np.stack([last + there, last + here, np.full(around, rings * around + 1)], 1))
    return vertices - (0, 0, 0.012), np.concatenate(faces)


def _skeleton() -> tuple[np.ndarray, np.ndarray]:
    """Places of the 55 joints, and the joint that each hangs on, in the order of SMPL-X."""
    rows = [
        (side, part, parent, place)
        for part, parent, place in _JOINTS
        for side in (("left ", "right ") if place[0] else ("",))
    ]
    for side in ("left ", "right "):
        for finger, spread in _FINGERS_SPREAD:
            parents = ("wrist", f"{finger}1", f"{finger}2")
            for bone, parent in enumerate(parents, start=1):
                rows.append((side, f"{finger}{bone}", parent, (0.74 + 0.025 * bone, 1.387, spread)))
    names = [side + part for side, part, _, _ in rows]
    places = [np.multiply(at, (-1 if side == "right " else 1, 1, 1)) for side, _, _, at in rows]
    number = {name: at for at, name in enumerate(names)}
    parents = [number.get(side + above, number.get(above, -1)) for side, _, above, _ in rows]
    return np.array(places, float), np.array(parents)


def _regress(vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Weights of the nearest vertices that give each joint exactly, and sum to one."""
    matrix = np.zeros((len(joints), len(vertices)))
    for row, joint in zip(matrix, joints, strict=True):
        near = np.argsort(np.linalg.norm(vertices - joint, axis=1))[:200]
        equations = np.vstack([(vertices[near] - joint).T, np.ones(len(near))])
        row[near] = np.linalg.lstsq(equations, [0, 0, 0, 1], rcond=None)[0]
    return matrix


def _weigh(vertices, joints, parents) -> np.ndarray:
    """How much each vertex moves with each joint: by the distance to the bones below it."""
    distance = np.full((len(vertices), len(joints)), np.inf)
    for child, parent in enumerate(parents):
        if parent >= 0:
            bone = _cone(vertices, joints[parent], joints[child] + 1e-9, 0, 0)
            distance[:, parent] = np.minimum(distance[:, parent], bone)
    for leaf in set(range(len(joints))) - set(parents.tolist()):
        distance[:, leaf] = np.linalg.norm(vertices - joints[leaf], axis=1)
    closeness = np.exp(-(((distance - distance.min(axis=1, keepdims=True)) / 0.02) ** 2))
    return closeness / closeness.sum(axis=1, keepdims=True)


def _directions(vertices, joints, parents) -> np.ndarray:
    """What each coefficient of shape does: taller, thicker, and eight slight changes of the trunk;
    then ten of expression, which do nothing."""
    bones = [
        (joints[parent], joints[child] + 1e-9)
        for child, parent in enumerate(parents)
        if parent >= 0
    ]
    nearest = np.full(len(vertices), np.inf)
    outwards = np.zeros_like(vertices)
    for start, end in bones:
        way = end - start
        share = np.clip((vertices - start) @ way / (way @ way), 0, 1)
        offset = vertices - start - share[:, None] * way
        closer = np.linalg.norm(offset, axis=1) < nearest
        nearest[closer] = np.linalg.norm(offset[closer], axis=1)
        outwards[closer] = offset[closer]
    outwards[:, 1] *= (vertices[:, 1] > 0.1) & (vertices[:, 1] < 1.5)
    directions = np.zeros((len(vertices), 3, 20))
    directions[:, :, 0] = 0.03 * (vertices - (0, ORIGIN_M, 0))
    directions[:, :, 1] = 0.06 * outwards
    trunk = ((vertices[:, 1] > 0.85) & (vertices[:, 1] < 1.4) & (np.abs(vertices[:, 0]) < 0.2))[
        :, None
    ]
    for number in range(2, 10):
        wave = np.sin(np.pi * number * (vertices[:, [1]] - 0.85) / 0.55)
        directions[:, :, number] = 0.03 * outwards * wave * trunk * (1, 0, 1)
    return directions
