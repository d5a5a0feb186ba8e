"""The configuration: filled up with the schema's defaults, and every fault said at once.

A fault is a sentence for a person, not a dump of a schema: which key, what it must be, what it is.
"""

from __future__ import annotations

import copy
import difflib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tapeless.custom_measurements import find_custom_faults
from tapeless.needs import STAGES, find_backend_needs

Schema = Mapping[str, Any]

_TYPE_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "empty",
    "number": "a number",
    "object": "a group of keys",
    "string": "text",
}


def with_defaults(config: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """A copy of `config` in which every key that the schema knows has its value or its default.

    Snakemake hands numbers inside a group over as text when they come from its command line
    (`--config 'sampling={"frames": 12}'`): what reads as the type that the schema wants becomes it.
    So does a whole number that is written as 3.0.
    """
    complete = dict(copy.deepcopy(config))
    for key, part in schema.get("properties", {}).items():
        if any("default" in below for below in part.get("properties", {}).values()):
            group = complete.get(key, {})
            complete[key] = with_defaults(group, part) if isinstance(group, Mapping) else group
        elif "default" in part:
            given = complete.get(key, copy.deepcopy(part["default"]))
            complete[key] = _make_whole(_read_text(given, part), part)
    return complete


def _read_text(value: object, schema: Schema) -> object:
    if isinstance(value, list):
        return [_read_text(item, schema.get("items", {})) for item in value]
    if isinstance(value, Mapping) and (parts := schema.get("properties")):
        return {key: _read_text(item, parts.get(key, {})) for key, item in value.items()}
    if "type" not in schema:
        return value
    if not isinstance(value, str) or ("string" in schema["type"] and value != "null"):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _make_whole(value: object, schema: Schema) -> object:
    if isinstance(value, float) and value.is_integer() and "integer" in schema["type"]:
        return int(value)
    return value


def find_config_faults(config: Mapping[str, Any], schema: Schema) -> list[str]:
    """Every fault of a configuration, each as one sentence; none means that it can be run.

    `config` has its defaults already (see `with_defaults`).
    """
    faults = find_faults(config, schema)

    def number(group: str, key: str) -> int | float | None:
        """The value of a key, None if it is empty or has a fault of its own."""
        given = config[group]
        if not isinstance(given, Mapping) or any(f.startswith(f"{group}.{key} ") for f in faults):
            return None
        return cast(int | float | None, given[key])

    return [
        *faults,
        *_find_impossible_combinations(number),
        *_find_faults_of_backends(config, _faulty_groups(config, schema)),
        *_find_too_few_people(config),
        *_find_pictures_to_keep(config, _faulty_groups(config, schema)),
        *_find_no_container(config),
        *_find_faults_of_measurements(config, _faulty_groups(config, schema)),
    ]


def _faulty_groups(config: Mapping[str, Any], schema: Schema) -> set[str]:
    """The groups of the configuration that break the schema somewhere."""
    errors = Draft202012Validator(schema).iter_errors(config)
    return {str(error.absolute_path[0]) for error in errors if error.absolute_path}


def _askable_stages(faulty: set[str]) -> list[str]:
    """The stages whose backend can say what it needs: the groups that it reads are well formed."""
    return [stage for stage in STAGES if not faulty & {stage, "selection"}]


def _find_pictures_to_keep(config: Mapping[str, Any], faulty: set[str]) -> Iterator[str]:
    """A backend's own pictures show people as the frames do, which are not to be kept."""
    if config["keep_frames"] is not False:
        return
    for stage in _askable_stages(faulty):
        if find_backend_needs(stage, config).kept_pictures:
            key = f"{stage}.{config[stage]['backend']}.pictures"
            yield (
                f"{key} would keep pictures of people, faces not blurred, which "
                f"keep_frames: false promises not to: set keep_frames: true, or {key}: false"
            )


def _find_faults_of_backends(config: Mapping[str, Any], faulty: set[str]) -> Iterator[str]:
    """What the chosen backends find, in groups that are of the right form."""
    for stage in _askable_stages(faulty):
        needs = find_backend_needs(stage, config)
        if (downloads := needs.downloads) and downloads.folder is None:
            yield (
                f"{downloads.key} must be given with {stage}.backend: {config[stage]['backend']}; "
                f"{downloads.page} says where it comes from"
            )
        yield from needs.faults


def _find_faults_of_measurements(config: Mapping[str, Any], faulty: set[str]) -> list[str]:
    """What no schema can say of the user's own measurements, if they are of the right form."""
    is_readable = "measurements" in config and "measurements" not in faulty
    return find_custom_faults(config["measurements"]["custom"]) if is_readable else []


def _find_too_few_people(config: Mapping[str, Any]) -> Iterator[str]:
    """An OpenPose that keeps one person a frame leaves nobody else to measure."""
    pose = config["pose"]
    openpose = pose.get("openpose") if isinstance(pose, Mapping) else None
    if (
        config["people"] == "all"
        and isinstance(openpose, Mapping)
        and pose.get("backend") == "openpose"
        and openpose.get("number_people_max") == 1
    ):
        yield (
            "pose.openpose.number_people_max must be empty, or more than 1, with people: all; is 1"
        )


def _find_no_container(config: Mapping[str, Any]) -> Iterator[str]:
    """An ffmpeg in a container needs something that runs containers."""
    sampling, containers = config["sampling"], config["containers"]
    if (
        isinstance(sampling, Mapping)
        and isinstance(containers, Mapping)
        and sampling.get("ffmpeg") == "container"
        and containers.get("runtime") == "host"
    ):
        yield (
            "sampling.ffmpeg must be host with containers.runtime: host, is 'container'; or choose "
            "the runtime docker or apptainer"
        )


def find_faults(value: object, schema: Schema) -> list[str]:
    """Every way in which `value` breaks the JSON schema, each as one sentence."""
    errors = Draft202012Validator(schema).iter_errors(value)
    ordered = sorted(errors, key=lambda error: [str(step) for step in error.absolute_path])
    faults = [sentence for error in ordered for sentence in _describe(error)]
    return faults + [f"{name} must be a finite number" for name in _find_endless(value)]


def _describe(error: ValidationError) -> Iterator[str]:
    name = ".".join(str(step) for step in error.absolute_path)
    if error.validator == "additionalProperties":
        known = _schema_of(error)["properties"]
        given: Mapping[object, object] = cast(Any, error.instance)
        for key in sorted((key for key in given if key not in known), key=str):
            path = [*map(str, error.absolute_path), *str(key).split(".")]
            is_path = _has_key(_schema_of(error), str(key).split("."))
            hint = _write_out(path, given[key]) if is_path else did_you_mean(str(key), known)
            yield f"unknown key {f'{name}.' if name else ''}{key}{hint}"
        return
    yield f"{name or 'the configuration'} must be {_describe_demand(error)}, is {_show(error)}"


def _has_key(schema: Schema, path: Sequence[str]) -> bool:
    """Whether there is a key below the one before, and so on, from a group with this schema."""
    part: Schema | None = schema
    for key in path:
        part = part.get("properties", {}).get(key) if part else None
    return part is not None


def _write_out(path: Sequence[str], value: object) -> str:
    """What to add to "unknown key a.b": how a key in a group is written."""
    value = json.loads(json.dumps(value, default=str))  # Snakemake's groups may be no plain ones
    for key in reversed(path[1:]):
        value = {key: value}
    flow = yaml.safe_dump(value, default_flow_style=True, width=math.inf).strip()
    return f" (write '{path[0]}={flow}' after --config, or {path[0]}: {flow} in a file)"


def _describe_demand(error: ValidationError) -> str:
    schema = _schema_of(error)
    demand = schema[str(error.validator)]
    match error.validator:
        case "type":
            names = [demand] if isinstance(demand, str) else demand
            return " or ".join(_TYPE_NAMES[name] for name in names)
        case "enum":
            return f"one of {', '.join(map(str, demand))}"
        case "minimum" | "maximum":
            return _describe_range(schema)
        case "exclusiveMinimum":
            return f"more than {demand}"
        case "minItems" | "maxItems":
            return f"a list of {demand}"
        case "minLength":
            return "given"
        case "required":
            return f"a group with {' and '.join(demand)}"
        case "pattern":
            return str(schema.get("x-pattern", f"of the form {demand}"))
    return f"such that {error.validator} is {demand}"


def _schema_of(error: ValidationError) -> dict[str, Any]:
    """The part of the schema that was broken."""
    assert isinstance(error.schema, dict)
    return error.schema


def _describe_range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None:
        return f"at most {high}"
    if high is None:
        return f"at least {low}"
    return f"from {low} to {high}"


def _show(error: ValidationError) -> str:
    if error.instance is None:
        return "empty"
    number = isinstance(error.instance, float)
    text = f"{error.instance:g}" if number else repr(error.instance)
    return text if len(text) <= 60 else f"{text[:57]}..."


def did_you_mean(key: str, known: Iterable[str]) -> str:
    """What to add to "unknown ...": the known name closest to `key`, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(key, known, n=1)
    return f" (did you mean {close[0]}?)" if close else f" (known: {', '.join(known)})"


def _find_endless(value: object, name: str = "") -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield name
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _find_endless(part, f"{name}.{key}" if name else str(key))


def _find_impossible_combinations(
    number: Callable[[str, str], int | float | None],
) -> Iterator[str]:
    start_s, end_s = number("sampling", "start_s"), number("sampling", "end_s")
    frames, fps = number("sampling", "frames"), number("sampling", "fps")
    min_frames = number("selection", "min_frames")
    if start_s is not None and end_s is not None and start_s >= end_s:
        yield f"sampling.start_s ({start_s}) must be before sampling.end_s ({end_s})"
    if fps is None and min_frames is not None and frames is not None and min_frames > frames:
        yield (
            f"selection.min_frames ({min_frames}) must not exceed sampling.frames ({frames}): "
            "no video would ever have enough"
        )
