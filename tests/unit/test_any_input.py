"""Whatever stands in a file that somebody brings, it is read, or refused by name: nothing else.

Sheet, configuration, OpenPose JSON and body file: right ones with a damage or two, and nonsense,
made up by hypothesis. Of what is nearly right, a good share must be read and another be refused, or
these tests would try one half of it only.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable
from operator import itemgetter
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
from tapeless.containers import ContainerError, Job, Mount
from tapeless.containers.images import locate_images
from tapeless.containers.jobs import make_plan
from tapeless.custom_measurements import with_custom
from tapeless.definitions import TABLE_FILE, load_definitions
from tapeless.doctor.disk import estimate_bytes
from tapeless.doctor.situation import Situation
from tapeless.keypoints import Person, PoseFileError, read_people
from tapeless.needs import describe_needs, find_image_faults, find_needs
from tapeless.video import Sampling
from tapeless.videosheet import read_sheet, read_videos

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


def count_kinds(strategy: st.SearchStrategy[Any], kind: Callable[[Any], object]) -> Counter[object]:
    """Of which kind a hundred examples are; always the same ones, if the same modules are loaded:
    Hypothesis draws from the constants in these, too."""
    found: list[object] = []

    @settings(few, max_examples=100, derandomize=True, database=None)
    @given(strategy)
    def look(example: Any) -> None:
        found.append(kind(example))

    look()
    return Counter(found)


@st.composite
def damaged(draw: st.DrawFn, right: st.SearchStrategy[Any], most: int = 2) -> Any:
    """Something right, of groups and lists, in which at most so many parts are something else."""
    whole = [copy.deepcopy(draw(right))]
    for _ in range(draw(st.integers(0, most))):
        group, key = whole, 0
        while isinstance(part := group[key], dict | list) and part and draw(st.integers(0, 5)):
            group = part
            key = draw(st.sampled_from(list(part) if isinstance(part, dict) else range(len(part))))
        match draw(st.sampled_from(["another", "gone", "twice"])):
            case "gone" if group is not whole:
                del group[key]
            case "twice" if isinstance(group, list) and group is not whole:
                group.insert(key, group[key])
            case _:
                group[key] = draw(ANYTHING)
    return whole[0]


def damaged_bytes(draw: st.DrawFn, content: bytes, likely: str) -> bytes:
    """A file in which at most two bytes are others, mostly likely ones."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(changed) - 1))
        is_likely = draw(st.integers(0, 3)) > 0
        changed[place] = draw(
            st.sampled_from(likely.encode()) if is_likely else st.integers(0, 255)
        )
    return bytes(changed)


# --- the configuration ------------------------------------------------------------------------

KNOWN_KEYS = SCHEMAS["config"]["properties"]
NET_RESOLUTION = KNOWN_KEYS["pose"]["properties"]["openpose"]["properties"]["net_resolution"]

POSES, SHAPES = (KNOWN_KEYS[stage]["properties"]["backend"]["enum"] for stage in ("pose", "shape"))


