"""Provenance: what made the results can be read beside them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import write_provenance
from cards import make_cards
from examined import IMAGES
from tapeless.configuration import with_defaults
from tapeless.confinement import Confinement
from tapeless.hiding import hide_secrets
from tapeless.hints import join_options
from tapeless.needs import describe_needs, find_needs
from tapeless.provenance import describe_code, describe_run
from tapeless.watching.endings import word_command

ROOT = Path(__file__).parents[2]

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "a repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "code.py").write_text("1\n", encoding="utf-8")
    git(folder, "add", "code.py")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def describe(repository: Path, **changes: object) -> dict:
    arguments = {
        "version": "1.2.3",
        "command": "snakemake --cores 2",
        "config": {"videos": "videos", "sampling": {"frames": 24}},
        "repository": repository,
        "packages": ["numpy", "no-such-package"],
        "now": NOON,
        "ingredients": {},
        "has_cards": False,
    }
    return describe_run(**(arguments | changes))


def test_a_run_is_described_by_what_it_was_given(repository: Path) -> None:
    run = describe(repository)

    assert run["tapeless"] == "1.2.3"
    assert run["date"] == "2026-11-21T12:00:00+00:00"
    assert run["command"] == "snakemake --cores 2"
    assert run["config"] == {"videos": "videos", "sampling": {"frames": 24}}
    assert run["packages"] == {"numpy": np.__version__, "no-such-package": None}
    assert run["machine"]["cores"] >= 1
    assert json.loads(json.dumps(run)) == run


@pytest.mark.parametrize("bubblewrap", ["/usr/bin/bwrap", None])
def test_it_is_told_whether_ffmpeg_was_shut_in(
    repository: Path, bubblewrap: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Confinement(bubblewrap, is_other_user=False)
    monkeypatch.setattr("tapeless.provenance.find_confinement", lambda: found)

    assert describe(repository)["ffmpeg_in_bubblewrap"] is (bubblewrap is not None)


def test_values_of_the_containers_variables_are_not_told(repository: Path) -> None:
    config = configured(containers={"environment": {"TOKEN": "abc", "THREADS": "1"}})

    hidden = hide_secrets(config)

    assert hidden["containers"]["environment"] == {"TOKEN": "(hidden)", "THREADS": "(hidden)"}
    assert hidden | {"containers": 0} == config | {"containers": 0}
    assert hidden["containers"].keys() == config["containers"].keys()
    assert config["containers"]["environment"]["TOKEN"] == "abc"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("--cores 2 --config 'containers={environment: {A: b}}'", "--config 'containers=(hidden)'"),
        ("--config='containers={environment: {A: b}}'", "'--config=containers=(hidden)'"),
        ("-C'containers={environment: {A: b}}'", "'-Ccontainers=(hidden)'"),
        ("-C 'containers={environment: {A: b}}'", "-C 'containers=(hidden)'"),
        ("-nC='containers={environment: {A: b}}'", "'-nC=containers=(hidden)'"),
        ("-C 'containers={runtime: host,\n\"environment\": {A: b}}'", "-C 'containers=(hidden)'"),
        ("-C \"containers={'environment': {A: b}}\" x=1", "-C 'containers=(hidden)' x=1"),
        ("--configfile containers/environment.yaml", "--configfile containers/environment.yaml"),
        ("--config 'containers={runtime: host}' keep_frames=true", "'containers={runtime: host}'"),
        (
            "--storage-s3-secret-key 'A: b' --cores 2",
            "--storage-s3-secret-key '(hidden)' --cores 2",
        ),
        (
            "--storage-s3-secret-key one:A 'A: b' -n keypoints",
            "--storage-s3-secret-key '(hidden)' '(hidden)' -n keypoints",
        ),
        ("--storage-x-account-key 'A: b'", "--storage-x-account-key '(hidden)'"),
        ("--storage-x-passwd='A: b' x", "'--storage-x-passwd=(hidden)' x"),
        ("--storage-s3-token='A: b' --cores 2", "'--storage-s3-token=(hidden)' --cores 2"),
        ("--storage-s3-sec 'A: b' --cores 2", "--storage-s3-sec '(hidden)' --cores 2"),
        ("--storage-s3-access-k 'A: b'", "--storage-s3-access-k '(hidden)'"),
        ("--storage-s3-t='A: b' --storage-s3-reg eu", "=(hidden)' --storage-s3-reg eu"),
        ("--storage-http-auth 'A: b'", "--storage-http-auth '(hidden)'"),
        ("--storage-s3-endpoint-url https://me:A:b@host:9000/x", "https://me:(hidden)@host:9000/x"),
        ("--storage-s3-endpoint-url https://me:1@A:b@host/x@y", "https://me:(hidden)@host/x@y"),
    ],
)
def test_nor_are_they_in_the_command_line(repository: Path, typed: str, told: str) -> None:
    command = describe(repository, command=f"snakemake {typed}")["command"]

    assert told in command
    assert "A: b" not in command and "A:b" not in command


@pytest.mark.parametrize("option", ["--config ", "--config=", "-C", "-C "])
def test_a_command_with_secrets_is_not_said_again_when_a_run_ends(option: str) -> None:
    assert word_command(f"snakemake {option}'containers={{environment: {{A: b}}}}'") is None
    assert word_command(f"snakemake {option}keep_frames=true") is not None


def test_nor_are_they_in_commands_that_a_person_is_told_to_type() -> None:
    settings = ["keep_frames=true", "containers={environment: {TOKEN: abc}}", "people=all"]

    assert join_options([], settings) == (
        "--config keep_frames=true --config 'containers=(hidden)' --config people=all"
    )


def test_a_clean_repository_names_its_commit(repository: Path) -> None:
    expected = {"commit": git(repository, "rev-parse", "HEAD"), "changed": False}

    assert describe_code(repository) == expected


def test_edited_code_is_told_from_the_commit(repository: Path) -> None:
    (repository / "code.py").write_text("2\n", encoding="utf-8")

    assert describe_code(repository)["changed"] is True


def test_results_beside_the_code_do_not_count_as_edits(repository: Path) -> None:
    (repository / "summary.csv").write_text("video\n", encoding="utf-8")

    assert describe_code(repository)["changed"] is False


def test_a_folder_in_the_repository_of_something_else_has_no_commit(repository: Path) -> None:
    inner = repository / "inner"
    inner.mkdir()

    assert describe_code(inner) == {"commit": None, "changed": None}


def test_a_plain_folder_has_no_commit(tmp_path: Path) -> None:
    assert describe_code(tmp_path) == {"commit": None, "changed": None}


def test_a_machine_without_git_is_fine(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert describe_code(repository) == {"commit": None, "changed": None}


def test_the_file_beside_the_results_is_json(tmp_path: Path) -> None:
    path = tmp_path / "provenance.json"

    write_provenance.main(
        path, config={"keep_frames": False}, command=None, ingredients={}, has_cards=False
    )

    run = json.loads(path.read_text(encoding="utf-8"))
    assert run["config"] == {"keep_frames": False}
    assert run["command"] is None
    assert run["packages"]["numpy"] == np.__version__


def configured(**groups: dict[str, Any]) -> dict[str, Any]:
    schema = yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text(encoding="utf-8"))
    containers = {"images": str(IMAGES), **groups.pop("containers", {})}
    return with_defaults({"containers": containers, **groups}, schema)


def test_the_embedded_route_has_no_images_weights_or_cards(repository: Path) -> None:
    config = configured()

    assert describe_needs(config) == {}
    assert set(describe(repository)) == {
        "tapeless",
        "date",
        "command",
        "code",
        "python",
        "ffmpeg",
        "ffmpeg_in_bubblewrap",
        "packages",
        "machine",
        "config",
    }


def test_images_and_weights_of_the_chosen_backends_are_named_by_digest(
    tmp_path: Path, repository: Path
) -> None:
    images = yaml.safe_load((ROOT / "containers/images.yaml").read_text(encoding="utf-8"))
    images["openpose"]["docker"]["digest"] = "sha256:12"
    (tmp_path / "images.yaml").write_text(yaml.safe_dump(images), encoding="utf-8")
    weights = tmp_path / "models/pose/body_25/pose_iter_584000.caffemodel"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    config = configured(
        pose={"backend": "openpose", "openpose": {"models": str(tmp_path / "models")}},
        shape={"backend": "shapy", "shapy": {"data": str(tmp_path / "none")}},
        containers={"images": str(tmp_path / "images.yaml")},
    )

    run = describe(repository, config=config, ingredients=describe_needs(config))

    assert run["containers"] == {
        "runtime": "docker",
        "images": {"openpose": "sha256:12", "shapy": None},
    }
    assert run["weights"]["openpose"] == {
        "pose/body_25/pose_iter_584000.caffemodel": (
            f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
        )
    }
    assert set(run["weights"]["shapy"].values()) == {"missing"}


@pytest.mark.parametrize(
    ("groups", "rules"),
    [
        ({"pose": {"backend": "openpose"}}, {"estimate_pose"}),
        ({"pose": {"backend": "openpose", "openpose": {"gpu": False}}}, set()),
        ({"shape": {"backend": "shapy"}}, {"estimate_shape"}),
        ({"shape": {"backend": "shapy", "device": "cuda"}}, {"estimate_shape"}),
        ({"shape": {"device": "cuda"}}, {"estimate_shape"}),
        ({"sampling": {"hwaccel": "cuda"}}, {"sample_frames"}),
        ({"sampling": {"hwaccel": "auto", "ffmpeg": "container"}}, set()),
    ],
)
def test_cards_are_described_when_a_stage_computes_on_them(
    groups: dict[str, Any], rules: set[str]
) -> None:
    needed = find_needs(configured(**groups))
    assert {rule for rule, needs in needed.items() if needs.card} == rules


def test_cards_are_named_with_their_driver(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from tapeless.provenance import describe_cards; print(describe_cards())",
    ]
    environment = os.environ | make_cards(tmp_path, 2).environment

    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    names = ["Stand-in RTX a", "Stand-in RTX b"]
    assert said.stdout.strip() == str({"driver": "0.0-standin", "names": names})


def test_a_machine_without_cards_says_so_where_jobs_needed_them(repository: Path) -> None:
    assert describe(repository, has_cards=True)["graphics_cards"] is None
