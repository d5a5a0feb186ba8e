"""What SHAPY is given of one person: the frames chosen for them, with their keypoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapeless.containers.sharing import digest_errand
from tapeless.shape.shapy_workplace import Workplace


@dataclass(frozen=True)
class Views:
    """The frames of a person that SHAPY looks at.

    Attributes:
        frames, keypoints: the folders of the pictures and of the points.
        names: of the frames, in time order.
        settled: what decides what SHAPY writes of a frame, besides these files.
        digest: of the files and of that.
    """

    frames: Path
    keypoints: Path
    names: Sequence[str]
    settled: Mapping[str, Any]
    digest: str

    @classmethod
    def read(
        cls, frames: Path, keypoints: Path, names: Sequence[str], settled: Mapping[str, Any]
    ) -> Views:
        """The frames of these names.

        Raises:
            OSError: if they come or go meanwhile.
        """
        files = {f"{name}.png": frames / f"{name}.png" for name in names}
        files |= {f"{name}.json": keypoints / f"{name}.json" for name in names}
        return cls(frames, keypoints, names, settled, digest_errand(files, settled))

    def stage(self, place: Workplace, prefix: str) -> None:
        """Puts the files where SHAPY reads them, among those of others.

        Raises:
            OSError: if they are no longer there, or others.
        """
        placed = place.stage(self.frames, self.keypoints, self.names, prefix)
        if digest_errand(placed, self.settled) != self.digest:
            raise OSError(f"the files in {self.keypoints} and {self.frames} are changing")
