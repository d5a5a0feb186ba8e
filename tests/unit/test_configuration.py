"""The configuration: defaults, and faults in words that a person can act on."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tapeless.configuration import find_config_faults, with_defaults
from tapeless.shape.anny_needs import FRAMES_PER_ESTIMATE

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text(encoding="utf-8"))


def faults_of(**given: Any) -> list[str]:
    return find_config_faults(with_defaults(given, SCHEMA), SCHEMA)


def leaves(schema: dict[str, Any], above: str = "") -> dict[str, dict[str, Any]]:
    """Every key of the schema by its dotted name, but for Snakemake's own."""
    found = {}
    for key, part in schema["properties"].items():
        if key == "pathvars":
            continue
        if "properties" in part:
            found |= leaves(part, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = part
    return found


def test_an_empty_configuration_is_complete_and_right():
    assert faults_of() == []


def test_the_shipped_configuration_says_what_the_defaults_are():
    shipped = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    assert shipped == with_defaults({}, SCHEMA)


def test_defaults_fill_a_group_that_is_given_in_part():
    complete = with_defaults({"sampling": {"frames": 12}}, SCHEMA)
    assert complete["sampling"]["frames"] == 12
    assert complete["sampling"]["longest_side_px"] == 600


def test_completing_leaves_the_original_alone():
    given: dict[str, Any] = {"sampling": {}}
    with_defaults(given, SCHEMA)["sampling"]["frames"] = 1
    assert given == {"sampling": {}}
    assert SCHEMA["properties"]["sampling"]["properties"]["frames"]["default"] == 24


@pytest.mark.parametrize("name", leaves(SCHEMA))
def test_every_key_has_a_description_a_type_and_a_default_that_is_right(name: str):
    key = leaves(SCHEMA)[name]
    assert key["description"].endswith(".")
    assert {"type", "default"} <= key.keys()


@pytest.mark.parametrize("name", leaves(SCHEMA))
def test_every_key_is_explained_in_the_manual(name: str):
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    default = leaves(SCHEMA)[name]["default"]
    written = yaml.safe_dump(default, default_flow_style=True).split("\n")[0]
    said = "empty" if default is None else written
    rows = re.findall(rf"^\| `{re.escape(name)}` \| `?([^|`]*)`? \|", manual, re.MULTILINE)
    assert rows == [said]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"keep_frame": True}, "unknown key keep_frame (did you mean keep_frames?)"),
        ({"sampling": {"frmaes": 3}}, "unknown key sampling.frmaes (did you mean frames?)"),
        ({"sampling": {"frames": 2.5}}, "sampling.frames must be a whole number, is 2.5"),
        ({"sampling": {"frames": 0}}, "sampling.frames must be from 1 to 1000, is 0"),
        ({"sampling": {"frames": "many"}}, "sampling.frames must be a whole number, is 'many'"),
        ({"sampling": {"frames": True}}, "sampling.frames must be a whole number, is True"),
        ({"sampling": {"fps": 0}}, "sampling.fps must be more than 0, is 0"),
        ({"sampling": {"rotate": 45}}, "sampling.rotate must be one of 0, 90, 180, 270, is 45"),
        ({"sampling": {"start_s": float("nan")}}, "sampling.start_s must be a finite number"),
        ({"sampling": None}, "sampling must be a group of keys, is empty"),
        ({"keep_frames": "often"}, "keep_frames must be true or false, is 'often'"),
        ({"pose": {"backend": "alphapose"}}, "pose.backend must be one of mediapipe"),
        ({"videos": ["a", "b"]}, "videos must be text, is ['a', 'b']"),
        ({"videos": ""}, "videos must be given, is ''"),
        ({"pathvars": {"results": 3}}, "pathvars.results must be text, is 3"),
        ({"pathvars": {"results": ""}}, "pathvars.results must be given, is ''"),
        (
            {"sampling.ffmpeg": OrderedDict(a=1)},
            "unknown key sampling.ffmpeg (write 'sampling={ffmpeg: {a: 1}}' after --config, or "
            "sampling: {ffmpeg: {a: 1}} in a file)",
        ),
        ({"pathvars": {"result": "x"}}, "unknown key pathvars.result (did you mean results?)"),
        (
            {"containers": {"ulimits": {"stack": "big"}}},
            "containers.ulimits.stack must be a",
        ),
        (
            {"containers": {"volumes": ["/d"]}},
            "containers.volumes.0 must be a group",
        ),
        ({"containers": {"volumes": [{}]}}, "containers.volumes.0 must be a group with source, is"),
        (
            {"pose": {"openpose": {"net_resolution": "368"}}},
            "pose.openpose.net_resolution must",
        ),
        *(
            (
                {
                    "pose": {
                        "backend": "openpose",
                        "openpose": {"models": "models", "net_resolution": size},
                    }
                },
                "pose.openpose.net_resolution must be of multiples of 16",
            )
            for size in ("-1x370", "650x368", "-1x-1")
        ),
        (
            {"sampling": {"ffmpeg": "container"}, "containers": {"runtime": "host"}},
            "sampling.ffmpeg must be host with containers.runtime: host",
        ),
        ({"pose": {"backend": "openpose"}}, "pose.openpose.models must be given with pose.backend"),
        (
            {"shape": {"backend": "shapy"}},
            "shape.shapy.data must be given with shape",
        ),
        (
            {"sampling": {"start_s": 5, "end_s": 4}},
            "sampling.start_s (5) must be before sampling.end_s (4)",
        ),
        (
            {"sampling": {"frames": 5}},
            "selection.min_frames (6) must not exceed sampling.frames (5)",
        ),
        (
            {"shape": {"estimates": 4}},
            "selection.min_frames (6) must be at least 8: each of the 4 bodies of shape.estimates",
        ),
    ],
)
def test_a_fault_names_the_key_what_it_must_be_and_what_it_is(given: Any, fault: str):
    (found,) = faults_of(**given)
    assert found.startswith(fault)


