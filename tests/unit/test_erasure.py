"""A person is forgotten: nothing tells of them any more, and all tells of the others as before."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from erasable import SHEET, ZORA, add_video, all_files, encoded, forget, make_erasable, write
from projects import ROOT
from tapeless.erasure.mentions import find_mentions
from tapeless.erasure.places import ENDINGS, JOINED, TABLES, Places
from tapeless.erasure.traces import Traces

OTHERS = ("walk2", "walk.mp4")
NUMBERS = {
    "pose/frame_000003_keypoints.json": '{"people": [{"pose_keypoints_2d": [101.3, 3, 0.3]}]}',
    "bodies/outcome.json": '{"code": null, "counts": {"estimates": 3}}',
    "frames.csv": "frame,time_s\n2,0.3\n3,0.5\n",
    "statistics.csv": "measurement,count\nchest,3\nwaist,2\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder as runs leave it."""
    make_erasable(tmp_path / "project")
    yield tmp_path / "project"
    os.chdir("/")


@pytest.fixture
def numbered(project: Path) -> Path:
    """The same, with a video `3` of a subject `3`, and many a 3 in what tells of others."""
    write("config/videos.tsv", SHEET + "3\tvideos/3.mp4\t3\t170\n")
    write("videos/3.mp4", "the film")
    add_video("3", "3")
    for name, text in NUMBERS.items():
        write(f"results/videos/walk2/{name}", text)
        write(f"results/videos/3/{name}", text)
    write("results/checks.csv", "video,person,value\nwalk2,,3\n3,,1\nturn,3,3\n")
    write("results/summary.csv", "video,subject,estimates\nwalk2,bob,3\n3,3,2\nturn,,3\n")
    write("results/logs/sample_frames/walk2.log", "3 of 3 frames\n")
    write(".snakemake/log/2.log", "3 of 10 steps (3%) done\nJob 3: Looking at walk2\njobid: 3\n")
    return project


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
        b"resources/anny_shape_space.npz",
        b"results/videos/walk.mp4/frames.csv",
        b"results/videos/walk2/frames.csv",
    ]


def test_all_tells_of_the_others_as_before(project: Path):
    before = all_files()
    forget(ZORA, "--yes")
    after = all_files()
    assert {name for name, content in after.items() if before.get(name) != content} == {
        "config/videos.tsv",
        "results/summary.csv",
        "results/logs/collect_reports.log",
        ".snakemake/log/1.snakemake.log",
    }
    lost = [name for name in before if name not in after]
    assert [name for name in lost if set(OTHERS) & set(Path(name).parts)] == []
    lines = SHEET.splitlines(keepends=True)
    assert Path("config/videos.tsv").read_text(encoding="utf-8") == "".join(
        [lines[0], lines[2], *lines[4:]]
    )
    assert Path("results/summary.csv").read_text() == "video,subject\nwalk2,bob\nwalk.mp4,carol\n"
    log = Path("results/logs/collect_reports.log").read_text()
    assert re.findall("videos/(.*)/", log) == ["walk2", "walk.mp4"]


def test_a_person_with_a_number_for_a_name_takes_nothing_of_the_others_along(numbered: Path):
    before = all_files()
    run = forget("3", "--yes")
    assert run.exit_code == 0, run.output
    after = all_files()
    assert {name for name, content in after.items() if before.get(name) != content} == {
        "config/videos.tsv",
        "results/checks.csv",
        "results/summary.csv",
    }
    gone = set(before) - set(after)
    of_all = {f"results/{name}" for name in JOINED}
    of_all.add(".snakemake/metadata/" + encoded("results/summary.csv"))
    their = {".snakemake/" + encoded_in for encoded_in in (
        f"metadata/{encoded('results/videos/3/frames.csv')}",
        f"incomplete/{encoded('results/videos/3/pose')}",
    )}  # fmt: skip
    their |= {name for name in before if re.search(r"/3[./]", name)}
    assert gone == of_all | their
    assert Path("results/checks.csv").read_text() == "video,person,value\nwalk2,,3\nturn,3,3\n"
    summary = "video,subject,estimates\nwalk2,bob,3\nturn,,3\n"
    assert Path("results/summary.csv").read_text() == summary
    assert Path("config/videos.tsv").read_text(encoding="utf-8") == SHEET


