"""Solids of known girths and volumes, dressed up as bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tapeless.anatomy import Anatomy, Rule
from tapeless.bodies import Body
from tapeless.measurements import Table, load_table

ARM = ("shoulder", "elbow", "hand")
HANGING_ARM = ((0.25, 1.4, 0.0), (0.45, 1.2, 0.0), (0.65, 1.0, 0.0))  # an A-pose
SPINE = ((0.0, 1.7, 0.0), (0.0, 0.5, 0.0))
ARMS_HELD_OUT = ((0.15, 1.4, 0.0), (0.75, 1.4, 0.0))  # a T-pose

Solid = tuple[np.ndarray, np.ndarray]  # vertices, faces


def stack(heights, half_width, half_depth, *, across=0.0, corners=720) -> Solid:
    """A closed stack of ellipses: half axes and place along x at each height."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    columns = np.broadcast_arrays(heights, half_width, half_depth, across)
    rings = [
        np.stack([x + a * np.sin(angle), np.full(corners, y), b * np.cos(angle)], axis=1)
        for y, a, b, x in zip(*columns, strict=True)
    ]
    low, high = (rings[end].mean(axis=0) for end in (0, -1))
    vertices = np.concatenate([*rings, [low, high]])
    here = np.arange(corners)
    there = np.roll(here, -1)
    faces = []
    for ring in range(len(rings) - 1):
        a, b = ring * corners + here, ring * corners + there
        faces += [np.stack([a, b, b + corners], 1), np.stack([a, b + corners, a + corners], 1)]
    top, count = (len(rings) - 1) * corners, len(rings) * corners
    faces.append(np.stack([there, here, np.full(corners, count)], 1))
    faces.append(np.stack([top + here, top + there, np.full(corners, count + 1)], 1))
    return vertices, np.concatenate(faces)


def rod(start, end, radii, *, corners=120) -> Solid:
    """A closed round rod from one point to another, with these radii on the way."""
    start, end = np.array(start, float), np.array(end, float)
    axis = (end - start) / np.linalg.norm(end - start)
    aside = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    aside /= np.linalg.norm(aside)
    length = np.linalg.norm(end - start)
    vertices, faces = stack(np.linspace(0, length, len(radii)), radii, radii, corners=corners)
    return vertices @ np.stack([np.cross(axis, aside), axis, aside]) + start, faces


