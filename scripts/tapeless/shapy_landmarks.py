"""SHAPY's own landmarks, read from the user's download: its licence lets nobody hand them on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEFINITIONS_FILE = "utility_files/measurements/measurement_defitions.yaml"  # spelled so
LANDMARKS_FILE = "utility_files/measurements/smplx_measurements.yaml"

POINTS = ("HeadTop", "HeelLeft")
"""Landmarks that SHAPY names itself."""
RINGS = ("CW_p", "BW_p", "IW_p")
"""Keys of its definitions (chest, waist, hips): the first of each list is a landmark's name."""

_WEIGHTS_TOLERANCE = 0.015  # thirds, rounded to 0.33


class InvalidLandmarksError(ValueError):
    """A landmark file that is not as SHAPY's is; the message names it, and says what to do."""


@dataclass(frozen=True)
class Landmark:
    """A point of the surface: the number of a triangle, and how much of each of its corners."""

    face: int
    weights: tuple[float, float, float]


def find_landmark_files(data: Path) -> list[Path]:
    """The two files below the folder `data` of a SHAPY download, definitions first.

    None unless both are there: SHAPY's measurements are an extra that needs both.
    """
    files = [data / DEFINITIONS_FILE, data / LANDMARKS_FILE]
    return files if all(file.is_file() for file in files) else []


def load_landmarks(definitions: Path, landmarks: Path) -> dict[str, Landmark]:
    """Reads SHAPY's landmarks.

    Returns:
        A landmark for each of `POINTS` and of `RINGS`. Their weights add up to 1.

    Raises:
        InvalidLandmarksError: naming the file and everything that is wrong with it.
    """
    lists, places = _read_mapping(definitions), _read_mapping(landmarks)
    _check(definitions, _definition_faults(lists))
    names = {name: name for name in POINTS} | {key: lists[key][0] for key in RINGS}
    _check(landmarks, _place_faults(places, dict.fromkeys(names.values())))
    return {key: _landmark(places[name]) for key, name in names.items()}


def _read_mapping(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        _check(path, [f"it is no YAML ({' '.join(str(error).split())})"])
    if not isinstance(content, dict):
        _check(path, [f"it holds a {type(content).__name__}, allowed are names with values"])
    return dict(content)


def _check(path: Path, faults: Iterable[str]) -> None:
    if found := list(faults):
        raise InvalidLandmarksError(
            f"{path}: {'; '.join(found)}. Unpack the file again from SHAPY's download "
            "(shapy_data.zip), or remove it: then SHAPY's own measurements are left out"
        )


def _definition_faults(lists: Mapping[str, Any]) -> Iterator[str]:
    for key in RINGS:
        value = lists.get(key)
        if not isinstance(value, list) or not value or not isinstance(value[0], str):
            yield f"{key} is {value!r}, allowed is a list that starts with the name of a landmark"


def _place_faults(places: Mapping[str, Any], names: Mapping[str, None]) -> Iterator[str]:
    for name in names:
        try:
            landmark = _landmark(places[name])
        except (KeyError, TypeError, ValueError):
            yield (
                f"landmark {name} is {places.get(name)!r}, allowed are face_idx, a whole number,"
                " and bc, three numbers that add up to 1"
            )
            continue
        if landmark.face < 0:
            yield f"landmark {name} has face_idx {landmark.face}, allowed is 0 or more"


def _landmark(place: Mapping[str, Any]) -> Landmark:
    """Raises KeyError, TypeError or ValueError if it is none."""
    face = place["face_idx"]
    first, second, third = (float(weight) for weight in place["bc"])
    total = first + second + third
    if not isinstance(face, int) or not abs(total - 1) <= _WEIGHTS_TOLERANCE:
        raise ValueError(place)
    return Landmark(face, (first / total, second / total, third / total))
