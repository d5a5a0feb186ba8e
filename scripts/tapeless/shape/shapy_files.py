"""What SHAPY needs of its user's own downloads, and what of it is missing.

SHAPY itself goes on without its checkpoint: with random weights, a warning and exit status 0.
"""

from __future__ import annotations

from pathlib import Path

from tapeless.downloads import (
    MissingFile,
    MissingFilesError,
    checksum_files,
    find_linked_files,
    has_content,
)
from tapeless.outcomes import MachineFault
from tapeless.shapy_landmarks import DEFINITIONS_FILE, LANDMARKS_FILE

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
    "utility_files/shape_priors/female_normal.npz": ("shape prior, women", _SHAPY),
    "utility_files/shape_priors/male_normal.npz": ("shape prior, men", _SHAPY),
    "utility_files/smplx/smplx_correspondences.npz": ("mirrored vertices", _SHAPY),
}
"""What it is and where it comes from, by its path in the folder `data` of the download.

Source: documentation/INSTALL.md and regressor/configs/b2a_expose_hrnet_demo.yaml of SHAPY.
"""

_MEASURED_WITH = {
    DEFINITIONS_FILE: ("definitions of tapes", _SHAPY),
    LANDMARKS_FILE: ("landmarks", _SHAPY),
}
"""The same of files that only SHAPY's own measurements rest on; without them it takes none."""

_NOT_MEASURED = "SHAPY's own measurements, shapy_height to shapy_mass, are left out"


class ShapyError(MachineFault):
    """SHAPY cannot run here, or did not do what it should; the message says what to do."""


def find_missing_files(data: Path) -> list[MissingFile]:
    """The files that SHAPY has a use for and that its folder `data` lacks; an empty file is none.

    Those that it can run without have a `consequence`; it cannot with an empty one.
    """
    return [
        MissingFile(path, what, source, target, consequence="" if path.exists() else consequence)
        for files, consequence in ((_NEEDED, ""), (_MEASURED_WITH, _NOT_MEASURED))
        for target, (what, source) in files.items()
        if not has_content(path := data / target)
    ]


def require_files(data: Path) -> None:
    """Makes sure that SHAPY can run.

    Raises:
        MissingFilesError: with a table of what is missing, where it comes from and where it goes.
    """
    if missing := [file for file in find_missing_files(data) if not file.consequence]:
        raise MissingFilesError("SHAPY", data, missing)


def find_linked_data(data: Path) -> dict[str, Path]:
    """The files of SHAPY's that are kept outside of `data`: where, by their path in it."""
    return find_linked_files(data, [*_NEEDED, *_MEASURED_WITH])


def read_checksums(data: Path) -> dict[str, str]:
    """Checksums of the files that decide the numbers, by path; "missing" where one is not there."""
    return checksum_files(data, (CHECKPOINT, BODY_MODEL))