def test_all_people_take_a_detector_that_keeps_more_than_one():
    openpose = {"models": "/opt/models", "number_people_max": 1}
    given = {"people": "all", "pose": {"backend": "openpose", "openpose": openpose}}
    (fault,) = faults_of(**given)
    assert fault.startswith("pose.openpose.number_people_max must be empty, or more than 1")
    openpose["number_people_max"] = 2
    assert faults_of(**given) == []


def test_the_reference_route_is_asked_for_in_one_file_that_lacks_nothing_but_the_downloads():
    given = yaml.safe_load((ROOT / "config/reference.yaml").read_text(encoding="utf-8"))
    assert [fault.split()[0] for fault in faults_of(**given)] == [
        "pose.openpose.models",
        "shape.shapy.data",
    ]
    given["pose"]["openpose"]["models"] = "/opt/openpose/models"
    given["shape"]["shapy"]["data"] = "/opt/shapy/data"
    assert faults_of(**given) == []


def test_what_only_another_backend_minds_is_no_fault():
    few = {"sampling": {"frames": 4}, "selection": {"min_frames": 4}}
    assert faults_of(shape={"backend": "shapy", "shapy": {"data": "data"}}, **few) == []
    assert faults_of(pose={"openpose": {"net_resolution": "1x1"}}) == []


def test_all_faults_are_said_at_once():
    wrong = {"bluur": True, "pose": None, "sampling": {"frames": -1, "rotate": 1}}
    assert len(faults_of(**wrong, selection={"min_frames": 2})) == 5


def test_frames_a_second_lift_the_limit_on_the_number_of_frames():
    assert faults_of(sampling={"frames": 1, "fps": 2}) == []


def test_the_fit_needs_as_many_frames_a_body_as_the_configuration_asks_for():
    from tapeless.shape.anny import MIN_FRAMES_PER_ESTIMATE

    assert FRAMES_PER_ESTIMATE == MIN_FRAMES_PER_ESTIMATE


def test_other_folders_may_be_named():
    folders = {name: f"/data/{name}" for name in ("results", "logs", "benchmarks", "resources")}
    assert faults_of(pathvars=folders) == []


@pytest.mark.parametrize("given", [3.0, "3.0", "3"])
def test_a_whole_number_is_one_however_it_is_written(given: object):
    estimates = with_defaults({"shape": {"estimates": given}}, SCHEMA)["shape"]["estimates"]
    assert (estimates, type(estimates)) == (3, int)


def test_a_number_that_may_have_decimals_keeps_them():
    complete = with_defaults({"sampling": {"fps": 2.0, "frames": 2.5}}, SCHEMA)
    assert type(complete["sampling"]["fps"]) is float
    assert complete["sampling"]["frames"] == 2.5


def test_numbers_from_the_command_line_arrive_as_text_and_become_numbers():
    complete = with_defaults({"sampling": {"frames": "12", "fps": "null"}}, SCHEMA)
    assert complete["sampling"]["frames"] == 12
    assert complete["sampling"]["fps"] is None


def test_a_sheet_is_switched_off_with_null_also_on_the_command_line():
    assert with_defaults({"sheet": None}, SCHEMA)["sheet"] is None
    assert with_defaults({"sheet": "null"}, SCHEMA)["sheet"] is None


@pytest.mark.parametrize(
    ("stage", "backend", "needed"),
    [("pose", "openpose", {"models": "/m"}), ("shape", "shapy", {"data": "/d"})],
)
def test_pictures_of_a_backend_are_kept_only_with_the_frames(
    stage: str, backend: str, needed: dict[str, str]
):
    """They show faces, which `keep_frames: false` promises not to keep."""
    asked: dict[str, Any] = {stage: {"backend": backend, backend: {**needed, "pictures": True}}}
    (fault,) = faults_of(**asked)
    assert fault.startswith(f"{stage}.{backend}.pictures would keep pictures of people")
    assert faults_of(**asked, keep_frames=True) == []
    assert faults_of(**{stage: {backend: {"pictures": True}}}) == []  # not the backend chosen