def test_a_subject_may_have_the_id_of_a_video_of_theirs_for_a_name_and_others_a_like_one(
    numbered: Path,
):
    write("config/videos.tsv", SHEET.replace("bob", "3") + "33\tvideos/33.mp4\t3\t\n")
    before = all_files()
    run = forget("3", "--yes")  # now the id of one and the subject of two others
    assert run.exit_code == 1
    assert "another name" in run.output
    assert all_files() == before


@pytest.mark.parametrize(
    ("line", "is_theirs"),
    [
        ("Job 7: Looking at 3\n", True),
        ("Job 7: Finding the joints of everybody in 3, with OpenPose\n", True),
        ("Job 3: Looking at 33\n", False),
        ("3 of 10 steps (30%) done\n", False),
        ("Finished jobid: 3 (Rule: view_video)\n", False),
        ("Reason: Missing output files: results/videos/3/frames, results/videos/3/pose\n", True),
        ("Touching output file /disk/results/videos/3/frames_forgotten.\n", True),
        ("    input: results/videos/3.5/frames, videos/3/front.mp4\n", False),
        ("    log: results/logs/view_video/3.log (check log file(s) for error details)\n", True),
        ("    log: results/logs/slurm/rule_view_video/3/12.log\n", True),
        ("    log: results/logs/view_video/3.5.log\n", False),
        ("    wildcards: video=3\n", True),
        ("    wildcards: video=33\n", False),
        ("rule_view_video_wildcards_3\n", True),
        ("  - not_a_video: a, 3, b and 3 more\n", True),
        ("  - not_a_video: a, b, c, d, e and 3 more\n", False),
        ("  - view_video/a, 3 (person 2): it ended with 1\n", True),
        ("  - view_video/a: it ended with 1, 3\n", False),
        ("    params: given={'subject': '3', 'sex': None}\n", True),
        ("    params: given={'subject': 'Ada', 'mass_kg': 3}\n", False),
        ("    input: videos/of 3.mp4\n", True),
        ("    input: old/videos/of 3.mp4\n", False),
    ],
)
def test_lines_of_logs_tell_of_an_id_where_it_is_written_as_one(line: str, is_theirs: bool):
    traces = Traces(frozenset({"3"}), frozenset({"3"}), ("videos/of 3.mp4",))
    results = Path("results")
    mentions = find_mentions(traces, Places(results, results / "logs", results / "costs", None))
    assert bool(mentions.search(line.encode())) == is_theirs


class TestWhatTheRulesWriteIsKnown:
    rules = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("rules/*.smk"))

    def test_names_of_logs_and_benchmarks(self):
        found = re.findall(r'"<(?:logs|benchmarks)>/[^"/]+/\{+video\}+([^"]*)"', self.rules)
        assert len(found) > 30
        assert set(found) <= set(ENDINGS)

    def test_reports(self):
        found = set(re.findall(r'update\("<results>/([^"]*)"\)', self.rules))
        assert found | {"progress.json"} == {*TABLES, *JOINED}

    def test_messages(self):
        found = re.findall(r'message:\s+"([^"]*\{wildcards.video\}[^"]*)"', self.rules)
        assert len(found) > 10
        mentions = find_mentions(
            Traces(frozenset({"3"}), frozenset(), ()), Places(Path("r"), Path("l"), Path("b"), None)
        )
        for message in found:
            said = f"Job 7: {message.replace('{wildcards.video}', '3')}\n"
            assert mentions.search(said.encode()), said


