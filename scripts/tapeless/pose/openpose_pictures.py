"""The pictures of one video that OpenPose is to look at, alone or among those of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tapeless.containers.sharing import digest_errand
from tapeless.containers.workplaces import deal_out, link_or_copy
from tapeless.keypoints import frame_names


@dataclass(frozen=True)
class OpenPosePictures:
    """The sampled frames of a video.

    Attributes:
        folder: where they are, an absolute path.
        names: theirs, without endings, in time order.
        size: width and height that all of them have, px.
        settled: what decides what OpenPose writes of a picture, besides the picture.
        digest: of the pictures and of that.
    """

    folder: Path
    names: Sequence[str]
    size: tuple[int, int]
    settled: Mapping[str, Any]
    digest: str

    @classmethod
    def read(cls, folder: Path, settled: Mapping[str, Any]) -> OpenPosePictures:
        """The pictures in a folder.

        Raises:
            OSError: if they come or go meanwhile.
        """
        if not (names := frame_names(folder)):
            raise FileNotFoundError(f"there are no pictures in {folder}")
        with Image.open(folder / f"{names[0]}.png") as first:
            size = first.size
        return cls(folder, names, size, settled, _digest(folder, names, settled))

    def stage(self, folder: Path, prefix: str) -> list[str]:
        """Puts the pictures into a folder, before whose names `prefix` is put; those names.

        Raises:
            OSError: if a picture is no longer there, or another.
        """
        staged = [f"{prefix}{name}" for name in self.names]
        for name, new in zip(self.names, staged, strict=True):
            link_or_copy(self.folder / f"{name}.png", folder / f"{new}.png")
        if _digest(folder, self.names, self.settled, prefix) != self.digest:
            raise OSError(f"the pictures in {self.folder} are changing")
        return staged


def sort_out(written: Path, videos: int) -> list[Path]:
    """What OpenPose wrote of several videos: a folder for each, with the names of its own frames.

    Each is laid out as `written`; whose a file is, the number tells that its name begins with.
    """
    folders = [written.with_name(f"written_{number}") for number in range(videos)]
    for kind in written.iterdir():
        deal_out(kind, [folder / kind.name for folder in folders])
    return folders


def _digest(
    folder: Path, names: Sequence[str], settled: Mapping[str, Any], prefix: str = ""
) -> str:
    return digest_errand({name: folder / f"{prefix}{name}.png" for name in names}, settled)
