"""Videos: what one holds (`probe`), and pictures taken from it evenly over time (`sample`)."""

from tapeless.video.probe import Clip, probe, scan
from tapeless.video.programs import MediaToolError, Tools
from tapeless.video.sample import (
    Frame,
    Sampling,
    laplacian_variance,
    sample_clip,
    sample_frames,
    write_table,
)

__all__ = [
    "Clip",
    "Frame",
    "MediaToolError",
    "Sampling",
    "Tools",
    "laplacian_variance",
    "probe",
    "sample_clip",
    "sample_frames",
    "scan",
    "write_table",
]
