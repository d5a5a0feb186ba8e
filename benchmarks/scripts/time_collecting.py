"""Measures what it costs to collect the tables of thousands of videos.

The results are those of one real video, under many ids; four videos a subject. Writes one JSON
file: seconds by the clock and of the processor, and memory in MB.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from synthetic_project import measure

from tapeless.logs import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

COLLECT = """
import sys
from pathlib import Path
import collect_reports
videos, out = sorted(Path(sys.argv[1]).iterdir()), Path(sys.argv[2])
tables = ("summary", "measurements", "subjects", "repeatability")
collect_reports.main(
    [video / "statistics.csv" for video in videos],
    [video / "outcome.json" for video in videos],
    **{table: out / f"{table}.csv" for table in tables},
)
"""


def copy_results(video: Path, folder: Path, number: int) -> None:
    """The statistics and the verdict of a video, under so many ids."""
    verdict = json.loads((video / "outcome.json").read_text(encoding="utf-8"))
    for each in range(number):
        own = folder / f"video_{each:07d}"
        own.mkdir(parents=True)
        named = verdict | {"video": own.name, "subject": f"subject_{each // 4}"}
        (own / "outcome.json").write_text(json.dumps(named), encoding="utf-8")
        shutil.copyfile(video / "statistics.csv", own / "statistics.csv")


def main(video: Path, costs: Path, folder: Path, number: int) -> None:
    """Writes `costs`."""
    shutil.rmtree(folder, ignore_errors=True)
    copy_results(video, folder / "videos", number)
    (folder / "tables").mkdir()
    cost = measure([sys.executable, "-c", COLLECT, "videos", "tables"], folder)
    content = {
        "videos": number,
        "wall_s": round(cost.wall_s, 1),
        "cpu_s": round(cost.cpu_s, 1),
        "memory_mb": round(cost.memory_mb),
    }
    costs.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.results) / "videos" / snakemake.params.video,
            Path(snakemake.output[0]),
            Path(snakemake.params.folder),
            snakemake.params.number,
        )
