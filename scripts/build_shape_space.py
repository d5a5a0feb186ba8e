"""Builds the space of adult bodies that the Anny fit searches. Made once, shared by all videos.

Reads nothing but the Anny package; writes the space (npz). The population behind it is drawn
with a fixed seed, so that every machine gets the same space.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(space: Path) -> None:
    """Writes the shape space to `space`."""
    from tapeless.shape.anny_space_building import build_shape_space

    build_shape_space().save(space)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(Path(snakemake.output.space))
