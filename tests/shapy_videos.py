"""Videos of somebody made of sticks, and the stage that has SHAPY's stand-in look at them."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from estimate_shape_shapy import main
from tapeless.bodies import Body
from tapeless.configuration import with_defaults
from tapeless.containers import Allowance
from tapeless.containers.sharing import Sharing
from tapeless.images import write_image
from tapeless.keypoints import Person, write_people
from tapeless.outcomes import Outcome
from tapeless.seals import SEAL_FILE
from tapeless.shape.shapy import Settings
from unit.puppets import RED, picture_of, standing

ROOT = Path(__file__).parents[1]
STANDIN = ROOT / "tests/containers/standins/shapy"
DEFAULTS = with_defaults({}, yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text()))


def install(folder: Path) -> Path:
    """Puts the stand-in in place as SHAPY is on a machine itself; its folder `regressor`."""
    regressor = folder / "regressor"
    shutil.copytree(STANDIN, regressor, ignore=shutil.ignore_patterns("*.pyc", "__pycache__"))
    return regressor


@dataclass
class Video:
    """The usable frames of a video, a SHAPY download, and how SHAPY is run."""

    folder: Path
    data: Path
    runtime: str
    entry: Mapping[str, Any]
    people: list[Person] = field(
        default_factory=lambda: [standing(x=150 + 5 * i) for i in range(4)]
    )

    def __post_init__(self) -> None:
        for stage in (self.frames, self.keypoints):
            stage.mkdir(parents=True)
            Outcome(counts={"frames_sampled": len(self.people)}).write(stage)
        for name, person in zip(self.names, self.people, strict=True):
            seed = int(name[-6:])
            write_image(self.frames / f"{name}.png", picture_of((person, RED), seed=seed))
            write_people(self.keypoints / f"{name}.json", [person])
        images = yaml.safe_load((ROOT / "containers/images.yaml").read_text())
        images["shapy"] |= self.entry
        (self.folder / "images.yaml").write_text(yaml.safe_dump(images))

    @classmethod
    def on_host(cls, folder: Path, regressor: Path, **options: Any) -> Video:
        """One for which SHAPY runs on this machine itself."""
        host = {"program": [sys.executable, "demo.py"], "workdir": str(regressor)}
        data = regressor.parent / "data"
        return cls(folder, data, "host", {"host": host}, **options)

    @property
    def frames(self) -> Path:
        return self.folder / "frames"

    @property
    def keypoints(self) -> Path:
        return self.folder / "keypoints"

    @property
    def bodies(self) -> Path:
        return self.folder / "bodies"

    @property
    def names(self) -> list[str]:
        return [f"frame_{number:06d}" for number in range(1, len(self.people) + 1)]

    @property
    def written(self) -> list[str]:
        """All that lies in the folder of bodies, but the seal."""
        files = (path.relative_to(self.bodies) for path in self.bodies.rglob("*"))
        return sorted(str(path) for path in files if path.name != SEAL_FILE)

    @property
    def left_out(self) -> dict[str, str]:
        """Why frames have no estimate, by their name."""
        with (self.bodies / "left_out.csv").open(encoding="utf-8", newline="") as stream:
            return {row["frame"]: row["reason"] for row in csv.DictReader(stream)}

    def estimate(
        self, mode: str = "", gpus: int = 1, sharing: Sharing | None = None, **options: Any
    ) -> Outcome:
        """Runs the stage; `mode` is how the stand-in fails."""
        settings = DEFAULTS["containers"] | {
            "runtime": self.runtime,
            "images": str(self.folder / "images.yaml"),
            "mounts_file": None,
            "environment": {"STANDIN_SHAPY": mode},
            "memory_mb": 1000,
            **options.pop("containers", {}),
        }
        main(
            self.frames,
            self.keypoints,
            self.bodies,
            Settings(**{"data": self.data, "min_frames": 3, **options}),
            Allowance(
                settings,
                {"rule": "estimate_shape", "video": "v"},
                gpus,
                usage_file=self.folder / "usage.json",
            ),
            sharing,
        )
        return Outcome.read(self.bodies)

    def read_bodies(self) -> list[Body]:
        """The estimates, in their order."""
        count = Outcome.read(self.bodies).counts["estimates"]
        return [Body.load(self.bodies / f"estimate_{n}.npz") for n in range(1, count + 1)]
