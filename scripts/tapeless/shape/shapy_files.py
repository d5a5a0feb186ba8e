"""What SHAPY needs of its user's own downloads, and what of it is missing.

SHAPY itself goes on without its checkpoint: with random weights, a warning and exit status 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tapeless.checksums import checksum_file
from tapeless.downloads import MissingFile, MissingFilesError

CHECKPOINT = "trained_models/shapy/SHAPY_A/checkpoints/best_checkpoint"
BODY_MODEL = "body_models/smplx/SMPLX_NEUTRAL.npz"

_SHAPY = "shapy_data.zip from shapy.is.tue.mpg.de (SHAPY account)"
_SMPLX = "SMPL-X from smpl-x.is.tue.mpg.de (SMPL-X account)"

_NEEDED = {
    CHECKPOINT: ("trained weights of SHAPY", _SHAPY),
    BODY_MODEL: ("neutral body model", _SMPLX),
    "expose_release/data/all_means.pkl": ("mean pose", _SHAPY),
    "expose_release/data/SMPLX_to_J14.pkl": ("joint regressor", _SHAPY),
    "expose_release/utility_files/flame/SMPL-X__FLAME_vertex_ids.npy": ("head vertices", _SHAPY),
    "utility_files/measurements/measurement_defitions.yaml": ("definitions of tapes", _SHAPY),
    "utility_files/measurements/smplx_measurements.yaml": ("landmarks", _SHAPY),
    "utility_files/shape_priors/female_normal.npz": ("shape prior, women", _SHAPY),
    "utility_files/shape_priors/male_normal.npz": ("shape prior, men", _SHAPY),
    "utility_files/smplx/smplx_correspondences.npz": ("mirrored vertices", _SHAPY),
}
"""What it is and where it comes from, by its path in the folder `data` of the download.

Source: documentation/INSTALL.md and regressor/configs/b2a_expose_hrnet_demo.yaml of SHAPY.
"""


class ShapyError(Exception):
    """SHAPY cannot run here, or did not do what it should; the message says what to do."""


def find_missing_files(data: Path) -> list[MissingFile]:
    """The files that SHAPY needs and that its folder `data` lacks; an empty file is none."""
    return [
        MissingFile(path=data / target, what=what, source=source, target=target)
        for target, (what, source) in _NEEDED.items()
        if not _has_content(data / target)
    ]


def find_linked_files(data: Path) -> dict[str, Path]:
    """Files that SHAPY needs and that are kept outside of `data`: where, by their path in it.

    A container that sees `data` does not see where a link out of it leads.
    """
    places = {target: (data / target).resolve() for target in _NEEDED}
    folder = data.resolve()
    return {name: place for name, place in places.items() if not place.is_relative_to(folder)}


def require_files(data: Path) -> None:
    """Makes sure that SHAPY can run.

    Raises:
        MissingFilesError: with a table of what is missing, where it comes from and where it goes.
    """
    if missing := find_missing_files(data):
        raise MissingFilesError("SHAPY", data, missing)


def read_checksums(data: Path, files: Iterable[str] = (CHECKPOINT, BODY_MODEL)) -> dict[str, str]:
    """Checksums of the files that decide the numbers, by path; "missing" where one cannot be read.

    It keeps no workflow from being planned: there may be no video left to measure, and where there
    is one, its job says what is missing.
    """
    return {name: _checksum(data / name) for name in files}


def _checksum(path: Path) -> str:
    try:
        return checksum_file(path)
    except OSError:
        return "missing"


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
