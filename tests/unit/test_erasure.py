"""A person is forgotten: nothing tells of them any more, and all tells of the others as before."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tapeless.cli import main
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
OTHERS = ("walk2", "walk.mp4")
RULES = ("sample_frames", "walk_about")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder as runs leave it: of four videos, the first and the third show the same person."""
    monkeypatch.chdir(tmp_path)
    for name in ("config/config.yaml", "config/videos.tsv"):
        write(name, "{}\n" if name.endswith("yaml") else SHEET)
    for name in ("of zora.mp4", "b/same.mp4", "a/same.mp4", "c.mp4"):
        write(f"videos/{name}", f"the film {name}")
    subjects = {"walk": ZORA, "walk2": "bob", "turn": ZORA, "walk.mp4": "carol"}
    for video, subject in subjects.items():
        folder = f"results/videos/{video}"
        write(f"{folder}/outcome.json", json.dumps({"subject": subject}))
        write(f"{folder}/frames/frame_000001.png", "a picture")
        for rule in RULES:
            write(f"results/logs/{rule}/{video}.log", "done")
            write(f"results/benchmarks/{rule}/{video}.container.json", "{}")
        write(".snakemake/metadata/" + encoded(f"{folder}/frames.csv"), "{}")
        write(f".snakemake/incomplete/{encoded(folder + '/pose')}", "")
        write(f".snakemake/slurm_logs/rule_pose/{video}/7.log", "done")
    rows = [{"video": video, "subject": subject} for video, subject in subjects.items()]
    write_table(Path("results/summary.csv"), ["video", "subject"], rows)
    write("results/subjects.csv", f"subject,height_cm\n{ZORA},170\n")
    write("results/repeatability.csv", "people,mean\n3,170\n")
    write("results/cohort.html", "<p>3 people")
    write("results/progress.json", json.dumps({"running": ["turn"]}))
    write("results/provenance.json", json.dumps({"command": "snakemake"}))
    write("results/logs/collect_reports.log", "read walk\nread walk2\nread walk.mp4, twice\n")
    write(".snakemake/log/1.snakemake.log", "wildcards: video=turn\nall of walk2 is well\n")
    record = {"input": [f"results/videos/{video}/statistics.csv" for video in subjects]}
    write(".snakemake/metadata/" + encoded("results/summary.csv"), json.dumps(record))
    write(".snakemake/metadata/" + encoded("results/checks.csv"), json.dumps({"input": []}))
    yield tmp_path
    os.chdir("/")


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def encoded(path: str) -> str:
    return base64.urlsafe_b64encode(path.encode()).decode()


def forget(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, ["forget", *arguments], input=answer)


def all_files() -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in Path().rglob("*") if p.is_file()}


def test_nothing_tells_of_a_subject_any_more(project: Path):
    run = forget(ZORA, "--yes")
    assert run.exit_code == 0, run.output
    assert "Nothing that tells of" in run.output
    told = [
        name
        for name, content in all_files().items()
        if "zora" in name or b"zora" in content or b"turn" in content or "turn" in Path(name).parts
    ]
    assert told == []
    assert not list(Path().rglob("walk/*")) and not list(Path().rglob("walk.log"))
    records = [base64.urlsafe_b64decode(p.name) for p in Path(".snakemake/metadata").iterdir()]
    assert sorted(records) == [
        b"results/checks.csv",
        b"results/videos/walk.mp4/frames.csv",
        b"results/videos/walk2/frames.csv",
    ]


def test_all_tells_of_the_others_as_before(project: Path):
    before = all_files()
    forget(ZORA, "--yes")
    after = all_files()
    changed = {name for name, content in after.items() if before.get(name) != content}
    assert changed == {
        "config/videos.tsv",
        "results/summary.csv",
        "results/logs/collect_reports.log",
        ".snakemake/log/1.snakemake.log",
        ".snakemake/tapeless.lock",
    }
    lost = [name for name in before if name not in after]
    assert [name for name in lost if set(OTHERS) & set(Path(name).parts)] == []
    lines = SHEET.splitlines(keepends=True)
    assert Path("config/videos.tsv").read_text(encoding="utf-8") == "".join(
        [lines[0], lines[2], *lines[4:]]
    )
    assert Path("results/summary.csv").read_text() == "video,subject\nwalk2,bob\nwalk.mp4,carol\n"
    log = Path("results/logs/collect_reports.log").read_text()
    assert log == "read walk2\nread walk.mp4, twice\n"


def test_what_joins_everybody_is_made_anew_by_the_next_run(project: Path):
    forget("walk2", "--yes")
    reports = {p.name for p in Path("results").iterdir() if p.is_file()}
    assert reports == {"summary.csv", "progress.json", "provenance.json"}


