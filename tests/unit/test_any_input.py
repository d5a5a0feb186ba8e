"""Whatever stands in a file that somebody brings, it is read, or refused by name: nothing else.

Sheet, configuration, OpenPose JSON and body file, made up by hypothesis, and damaged by it.
"""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from projects import ROOT
from tapeless.bodies import Body, InvalidBodyError
from tapeless.configuration import find_config_faults, with_defaults
from tapeless.keypoints import Person, PoseFileError, read_people, write_people
from tapeless.videosheet import read_sheet

SCHEMAS = {
    name: yaml.safe_load((ROOT / f"schemas/{name}.schema.yaml").read_text(encoding="utf-8"))
    for name in ("config", "videos")
}
few = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
ANYTHING = st.recursive(
    SCALARS,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(TEXT, part, max_size=4),
    max_leaves=12,
)
FINITE = st.floats(0, 1000, width=32)


def near(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values much like what a schema asks for, and now and then anything else."""
    if parts := schema.get("properties"):
        known = {name: near(part) for name, part in parts.items()}
        return st.fixed_dictionaries({}, optional=known) | ANYTHING
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | SCALARS
    return ANYTHING


class TestConfiguration:
    @few
    @given(near(SCHEMAS["config"]))
    def test_any_has_faults_or_can_be_run(self, given_config: Any):
        """That it is a group of keys is what Snakemake sees to."""
        config = given_config if isinstance(given_config, dict) else {}
        complete = with_defaults(config, SCHEMAS["config"])
        faults = find_config_faults(complete, SCHEMAS["config"])
        assert all(isinstance(fault, str) and fault for fault in faults)

    @few
    @given(st.dictionaries(TEXT, ANYTHING, min_size=1, max_size=3))
    def test_no_unknown_key_goes_unsaid(self, unknown: dict[str, Any]):
        unknown = {key: value for key, value in unknown.items() if key not in KNOWN_KEYS}
        complete = with_defaults(unknown, SCHEMAS["config"])
        faults = find_config_faults(complete, SCHEMAS["config"])
        assert len([fault for fault in faults if fault.startswith("unknown key")]) == len(unknown)


KNOWN_KEYS = SCHEMAS["config"]["properties"]
COLUMNS = st.sampled_from([*SCHEMAS["videos"]["properties"], "nonsense"])
CELLS = st.sampled_from(["", "170", "1e999", "nan", "-0", "female", "1,7", "\u0664"]) | TEXT


class TestSheet:
    @few
    @given(st.binary(max_size=300) | TEXT.map(str.encode))
    def test_any_bytes_are_videos_or_faults(self, tmp_path: Path, content: bytes):
        self.read(tmp_path, content)

    @few
    @given(
        st.lists(COLUMNS, max_size=6, unique=True),
        st.lists(st.lists(CELLS, max_size=6), max_size=4),
    )
    def test_any_rows_are_videos_or_faults(
        self, tmp_path: Path, columns: list[str], rows: list[list[str]]
    ):
        lines = ["\t".join(cells) for cells in (["video", "path", *columns], *rows)]
        self.read(tmp_path, "\n".join(lines).encode())

    def read(self, folder: Path, content: bytes) -> None:
        (folder / "videos.tsv").write_bytes(content)
        videos, faults = read_sheet(folder / "videos.tsv", SCHEMAS["videos"], {})
        assert not (videos and faults)
        for video in videos.values():
            assert Path(video.path).is_file()
            assert video.height_cm is None or math.isfinite(video.height_cm)


POINTS = arrays(np.float64, (25, 3), elements=st.floats(0, 1e5, width=32))
PERSON = st.fixed_dictionaries(
    {}, optional={"pose_keypoints_2d": st.lists(FINITE, min_size=74, max_size=76) | ANYTHING}
)


class TestOpenPoseFile:
    @few
    @given(st.fixed_dictionaries({"people": st.lists(PERSON | ANYTHING, max_size=3)}) | ANYTHING)
    def test_any_json_is_people_or_refused(self, tmp_path: Path, content: Any):
        self.read(tmp_path, json.dumps(content).encode())

    @few
    @given(st.binary(max_size=200))
    def test_any_bytes_are_people_or_refused(self, tmp_path: Path, content: bytes):
        self.read(tmp_path, content)

    @few
    @given(st.lists(POINTS, max_size=3), st.data())
    def test_a_damaged_file_is_people_or_refused(
        self, tmp_path: Path, people: list[Any], data: st.DataObject
    ):
        write_people(tmp_path / "pose.json", [Person(points) for points in people])
        content = bytearray((tmp_path / "pose.json").read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        self.read(tmp_path, bytes(content))

    def test_a_file_nested_without_end_is_refused(self, tmp_path: Path):
        self.read(tmp_path, b"[" * 100_000)

    def test_a_number_of_many_digits_is_refused(self, tmp_path: Path):
        self.read(tmp_path, b'{"people": [{"pose_keypoints_2d": [' + b"9" * 5000 + b"]}]}")

    def read(self, folder: Path, content: bytes) -> None:
        (folder / "read.json").write_bytes(content)
        try:
            people = read_people(folder / "read.json")
        except PoseFileError as refusal:
            assert "read.json" in str(refusal)
            return
        assert all(np.isfinite(person.points).all() for person in people)


def a_body(**changes: Any) -> dict[str, Any]:
    """The fields of a tetrahedron that stands on the floor, but for what is changed."""
    fields = {
        "vertices": np.float32([[0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]),
        "faces": np.int32([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]]),
        "joints": np.float32([[0.2, 0.3, 0.2]]),
        "joint_names": np.array(["root"]),
        "topology": np.array("anny"),
        "frames": np.array(["frame_000001"]),
        "posed_vertices": np.empty((0, 4, 3), np.float32),
        "camera_focal_px": np.empty(0, np.float32),
        "camera_center_px": np.empty((0, 2), np.float32),
        "backend": np.array("anny"),
        "backend_version": np.array("1"),
        "scale": np.array("estimated"),
    }
    return fields | changes


ARRAYS = arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.bool_, np.dtype("U3"), np.complex64]),
    array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


class TestBodyFile:
    @few
    @given(st.dictionaries(st.sampled_from(list(a_body())), ARRAYS, min_size=1, max_size=2))
    def test_any_fields_are_a_body_or_refused(self, tmp_path: Path, changes: dict[str, Any]):
        with io.BytesIO() as file:
            np.savez_compressed(file, **a_body(**changes))
            self.read(tmp_path, file.getvalue())

    @few
    @given(st.data())
    def test_a_damaged_file_is_the_same_body_or_refused(self, tmp_path: Path, data: st.DataObject):
        with io.BytesIO() as file:
            np.savez_compressed(file, **a_body())
            content = bytearray(file.getvalue())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        body = self.read(tmp_path, bytes(content))
        if body is not None:
            np.testing.assert_array_equal(body.vertices, a_body()["vertices"])

    @few
    @given(st.binary(max_size=200), st.integers(0, 3000))
    def test_a_file_cut_off_or_made_up_is_refused(self, tmp_path: Path, noise: bytes, length: int):
        with io.BytesIO() as file:
            np.savez_compressed(file, **a_body())
            whole = file.getvalue()
        assert self.read(tmp_path, noise) is None
        assert (self.read(tmp_path, whole[:length]) is None) == (length < len(whole))

    def read(self, folder: Path, content: bytes) -> Body | None:
        """The body of a file, None if it is refused."""
        (folder / "body.npz").write_bytes(content)
        try:
            body = Body.load(folder / "body.npz")
        except InvalidBodyError as refusal:
            assert "body.npz" in str(refusal)
            return None
        assert np.isfinite(body.vertices).all()
        return body