def test_what_a_container_found_of_them_in_the_job_of_somebody_else_is_removed(project: Path):
    aside = "results/videos/walk/.pose_aside/0123/json/frame_000001_keypoints.json"
    work = "results/videos/walk2/pose/.workplace-x/container_1/pictures/1_frame_000001.png"
    for name in (aside, work):
        write(name, "theirs")
    write("results/videos/walk2/pose/frame_000001_keypoints.json", "of another")
    write(".snakemake/tapeless.waiting.json", json.dumps({"videos": {"pose": ["walk", "walk2"]}}))
    run = forget(ZORA, "--yes")
    assert run.exit_code == 0, run.output
    left = all_files()
    assert not {aside, work, ".snakemake/tapeless.waiting.json"} & set(left)
    assert "results/videos/walk2/pose/frame_000001_keypoints.json" in left


def test_what_a_killed_run_of_snakemake_left_behind_is_removed(project: Path):
    long = encoded(f"results/videos/walk/{'x' * 200}")
    for name in ("scripts/a.py", "backups/results/summary.csv", "iocache/latest.pkl",
                 f"metadata/@{long[:254]}/{long[254:]}"):  # fmt: skip
        write(f".snakemake/{name}", "of walk")
    for name in ("results/.summary.csv.1.unfinished", ".snakemake/.waiting.json.1.unfinished"):
        write(name, "video\nwalk\n")
    write(".snakemake/locks/0.output.lock", "results/videos/walk2/pose\nresults/videos/walk/pose\n")
    run = forget("walk", "--yes")
    assert run.exit_code == 0, run.output
    assert not any(Path().rglob("@*"))
    assert Path(".snakemake/locks/0.output.lock").read_text() == "results/videos/walk2/pose\n"


def test_logs_and_costs_are_found_wherever_the_configuration_puts_them(project: Path):
    """One folder may be named by another."""
    pathvars = '{logs: ../logs, benchmarks: "<logs>/costs"}'
    write("config/config.yaml", f"pathvars: {pathvars}\n")
    for folder in ("logs", "benchmarks"):
        shutil.rmtree(f"results/{folder}")
    for name in ("../logs/pose/walk.log", "../logs/costs/pose/walk.tsv"):
        write(name, "of them")
    run = forget(ZORA, "--yes")
    assert run.exit_code == 0, run.output
    assert list(Path("../logs").rglob("walk*")) == []


def test_what_joins_everybody_is_made_anew_by_the_next_run(project: Path):
    forget("walk2", "--yes")
    assert {name for name in all_files() if Path(name).parent == Path("results")} == {
        "results/summary.csv"
    }


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
    assert all_files() == before


def test_recordings_stay_when_they_are_to_stay(project: Path):
    run = forget(ZORA, "--yes", "--keep-recordings")
    assert run.exit_code == 0, run.output
    assert Path("videos/of zora.mp4").exists()
    assert not Path("results/videos/walk").exists()


@pytest.mark.parametrize("name", ["nobody", "wal", "..", ""])
def test_a_name_that_nobody_has_removes_nothing(project: Path, name: str):
    before = all_files()
    run = forget(name, "--yes")
    assert run.exit_code == 1
    assert "no subject and no video" in run.output
    assert all_files() == before


@pytest.mark.parametrize("video", ["results", "logs", "summary", "metadata", "sample_frames", "e"])
def test_an_id_that_is_also_a_word_of_ours_takes_nothing_else_with_it(project: Path, video: str):
    before = all_files()
    add_video(video, "eve")
    forget(video, "--yes")
    assert not Path(f"results/videos/{video}").exists()
    assert not Path(f"results/logs/sample_frames/{video}.log").exists()
    lost = set(before) - set(all_files())
    of_all = {f"results/{name}" for name in JOINED}
    assert lost == of_all | {".snakemake/metadata/" + encoded("results/summary.csv")}
