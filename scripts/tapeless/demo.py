"""The demo: two rendered people of known measurements and an empty room, to be measured.

Everything lies below one folder:
`videos/`, `config/config.json` and `config/videos.tsv` (the heights are given), `truth.json`, and
`results/` once the workflow has run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tapeless.sources import find_sources
from tapeless.units import UNITS

log = logging.getLogger(__name__)

SEED = 12
"""Chosen for two unlike builds: a sturdy woman and a slim man."""
PEOPLE = ("woman", "man")
EMPTY_ROOM = "empty_room"

_HERE = Path(__file__).resolve()


@dataclass(frozen=True)
class Demo:
    """The files of a demo below `folder`, which lies in the folder where the workflow runs."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration to run the workflow with."""
        return self.folder / "config" / "config.json"

    @property
    def sheet(self) -> Path:
        """The sheet of the three videos."""
        return self.folder / "config" / "videos.tsv"

    @property
    def results(self) -> Path:
        """Where the workflow writes."""
        return self.folder / "results"

    @property
    def truth(self) -> Path:
        """What the people really measure, and which version of the code made them."""
        return self.folder / "truth.json"

    def video(self, name: str) -> Path:
        """The video file of one of `PEOPLE`, or of the `EMPTY_ROOM`."""
        return self.folder / "videos" / f"{name}.mp4"

    def relative(self, path: Path) -> str:
        """A path as the workflow says it."""
        return str(path.relative_to(self.folder.parent))


def prepare(demo: Demo, model_folder: Path) -> bool:
    """Makes the videos, their sheet and the truth, unless they are there; says whether it did.

    `model_folder` keeps the body model, as `ANNY_CACHE_DIR`. What another version of the code has
    made is made again.
    """
    recipe = _recipe()
    if _is_complete(demo, recipe):
        return False
    os.environ.setdefault("ANNY_CACHE_DIR", str(model_folder.absolute()))
    # Only here: a second run has nothing to make, and should not wait for torch.
    from tapeless.measurements import measure_body
    from tapeless.population import draw_adults, rest_body
    from tapeless.synthetic import film_empty_room, film_person

    truth: dict[str, dict[str, float]] = {}
    adults = draw_adults(len(PEOPLE), SEED, varied_beyond_prior=True)
    for number, (name, adult) in enumerate(zip(PEOPLE, adults, strict=True)):
        log.info("filming the %s", name)
        truth[name] = measure_body(rest_body(adult))
        film_person(adult, demo.video(name), seed=SEED * 100 + number)
    log.info("filming the empty room")
    film_empty_room(demo.video(EMPTY_ROOM), seed=SEED * 100 + len(PEOPLE))
    _write_sheet(demo, {name: 100 * truth[name]["height"] for name in PEOPLE})
    _write_config(demo)
    demo.truth.write_text(json.dumps({"recipe": recipe, "people": truth}, indent=2) + "\n")
    return True


def compare(demo: Demo) -> pd.DataFrame:
    """Measured against true: a row per person and measurement, in cm and kg.

    Columns: video, measurement, unit, measured, low, high, true, error. People whom the workflow
    rejected have no rows.

    Raises:
        FileNotFoundError: if the workflow has not run yet.
    """
    people: dict[str, dict[str, float]] = json.loads(demo.truth.read_text())["people"]
    truth = pd.DataFrame(
        [(name, measurement, si) for name in people for measurement, si in people[name].items()],
        columns=["video", "measurement", "true"],
    )
    table = pd.read_csv(demo.results / "measurements.csv").dropna(subset="50%").merge(truth)
    table["measured"] = table["50%"]
    table["true"] *= table["unit"].map({unit.report: unit.factor for unit in UNITS.values()})
    table["error"] = table["measured"] - table["true"]
    return table[["video", "measurement", "unit", "measured", "low", "high", "true", "error"]]


def _recipe() -> str:
    """Stands for the code that makes the demo's input and its truth."""
    files = [_HERE, *find_sources(_HERE, root=_HERE.parents[1])]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _is_complete(demo: Demo, recipe: str) -> bool:
    files = [demo.config, demo.sheet, *map(demo.video, (*PEOPLE, EMPTY_ROOM))]
    if not demo.truth.exists() or not all(path.exists() for path in files):
        return False
    return bool(json.loads(demo.truth.read_text()).get("recipe") == recipe)


def _write_sheet(demo: Demo, heights_cm: Mapping[str, float]) -> None:
    demo.sheet.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "video": name,
            "path": demo.relative(demo.video(name)),
            "height_cm": f"{heights_cm[name]:.1f}" if name in heights_cm else "",
        }
        for name in (*PEOPLE, EMPTY_ROOM)
    ]
    pd.DataFrame(rows).to_csv(demo.sheet, sep="\t", index=False)


def _write_config(demo: Demo) -> None:
    settings = {
        "sheet": demo.relative(demo.sheet),
        "pathvars": {"results": demo.relative(demo.results)},
    }
    demo.config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
