"""Times runs whose videos share a container, and runs in which each has one of its own.

`PYTHONPATH=scripts:tests python benchmarks/scripts/time_shared_containers.py 6 times.json` brings
six videos as far as their keypoints, on two cores, and writes what that took into the file.

OpenPose and the graphics card are those of the tests: a program of this machine that takes `LOAD_S`
to start and then hardly a second for a video, and a stand-in for the driver (which takes gcc). Of
OpenPose itself this says how often it is started, not how long that takes.
"""

import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from cards import make_cards
from containers.standins.openpose.download import make_models
from containers.standins.shapy.download import make_download
from reference import ReferenceProject, Workstation, film_videos, make_reference_project

LOAD_S = 5
SHARED_BY = (1, 8)
STANDIN = Path(__file__).parents[2] / "tests/containers/standins/openpose/openpose.py"


@dataclass(frozen=True)
class Cost:
    """What a run took that shares a container among so many videos at most.

    Attributes:
        shared_by: how many.
        starts: of the program.
        card_s: seconds in which it had the card.
        wall_s: seconds in all.
    """

    shared_by: int
    starts: int
    card_s: float
    wall_s: float


def make_project(folder: Path, videos: int) -> ReferenceProject:
    """A project of so many videos, of two people."""
    workstation = Workstation(
        docker_host="",
        digests={},
        cards=make_cards(folder / "cards", 1),
        models=make_models(folder / "models"),
        data=make_download(folder / "data"),
    )
    project = make_reference_project(folder / "project", workstation)
    film_videos(folder / "films")
    names = [f"video_{number}" for number in range(videos)]
    for number, name in enumerate(names):
        film = folder / "films" / ("walk.mp4", "tall.mp4")[number % 2]
        shutil.copy2(film, project.folder / f"videos/{name}.mp4")
    project.write_sheet(*({"video": name, "path": f"videos/{name}.mp4"} for name in names))
    environment = {"STANDIN_OPENPOSE_LOAD_S": str(LOAD_S), "STANDIN_OPENPOSE_BUILD": "cpu"}
    project.refer(containers={"runtime": "host", "environment": environment})
    images = project.folder / "containers/images.yaml"
    content = yaml.safe_load(images.read_text(encoding="utf-8"))
    content["openpose"]["host"]["program"] = [sys.executable, str(STANDIN)]
    images.write_text(yaml.safe_dump(content), encoding="utf-8")
    return project


def measure(project: ReferenceProject, shared_by: int) -> Cost:
    """Runs all from the beginning."""
    shutil.rmtree(project.results, ignore_errors=True)
    project.refer(containers={"videos_per_container": shared_by})
    begin = time.perf_counter()
    project.run("--resources", "gpu=1", "--", "keypoints")
    wall_s = time.perf_counter() - begin
    files = (project.results / "benchmarks/estimate_pose").glob("*.container.json")
    usages = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return Cost(
        shared_by,
        sum(usage.get("runs", 0) for usage in usages),
        sum(usage.get("wall_time_s") or 0.0 for usage in usages),
        wall_s,
    )


def main(videos: int, times: Path) -> None:
    """Runs both, and writes what they took."""
    with TemporaryDirectory() as folder:
        project = make_project(Path(folder), videos)
        costs = [asdict(measure(project, shared_by)) for shared_by in SHARED_BY]
    content = {"videos": videos, "runs": costs}
    times.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