def torus(radius: float, thickness: float, *, corners=360) -> Solid:
    """A closed ring around the y axis; `radius` is that of the middle of its tube."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    around, along = np.meshgrid(angle, angle, indexing="ij")
    reach = radius + thickness * np.cos(along)
    vertices = np.stack(
        [reach * np.sin(around), thickness * np.sin(along), reach * np.cos(around)], axis=-1
    ).reshape(-1, 3)
    here = np.arange(corners**2).reshape(corners, corners)
    right, up = np.roll(here, -1, 0), np.roll(here, -1, 1)
    corner = np.roll(right, -1, 1)
    quads = [here, right, corner], [here, corner, up]
    return vertices, np.concatenate([np.stack(quad, axis=-1).reshape(-1, 3) for quad in quads])


def blocks(solid_cells: Sequence[tuple[slice, slice, slice]], edge: float) -> Solid:
    """A closed surface around cubes of a grid, given as boxes of whole cells (x, y, z)."""
    grid = np.zeros((40, 40, 40), bool)
    for box in solid_cells:
        grid[box] = True
    quads = []
    for axis in range(3):
        u, v = np.eye(3, dtype=int)[[(axis + 1) % 3, (axis + 2) % 3]]
        for outwards in (-1, 1):
            cells = np.argwhere(grid & ~np.roll(grid, -outwards, axis))
            corner = cells + np.eye(3, dtype=int)[axis] * (outwards > 0)
            loop = [corner, corner + u, corner + u + v, corner + v]
            quads.append(np.stack(loop[::outwards], axis=1))
    corners, index = np.unique(np.concatenate(quads).reshape(-1, 3), axis=0, return_inverse=True)
    quad = index.reshape(-1, 4)
    return corners * edge, np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])


def together(*solids: Solid) -> Solid:
    """Solids beside one another, as one surface."""
    vertices, faces, count = [], [], 0
    for solid_vertices, solid_faces in solids:
        vertices.append(solid_vertices)
        faces.append(solid_faces + count)
        count += len(solid_vertices)
    return np.concatenate(vertices), np.concatenate(faces)


def as_body(solid: Solid, arm=HANGING_ARM, spine=SPINE) -> Body:
    """A solid as a body: with a spine along y and an arm on each side."""
    vertices, faces = solid
    arm = np.array(arm)
    joints = {f"left_{n}": place for n, place in zip(ARM, arm, strict=True)}
    joints |= {f"right_{n}": place * (-1, 1, 1) for n, place in zip(ARM, arm, strict=True)}
    joints |= dict(zip(("head", "root"), np.array(spine), strict=True))
    return Body(
        vertices=vertices,
        faces=faces,
        joints=np.array(list(joints.values())),
        joint_names=np.array(list(joints)),
        topology="anny",
        frames=np.array([], dtype=np.str_),
        posed_vertices=np.empty((0, len(vertices), 3)),
        camera_focal_px=np.empty(0),
        camera_center_px=np.empty((0, 2)),
        backend="test",
        backend_version="1",
        scale="known_height",
    )


def table_for(body: Body, heights: Mapping[str, float]) -> Table:
    """tapeless' own definitions, with landmarks at the vertices nearest to these heights."""
    nearest = {
        name: (int(np.abs(body.vertices[:, 1] - height).argmin()),)
        for name, height in heights.items()
    }
    arms = tuple(tuple(f"{side}_{name}" for name in ARM) for side in ("left", "right"))
    joints = {"head": "head", "pelvis": "root"}
    for side in ("left", "right"):
        joints |= {f"{side}_{name}": f"{side}_{name}" for name in ("shoulder", "elbow")}
        joints[f"{side}_wrist"] = f"{side}_hand"
    trunk = (("head", "root"),)
    anatomy = Anatomy(len(body.vertices), "made by a test", nearest, arms, trunk, joints)
    return replace(load_table(), topologies={"anny": anatomy})


def as_smplx(solid: Solid, heights: Mapping[str, float], arm=ARMS_HELD_OUT, spine=SPINE) -> Body:
    """A solid with the number of vertices, the landmarks and the joints of SMPL-X.

    The landmarks `bust`, `navel` and `crotch` are at these heights. Vertices that are left over
    belong to no face.
    """
    anatomy = load_table().topologies["smplx"]
    vertices = np.zeros((anatomy.vertices, 3))
    places = {n: list(p) for n, p in anatomy.landmarks.items() if not isinstance(p, Rule)}
    for name, height in heights.items():
        vertices[places[name], 1] = height
    taken = [number for numbers in places.values() for number in numbers]
    free = np.setdiff1d(np.arange(anatomy.vertices), taken)[: len(solid[0])]
    vertices[free] = solid[0]
    joints = {}
    for chain, side in zip(anatomy.arms, (1, -1), strict=True):
        joints |= _along(chain, np.array(arm) * (side, 1, 1))
    for chain in anatomy.trunk:
        joints |= _along(chain, np.array(spine))
    return replace(
        as_body(solid),
        vertices=vertices,
        faces=free[solid[1]],
        joints=np.array(list(joints.values())),
        joint_names=np.array(list(joints)),
        topology="smplx",
        frames=np.array(["frame_000001"]),
        posed_vertices=np.empty((0, len(vertices), 3)),
        backend="shapy",
    )


def _along(names: Sequence[str], ends: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(names, np.linspace(*ends, len(names)), strict=True))
