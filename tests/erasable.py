"""A folder as runs leave it, for tests to remove a person from."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from tapeless.cli import main
from tapeless.runs import LOCK_FILE
from tapeless.writing import write_table

ZORA = "=zora <b>Ñ"
"""A name that is escaped in another way in each kind of file."""
SHEET = (
    "video\tpath\tsubject\theight_cm\n"
    f"walk\tvideos/of zora.mp4\t{ZORA}\t170\n"
    "walk2\tvideos/b/same.mp4\tbob\t\n"
    f"turn\tvideos/a/same.mp4\t{ZORA}\t170\n"
    'walk.mp4\tvideos/c.mp4\t"carol\nwho has two lines"\t\n'
)
SUBJECTS = {"walk": ZORA, "walk2": "bob", "turn": ZORA, "walk.mp4": "carol"}
RULES = ("sample_frames", "walk_about")


def make_erasable(folder: Path) -> None:
    """Fills a folder, in which it then is; of four videos, the first and the third show Zora."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    write("config/config.yaml", "{}\n")
    write("config/videos.tsv", SHEET)
    for name in ("of zora.mp4", "b/same.mp4", "a/same.mp4", "c.mp4"):
        write(f"videos/{name}", f"the film {name}")
    for video, subject in SUBJECTS.items():
        add_video(video, subject)
    rows = [{"video": video, "subject": subject} for video, subject in SUBJECTS.items()]
    write_table(Path("results/summary.csv"), ["video", "subject"], rows)
    write("results/subjects.csv", f"subject,height_cm\n{ZORA},170\n")
    write("results/repeatability.csv", "people,mean\n3,170\n")
    write("results/benchmarks.csv", "stage,jobs\nsample_frames,4\n")
    write("results/cohort.html", "<p>3 people")
    write("results/progress.json", json.dumps({"running": ["turn"]}))
    write("results/provenance.json", json.dumps({"command": "snakemake"}))
    reads = [f"read results/videos/{video}/outcome.json\n" for video in SUBJECTS]
    write("results/logs/collect_reports.log", "".join(reads))
    write(".snakemake/log/1.snakemake.log", "    wildcards: video=turn\nall of walk2 is well\n")
    record = {"input": [f"results/videos/{video}/statistics.csv" for video in SUBJECTS]}
    write(".snakemake/metadata/" + encoded("results/summary.csv"), json.dumps(record))
    write(".snakemake/metadata/" + encoded("resources/anny_shape_space.npz"), "{}")


def add_video(video: str, subject: str) -> None:
    """Puts the files of a finished video where the rules put them."""
    folder = f"results/videos/{video}"
    write(f"{folder}/outcome.json", json.dumps({"subject": subject}))
    write(f"{folder}/frames/frame_000001.png", "a picture")
    for rule in RULES:
        write(f"results/logs/{rule}/{video}.log", "done")
        write(f"results/benchmarks/{rule}/{video}.container.json", "{}")
    write(".snakemake/metadata/" + encoded(f"{folder}/frames.csv"), "{}")
    write(f".snakemake/incomplete/{encoded(folder + '/pose')}", "")
    write(f".snakemake/slurm_logs/rule_pose/{video}/7.log", "done")
    write(f"results/logs/slurm/rule_pose/{video}/8.log", "done")


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def encoded(path: str) -> str:
    return base64.urlsafe_b64encode(path.encode()).decode()


def forget(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, ["forget", *arguments], input=answer)


def forget_without_rights(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as somebody for whom files may be closed, as they are not for root."""
    few = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    program = [sys.executable, "-c", "from tapeless.cli import main; main()", "forget", *arguments]
    command = [*(few if os.geteuid() == 0 else []), *program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def all_files() -> dict[str, bytes]:
    """The content of each file but the locks, by its path."""
    return {
        str(path): path.read_bytes()
        for path in Path().rglob("*")
        if path.is_file() and not path.name.endswith(LOCK_FILE.name)
    }