def test_one_video_may_be_forgotten_and_its_subject_stays(project: Path):
    run = forget("walk", "--yes")
    assert run.exit_code == 0, run.output
    assert not Path("videos/of zora.mp4").exists()
    assert Path("videos/a/same.mp4").exists()
    summary = Path("results/summary.csv").read_text()
    assert [row.partition(",")[0] for row in summary.splitlines()[1:]] == [
        "walk2",
        "turn",
        "walk.mp4",
    ]
    assert Path("results/videos/turn/outcome.json").exists()


def test_who_does_not_say_yes_loses_nothing(project: Path):
    before = all_files()
    run = forget(ZORA, answer="n\n")
    assert run.exit_code != 0
    assert "videos/of zora.mp4" in run.output and "rows or lines of" in run.output
    assert all_files() == before | {".snakemake/tapeless.lock": b""}


def test_recordings_stay_when_they_are_to_stay(project: Path):
    run = forget(ZORA, "--yes", "--keep-recordings")
    assert run.exit_code == 0, run.output
    assert Path("videos/of zora.mp4").exists()
    assert not Path("results/videos/walk").exists()


def test_a_recording_that_shows_somebody_else_too_stays(project: Path):
    both = SHEET + "later\tvideos/of zora.mp4\tdave\t\n"
    write("config/videos.tsv", both)
    assert forget(ZORA, "--yes").exit_code == 0
    assert Path("videos/of zora.mp4").exists()
    assert not Path("videos/a/same.mp4").exists()


def test_what_it_cannot_remove_is_named_and_is_no_success(project: Path):
    write("report.html", "<td>walk</td>")
    Path("videos/of zora.mp4").rename("elsewhere.mp4")
    Path("videos/of zora.mp4").symlink_to("../elsewhere.mp4")
    run = forget(ZORA, "--yes")
    assert run.exit_code == 1
    assert "report.html" in run.output
    assert "elsewhere.mp4" in run.output
    assert Path("report.html").exists()


def test_a_recording_on_storage_elsewhere_is_named_and_its_copy_here_goes(project: Path):
    address = "s3://lab/of%20zora.mp4"
    write("config/videos.tsv", SHEET.replace("videos/of zora.mp4", address))
    write(".snakemake/storage/s3/lab/of%20zora.mp4", "a copy")
    write(".snakemake/storage/s3/lab/c.mp4", "a copy")
    run = forget(ZORA, "--yes")
    assert run.exit_code == 1
    assert address in run.output.partition("are still there")[2]
    assert [p.name for p in Path(".snakemake/storage").rglob("*.mp4")] == ["c.mp4"]


def test_the_search_does_not_believe_the_removal(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tapeless.erasure.erasing.Erasure.carry_out", lambda self: None)
    run = forget(ZORA, "--yes")
    assert run.exit_code == 1
    for kind in ("videos/of zora.mp4", "results/videos/walk\n", "sample_frames/turn.log",
                 "results/summary.csv", "collect_reports.log", "metadata", "config/videos.tsv",
                 "progress.json", "slurm_logs"):  # fmt: skip
        assert kind in run.output.partition("still told of")[2]


@pytest.mark.parametrize(
    ("name", "says"), [("nobody", "no subject and no video"), ("wal", "no subject and no video")]
)
def test_a_name_that_nobody_has_removes_nothing(project: Path, name: str, says: str):
    before = all_files()
    run = forget(name, "--yes")
    assert run.exit_code == 1
    assert says in run.output
    assert all_files() == before


def test_a_name_of_two_things_removes_nothing(project: Path):
    write("config/videos.tsv", SHEET.replace("bob", "walk"))
    run = forget("walk", "--yes")
    assert run.exit_code == 1
    assert "another name" in run.output
    assert Path("results/videos/walk").exists()


@pytest.mark.parametrize("video", ["results", "logs", "summary", "metadata", "sample_frames", "e"])
def test_an_id_that_is_also_a_word_of_ours_takes_nothing_else_with_it(project: Path, video: str):
    write(f"results/videos/{video}/outcome.json", "{}")
    write(f"results/logs/sample_frames/{video}.log", "done")
    run = forget(video, "--yes")
    assert run.exit_code == 0, run.output
    for other in ("walk", "walk2"):
        assert Path(f"results/videos/{other}/frames/frame_000001.png").exists()
        assert Path(f"results/logs/sample_frames/{other}.log").exists()
    assert len(Path("results/summary.csv").read_text(encoding="utf-8").splitlines()) == 5
    assert not Path(f"results/videos/{video}").exists()
    assert not Path(f"results/logs/sample_frames/{video}.log").exists()
