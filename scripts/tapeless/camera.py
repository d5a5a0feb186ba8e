"""The camera of a video, as far as its file tells, and what known lengths in its pictures mean."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tapeless.outcomes import MachineFault, read_sealed
from tapeless.seals import seal_file
from tapeless.writing import write_json


class SheetError(MachineFault):
    """What the sheet says of a video cannot be; the message says what to mend there."""


@dataclass(frozen=True)
class Camera:
    """What the file of a video tells of its camera: `camera.json`.

    Attributes:
        vertical_fov_degrees: angle that the height of the upright picture spans, guessed from the
            lens that the file names; None if it names none.
        video_height_px: height of the upright picture; None if nothing could be sampled.
        frame_height_px: height of the frames that were sampled from it.
    """

    vertical_fov_degrees: float | None = None
    video_height_px: int | None = None
    frame_height_px: int | None = None

    def write(self, path: Path) -> None:
        """Writes the file, and seals it."""
        write_json(path, asdict(self))
        seal_file(path)

    @classmethod
    def read(cls, path: Path) -> Camera:
        """Reads what `write` wrote; DamagedFileError if it is something else."""
        return cls(**json.loads(read_sealed(path)))

    def frame_px_per_m(
        self, object_height_cm: float | None, object_height_px: float | None
    ) -> float | None:
        """How many pixels of the frames a metre spans where an object stands; None if not known.

        Args:
            object_height_cm: its height.
            object_height_px: its height in the upright video, at the video's own size.

        Raises:
            SheetError: if the object would be higher than the picture.
        """
        if object_height_cm is None or object_height_px is None:
            return None
        if self.video_height_px is None or self.frame_height_px is None:
            return None
        if object_height_px > self.video_height_px:
            raise SheetError(
                f"The sheet says object_height_px {object_height_px:g}, but the video is only "
                f"{self.video_height_px} pixels high. Measure the object in a picture of the video "
                "at its own size, and correct the sheet."
            )
        frame_px = object_height_px * self.frame_height_px / self.video_height_px
        return frame_px / (object_height_cm / 100)
