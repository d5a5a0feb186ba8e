"""The folder in which SHAPY works on one video, and the command that it is run with."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapeless.containers import Mount, load_images
from tapeless.containers.workplaces import link_or_copy
from tapeless.shape.shapy_files import CHECKPOINT, ShapyError, find_linked_data

PROGRAM = "shapy"
CONFIG_FILE = "configs/b2a_expose_hrnet_demo.yaml"
DATA_FOLDER = "../data"
"""Where SHAPY looks for the user's download: from the folder that it must be run in."""

_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


@dataclass(frozen=True)
class Workplace:
    """A folder with `inputs` for SHAPY to read and `scratch` for it to write.

    Attributes:
        folder: the folder itself, an absolute path; it has the same one in the container.
        data: the user's download.
        data_inside: the same, as SHAPY sees it.
    """

    folder: Path
    data: Path
    data_inside: str

    @classmethod
    def at(cls, folder: Path, data: Path, containers: Mapping[str, Any]) -> Workplace:
        """The workplace in a folder, by the section `containers` of the configuration.

        Raises:
            ShapyError: if SHAPY would read the name of the folder as another.
            ContainerError: if the file of images cannot be read.
        """
        folder = folder.absolute()
        if "$" in str(folder):
            raise ShapyError(
                f"SHAPY would read the $ in {folder} as the start of a variable: choose another "
                "folder for the results, without it (pathvars in the configuration)."
            )
        entry = load_images(Path(containers["images"]))[PROGRAM]
        on_host = containers["runtime"] == "host"
        workdir = Path.cwd() / (entry.host_workdir or "") if on_host else entry.workdir
        return cls(folder, data, posixpath.normpath(posixpath.join(workdir, DATA_FOLDER)))

    @property
    def results(self) -> Path:
        """Where SHAPY puts its results."""
        return self.folder / "scratch/results"

    @property
    def checkpoint(self) -> Path:
        """The weights, as SHAPY names them in its log."""
        return self._model / "checkpoints" / posixpath.basename(CHECKPOINT)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What SHAPY needs to see; it can change nothing but its own `scratch`."""
        linked = find_linked_data(self.data).items()
        return (
            Mount(self.data, self.data_inside),
            *(Mount(place, posixpath.join(self.data_inside, name)) for name, place in linked),
            Mount(self.folder / "inputs"),
            Mount(self.folder / "scratch", writable=True),
        )

    @property
    def _model(self) -> Path:
        return self.folder / "scratch/model"

    def stage(
        self, frames: Path, keypoints: Path, names: Sequence[str], prefix: str = ""
    ) -> dict[str, Path]:
        """Puts in place what SHAPY reads: these frames alone, and a model folder of its own.

        Of several people it is called once for each, with a prefix for the names of their files.
        Returns where the files are, by their names without it.

        SHAPY opens a log in its model folder, so that no two jobs may share one; the weights, which
        are gigabytes, are only linked, by the path at which SHAPY sees them.
        """
        images, people = self.folder / "inputs/images", self.folder / "inputs/keypoints"
        for folder in (images, people, self._model, self.results):
            folder.mkdir(parents=True, exist_ok=True)
        placed = {}
        for name in names:
            placed[f"{name}.png"] = images / f"{prefix}{name}.png"
            placed[f"{name}.json"] = people / f"{prefix}{name}.json"
        for name, path in placed.items():
            link_or_copy((frames if name.endswith(".png") else keypoints) / name, path)
        if not (checkpoints := self._model / "checkpoints").is_symlink():
            weights = posixpath.join(self.data_inside, posixpath.dirname(CHECKPOINT))
            checkpoints.symlink_to(weights)
        return placed

    def arguments(self, *, meshes: bool, pictures: bool) -> tuple[str, ...]:
        """The command line of SHAPY's demo, which is run in its folder `regressor`.

        With one picture at a time, the usual share of pictures for the pose would round to none;
        with more, a person that is left out breaks the batch. The loader's processes would hand
        pictures on through /dev/shm, which is small in containers, so there are none.
        """
        return (
            "--exp-cfg", CONFIG_FILE,
            "--output-folder", str(self.results),
            "--datasets", "openpose",
            "--split", "test",
            "--save-params", "true",
            "--save-mesh", str(meshes).lower(),
            "--save-vis", str(pictures).lower(),
            "--exp-opts",
            f"output_folder={_as_yaml(self._model)}",
            "part_key=pose",
            f"datasets.pose.openpose.data_folder={_as_yaml(self.folder / 'inputs')}",
            "datasets.pose.openpose.img_folder=images",
            "datasets.pose.openpose.keyp_folder=keypoints",
            "datasets.batch_size=1",
            "datasets.pose_shape_ratio=1.0",
            "datasets.pose.num_workers.test=0",
        )  # fmt: skip


def _as_yaml(path: Path) -> str:
    """A path as SHAPY's options have to spell it, for its YAML reader to give back just that."""
    return str(path) if _PLAIN.fullmatch(str(path)) else json.dumps(str(path), ensure_ascii=False)