def right(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema asks for; of a group any of its keys."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema is NET_RESOLUTION:
        return st.sampled_from(["-1x368", "656x-1", "16x16", "-1x100"])
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([RIGHT[name](schema) for name in names])


def right_group(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "properties" not in schema:
        return st.dictionaries(TEXT, right(schema["additionalProperties"]), max_size=2)
    parts = {name: right(part) for name, part in schema["properties"].items()}
    required = {name: parts.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=parts)


def right_list(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    most = schema.get("maxItems", 1)
    return st.lists(right(schema["items"]), min_size=schema.get("minItems", 0), max_size=most)


def right_text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"])
    return st.text(st.characters(codec="utf-8"), min_size=schema.get("minLength", 0), max_size=12)


def right_number(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    low, is_open = schema.get("exclusiveMinimum"), "exclusiveMinimum" in schema
    low = low if is_open else schema.get("minimum", 0)
    return st.floats(low, schema.get("maximum", 1e6), exclude_min=is_open)


def right_integer(schema: dict[str, Any]) -> st.SearchStrategy[int]:
    return st.integers(schema["minimum"], schema.get("maximum", 100_000))


RIGHT: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "null": lambda _: st.none(),
    "boolean": lambda _: st.booleans(),
    "integer": right_integer,
    "number": right_number,
    "string": right_text,
    "array": right_list,
    "object": right_group,
}


def choose(config: dict[str, Any], pose: str, shape: str) -> dict[str, Any]:
    """With these backends, and the folders that they ask for, which few would have otherwise."""
    config.setdefault("pose", {})["backend"] = pose
    config.setdefault("shape", {})["backend"] = shape
    for stage, backend, key in (("pose", "openpose", "models"), ("shape", "shapy", "data")):
        own = config[stage].setdefault(backend, {})
        own[key] = own.get(key) or key
    return config


BACKENDS = map(st.sampled_from, (POSES, SHAPES))
CONFIGURATIONS = damaged(st.builds(choose, right(SCHEMAS["config"]), *BACKENDS))


class TestConfiguration:
    @few
    @given(CONFIGURATIONS | ANYTHING)
    def test_any_has_faults_or_can_be_run(self, tmp_path: Path, given_config: Any):
        """That it is a group of keys is what Snakemake sees to."""
        config, faults = self.read(given_config)
        assert all(isinstance(fault, str) and fault for fault in faults)
        if not faults:
            plan(config, tmp_path)

    def test_many_have_faults_and_of_every_backend_some_can_be_run(self):
        def kind(given_config: Any) -> object:
            config, faults = self.read(given_config)
            return not faults and (config["pose"]["backend"], config["shape"]["backend"])

        kinds = count_kinds(CONFIGURATIONS, kind)
        assert 4 <= kinds.pop(False) <= 75
        assert {backend for chosen in kinds for backend in chosen} == {*POSES, *SHAPES}

    @few
    @given(st.dictionaries(TEXT, ANYTHING, min_size=1, max_size=3))
    def test_no_unknown_key_goes_unsaid(self, unknown: dict[str, Any]):
        unknown = {key: value for key, value in unknown.items() if key not in KNOWN_KEYS}
        complete = with_defaults(unknown, SCHEMAS["config"])
        faults = find_config_faults(complete, SCHEMAS["config"])
        assert len([fault for fault in faults if fault.startswith("unknown key")]) == len(unknown)

    def read(self, given_config: Any) -> tuple[dict[str, Any], list[str]]:
        config = given_config if isinstance(given_config, dict) else {}
        complete = with_defaults(config, SCHEMAS["config"])
        return complete, find_config_faults(complete, SCHEMAS["config"])


def plan(config: dict[str, Any], folder: Path) -> None:
    """All that a run takes out of a configuration before its first job, and its jobs at first.

    What is not there, as folders and images, may be said; nothing else may be wrong.
    """
    config["containers"] = locate_images(config["containers"], ROOT)
    assert all(isinstance(fault, str) for fault in find_image_faults(config))
    if not Path(config["videos"]).is_dir():  # which may be that of all there is
        _, faults = read_videos(config, SCHEMAS["videos"])
        assert all(isinstance(fault, str) for fault in faults)
    sampling = {key: value for key, value in config["sampling"].items() if key != "ffmpeg"}
    assert Sampling(**sampling).frames >= config["selection"]["min_frames"] or sampling["fps"]
    with_custom(load_definitions(TABLE_FILE), config["measurements"]["custom"])
    assert math.isfinite(estimate_bytes(Situation(config, ROOT), 1000))
    try:
        describe_needs(config)
        for needs in find_needs(config).values():
            if needs.program:
                make_plan(Job(needs.program, (), (Mount(folder),), {}), config["containers"])
    except ContainerError as refusal:
        assert str(refusal)


# --- the sheet --------------------------------------------------------------------------------

COLUMNS = SCHEMAS["videos"]["properties"]
IDS = ("walk", "Anna-2", "_3.b", "4")
FILES = st.sampled_from([str(ROOT / name) for name in ("README.md", "Snakefile")])
ODD = st.sampled_from(["", " ", "1e999", "nan", "-0", "female", "1,7", "\u0664", "walk", '"'])
Rows = list[list[str]]


@st.composite
def right_rows(draw: st.DrawFn) -> Rows:
    """A sheet without fault, its first line too."""
    others = [name for name in COLUMNS if name not in ("video", "path")]
    columns = draw(st.permutations(["video", "path", *draw(st.sets(st.sampled_from(others)))]))
    rows = [columns]
    for video in IDS[: draw(st.integers(1, len(IDS)))]:
        cells = {name: draw(st.just("") | right(COLUMNS[name])) for name in columns}
        cells |= {"video": video, "path": draw(FILES)}
        if not (cells.get("object_height_cm") and cells.get("object_height_px")):
            cells |= {"object_height_cm": "", "object_height_px": ""}
        if "" not in (cells.get("start_s", ""), end_s := cells.get("end_s", "")):
            cells["start_s"] = end_s / 2
        rows.append([str(cells[name]) for name in columns])
    return rows


@st.composite
def damaged_rows(draw: st.DrawFn) -> Rows:
    """The same, in which at most two cells, or names of columns, are others."""
    rows = draw(right_rows())
    for _ in range(draw(st.integers(0, 2))):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, len(row) - 1))] = draw(ODD | TEXT)
    return rows


def as_sheet(rows: Rows) -> bytes:
    text = io.StringIO()
    csv.writer(text, dialect="excel-tab").writerows(rows)
    return text.getvalue().encode()


@st.composite
def damaged_sheets(draw: st.DrawFn) -> bytes:
    """A sheet in which a few bytes are others."""
    return damaged_bytes(draw, as_sheet(draw(right_rows())), likely='019.-e\t\n"')


