"""The body file: what goes in comes out, and what breaks the contract is refused by name."""

from __future__ import annotations

import io
import re
import resource
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tapeless.bodies import Body, InvalidBodyError


@pytest.fixture
def body() -> Body:
    """A tetrahedron that stands on the floor, seen in two frames."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
    return Body(
        vertices=vertices,
        faces=[[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]],
        joints=[[0.2, 0.3, 0.2]],
        joint_names=["root"],
        topology="anny",
        frames=["frame_000001", "frame_000003"],
        posed_vertices=np.stack([vertices, vertices + 3]),
        camera_focal_px=[500, 510],
        camera_center_px=[[320, 240], [320, 240]],
        backend="anny",
        backend_version="0.6.2",
        scale="known_height",
    )


def test_a_saved_body_is_read_back_as_it_was(body: Body, tmp_path: Path) -> None:
    body.save(tmp_path / "estimate_1.npz")

    again = Body.load(tmp_path / "estimate_1.npz")

    for name in ("vertices", "faces", "joints", "posed_vertices", "camera_center_px"):
        np.testing.assert_array_equal(getattr(again, name), getattr(body, name))
        assert getattr(again, name).dtype == getattr(body, name).dtype
    assert again.frames.tolist() == ["frame_000001", "frame_000003"]
    assert again.joint_names.tolist() == ["root"]
    assert (again.topology, again.scale) == ("anny", "known_height")
    assert (again.backend, again.backend_version) == ("anny", "0.6.2")


def test_arrays_have_the_types_of_the_contract(body: Body) -> None:
    assert body.vertices.dtype == np.float32
    assert body.faces.dtype == np.int32
    assert body.camera_focal_px.dtype == np.float32


def test_a_backend_without_posed_bodies_is_welcome(body: Body, tmp_path: Path) -> None:
    plain = replace(
        body,
        posed_vertices=np.empty((0, 4, 3)),
        camera_focal_px=np.empty(0),
        camera_center_px=np.empty((0, 2)),
    )

    plain.save(tmp_path / "plain.npz")

    assert Body.load(tmp_path / "plain.npz").posed_vertices.shape == (0, 4, 3)


def test_saving_leaves_only_the_file_itself(body: Body, tmp_path: Path) -> None:
    body.save(tmp_path / "estimate_1.npz")

    assert [p.name for p in tmp_path.iterdir()] == ["estimate_1.npz"]


def test_a_failed_save_keeps_the_old_file(
    body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "estimate_1.npz"
    body.save(path)
    before = path.read_bytes()

    def fill_the_disk(file: object, **_: object) -> None:
        file.write(b"half a file")  # type: ignore[attr-defined]
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez_compressed", fill_the_disk)
    with pytest.raises(OSError, match="no space"):
        body.save(path)

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertices": np.zeros((4, 2))}, r"vertices has shape \(4, 2\), allowed is \(V, 3\)"),
        ({"joint_names": ["a", "b"]}, r"joint_names has shape \(2,\), allowed is \(1\)"),
        ({"posed_vertices": np.zeros((2, 9, 3))}, r"posed_vertices has shape \(2, 9, 3\)"),
        ({"camera_focal_px": [500]}, r"camera_focal_px has shape \(1,\), allowed is \(2\)"),
        ({"frames": ["a", "b", "c"]}, "posed_vertices has 2 frames, allowed is 0 or the 3"),
        ({"faces": [[0, 1, 4]]}, r"faces has indices 0..4, allowed is 0..3"),
        ({"faces": np.empty((0, 3))}, "faces is empty"),
        ({"topology": "smpl"}, "topology is 'smpl', allowed is 'anny' or 'smplx'"),
        ({"scale": "guessed"}, "scale is 'guessed', allowed is 'known_height' or 'known_object'"),
        ({"joints": [[0, np.nan, np.inf]]}, "joints has 2 values that are not finite"),
        ({"vertices": np.eye(4, 3) + 1}, r"lowest point at y = 1.0000 m, allowed is 0"),
    ],
)
def test_a_body_that_breaks_the_contract_cannot_be_made(
    body: Body, change: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidBodyError, match=message):
        replace(body, **change)


def test_all_faults_are_named_at_once(body: Body) -> None:
    with pytest.raises(InvalidBodyError, match=r"topology.*scale"):
        replace(body, topology="smpl", scale="guessed")


def test_a_fault_in_a_file_names_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "estimate_2.npz", vertices=np.zeros((4, 3)))

    with pytest.raises(InvalidBodyError, match=r"estimate_2\.npz: no field .*faces"):
        Body.load(tmp_path / "estimate_2.npz")


@pytest.mark.parametrize("content", [b"", b"half a file", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_body_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "estimate_3.npz").write_bytes(content)

    with pytest.raises(InvalidBodyError, match=r"estimate_3\.npz: not a body file"):
        Body.load(tmp_path / "estimate_3.npz")


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    pickled = {name: np.array([object()]) for name in Body.__annotations__}
    np.savez(tmp_path / "estimate_4.npz", **pickled)

    with pytest.raises(InvalidBodyError, match="not a body file"):
        Body.load(tmp_path / "estimate_4.npz")


def test_an_archive_that_would_fill_the_memory_is_not_unpacked(body: Body, tmp_path: Path) -> None:
    """A few hundred kB that say to be a body of 600 MiB."""
    path = tmp_path / "estimate_5.npz"
    body.save(path)
    with np.load(path) as archive:
        content = dict(archive)
    content["vertices"] = np.broadcast_to(np.float32(0), (50 << 20, 3))
    np.savez_compressed(path, **content)
    assert path.stat().st_size < 2 << 20
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(InvalidBodyError, match=r"estimate_5\.npz.*holds 600 MiB, allowed"):
        Body.load(path)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50 << 10


def test_an_array_that_says_to_be_endless_is_refused(body: Body, tmp_path: Path) -> None:
    path = tmp_path / "estimate_6.npz"
    body.save(path)
    header = io.BytesIO()
    endless = {"descr": "<f4", "fortran_order": False, "shape": (10**13, 3)}
    np.lib.format.write_array_header_1_0(header, endless)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (parts | {"vertices.npy": header.getvalue()}).items():
            archive.writestr(name, content)

    with pytest.raises(InvalidBodyError, match=r"estimate_6\.npz: not a body file"):
        Body.load(path)


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        ("vertices", np.array([["a", "b", "c"]]), "vertices is of type <U1"),
        ("vertices", np.zeros((4, 3), complex), "vertices is of type complex128"),
        ("faces", np.zeros((4, 3)), "faces is of type float64"),
        ("joint_names", np.array([7]), "joint_names is of type int64"),
        ("scale", np.array("x" * 5000), "scale is 'xxx"),
    ],
)
def test_types_are_looked_at_before_anything_is_converted(
    body: Body, tmp_path: Path, name: str, array: np.ndarray, says: str
) -> None:
    path = tmp_path / "estimate_7.npz"
    body.save(path)
    with np.load(path) as archive:
        content = dict(archive)
    np.savez(path, **(content | {name: array}))

    with pytest.raises(InvalidBodyError, match=re.escape(says)):
        Body.load(path)