class TestSheet:
    @few
    @given(st.binary(max_size=300) | TEXT.map(str.encode) | damaged_sheets())
    def test_any_bytes_are_videos_or_faults(self, tmp_path: Path, content: bytes):
        self.read(tmp_path, content)

    @few
    @given(damaged_rows())
    def test_any_rows_are_videos_as_they_stand_there_or_faults(self, tmp_path: Path, rows: Rows):
        videos, faults = self.read(tmp_path, as_sheet(rows))
        if faults:
            return
        given_rows = [dict(zip(rows[0], row, strict=True)) for row in rows[1:] if any(row)]
        assert list(videos) == [row["video"].strip() for row in given_rows]
        for video, row in zip(videos.values(), given_rows, strict=True):
            for name, cell in row.items():
                assert getattr(video, name.strip()) == meant_by(cell, name.strip())

    def test_many_rows_are_videos_and_many_have_faults(self, tmp_path: Path):
        for sheets in (damaged_rows().map(as_sheet), damaged_sheets()):
            kinds = count_kinds(sheets, lambda sheet: bool(self.read(tmp_path, sheet)[0]))
            assert min(kinds[True], kinds[False]) >= 4

    def read(self, folder: Path, content: bytes) -> tuple[dict[str, Any], list[str]]:
        (folder / "videos.tsv").write_bytes(content)
        videos, faults = read_sheet(folder / "videos.tsv", SCHEMAS["videos"], {})
        assert not (videos and faults)
        for video in videos.values():
            assert Path(video.path).is_file()
            assert video.height_cm is None or math.isfinite(video.height_cm)
        return videos, faults


def meant_by(cell: str, column: str) -> str | float | None:
    """What a cell without fault says."""
    if COLUMNS[column]["type"] == "number":
        return float(cell) if cell.strip() else None
    return (cell if column == "path" else cell.strip()) or None


# --- OpenPose's JSON --------------------------------------------------------------------------

POINTS = arrays(np.float64, 75, elements=st.floats(0, 1e5, width=32)).map(np.ndarray.tolist)
PERSON = st.fixed_dictionaries({"pose_keypoints_2d": POINTS, "face_keypoints_2d": st.just([])})
RIGHT_POSE = st.fixed_dictionaries(
    {"version": st.just(1.3), "people": st.lists(PERSON, min_size=1, max_size=2)}
)


@st.composite
def damaged_pose_files(draw: st.DrawFn) -> tuple[Any, bytes]:
    """What OpenPose wrote, and that as a file in which a few bytes are others."""
    whole = draw(RIGHT_POSE)
    content = json.dumps(whole).encode()
    return whole, damaged_bytes(draw, content, likely="0123456789.")


class TestOpenPoseFile:
    @few
    @given(damaged(RIGHT_POSE) | ANYTHING)
    def test_any_json_is_the_people_that_it_holds_or_refused(self, tmp_path: Path, content: Any):
        people = self.read(tmp_path, json.dumps(content).encode())
        if people is not None:
            written = [person["pose_keypoints_2d"] for person in content["people"]]
            assert [person.points.ravel().tolist() for person in people] == written

    @few
    @given(st.binary(max_size=200))
    def test_any_bytes_are_people_or_refused(self, tmp_path: Path, content: bytes):
        self.read(tmp_path, content)

    @few
    @given(damaged_pose_files())
    def test_a_damaged_file_is_all_but_a_few_numbers_or_refused(
        self, tmp_path: Path, damaged_file: tuple[Any, bytes]
    ):
        whole, content = damaged_file
        people = self.read(tmp_path, content)
        if people is not None:
            written = np.array([person["pose_keypoints_2d"] for person in whole["people"]])
            read = np.array([person.points.ravel() for person in people])
            assert np.count_nonzero(read != written) <= 2

    def test_many_files_hold_people_and_many_are_refused(self, tmp_path: Path):
        jsons = damaged(RIGHT_POSE).map(json.dumps).map(str.encode)
        for files in (jsons, damaged_pose_files().map(itemgetter(1))):
            kinds = count_kinds(files, lambda content: bool(self.read(tmp_path, content)))
            assert min(kinds[True], kinds[False]) >= 4

    def test_a_file_nested_without_end_is_refused(self, tmp_path: Path):
        assert self.read(tmp_path, b"[" * 100_000) is None

    def test_a_number_of_many_digits_is_refused(self, tmp_path: Path):
        numbers = b"9" * 5000
        content = b'{"people": [{"pose_keypoints_2d": [' + numbers + b"]}]}"
        assert self.read(tmp_path, content) is None

    def read(self, folder: Path, content: bytes) -> list[Person] | None:
        """The people in a file, None if it is refused."""
        (folder / "read.json").write_bytes(content)
        try:
            people = read_people(folder / "read.json")
        except PoseFileError as refusal:
            assert "read.json" in str(refusal)
            return None
        assert all(np.isfinite(person.points).all() for person in people)
        return people


# --- the body file ----------------------------------------------------------------------------


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
