"""Jobs in Apptainer's containers, as far as can be seen without it.

A stand-in in its place writes down how it was called, and runs the program on this machine with the
variables that the container would have. No real Apptainer has been run.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import container_jobs
from tapeless.checksums import checksum_file
from tapeless.containers import (
    ContainerError,
    ContainerFailedError,
    Job,
    Mount,
    read_digest,
    run_container,
)

STANDIN = f"""#!{sys.executable}
import json, os, pathlib, sys
call = sys.argv[1:]
image = next(i for i, word in enumerate(call) if word.endswith(".sif"))
prefix = "APPTAINERENV_"
inside = {{n[len(prefix):]: v for n, v in os.environ.items() if n.startswith(prefix)}}
scratch = call[call.index("--workdir") + 1]
record = {{"call": call, "inside": inside, "scratch": os.path.isdir(scratch)}}
(pathlib.Path(__file__).parent / "record.json").write_text(json.dumps(record))
program = call[image + 1:]
os.execvpe(program[0], program, {{"PATH": os.environ["PATH"], **inside}})
"""


@pytest.fixture
def apptainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stand-in, which comes first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "apptainer").write_text(STANDIN, encoding="utf-8")
    (folder / "apptainer").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "openpose.sif"
    path.write_bytes(b"an image")
    return path


@pytest.fixture
def settings(tmp_path: Path, image: Path) -> dict[str, Any]:
    """A configuration whose `openpose` is an image that holds Python."""
    images = container_jobs.write_images(
        tmp_path,
        program=[sys.executable, "-Sc"],
        workdir="/opt/openpose",
        apptainer={"image": str(image), "digest": checksum_file(image)},
    )
    return container_jobs.SETTINGS | {"images": images, "runtime": "apptainer"}


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Job]:
    """A job that runs a line of code, and may write to the folder `output`."""
    output = tmp_path / "output"
    output.mkdir()

    def make(code: str, *mounts: Mount, **how: Any) -> Job:
        return Job("openpose", (code,), (Mount(output, writable=True), *mounts), {}, **how)

    return make


def record_of(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "record.json").read_text())
    return record


def test_the_container_sees_its_mounts_and_nothing_else_of_the_machine(
    apptainer: Path,
    image: Path,
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    tmp_path: Path,
):
    source = tmp_path / 'a "strange", name: with everything'
    source.mkdir()
    run_container(make_job("pass", Mount(source), Mount(source, "/data")), settings)
    record = record_of(apptainer)
    call = record["call"]
    scratch = call[call.index("--workdir") + 1]
    quoted = str(source).replace('"', '""')
    assert call == [
        *("exec", "--containall", "--cleanenv", "--workdir", scratch, "--pwd", "/opt/openpose"),
        *("--net", "--network", "none"),
        *("--mount", f'type=bind,"src={quoted}",dst=/data,ro'),
        *("--mount", f"type=bind,src={tmp_path}/output,dst={tmp_path}/output"),
        *("--mount", f'type=bind,"src={quoted}","dst={quoted}",ro'),
        *(str(image), sys.executable, "-Sc", "pass"),
    ]
    assert record["scratch"]
    assert not Path(scratch).exists()


def test_what_a_job_says_of_a_folder_holds_and_what_lies_within_another_comes_after_it(
    apptainer: Path, make_job: Callable[..., Job], settings: dict[str, Any], tmp_path: Path
):
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    job = make_job("pass", Mount(tmp_path / "output"), Mount(tmp_path), Mount(inputs))
    settings["volumes"] = [{"source": str(tmp_path / "output")}, {"source": str(inputs)}]
    run_container(job, settings)
    call = record_of(apptainer)["call"]
    mounts = [call[i + 1] for i, word in enumerate(call) if word == "--mount"]
    assert mounts == [
        f"type=bind,src={tmp_path},dst={tmp_path},ro",
        f"type=bind,src={tmp_path}/output,dst={tmp_path}/output",
        f"type=bind,src={inputs},dst={inputs},ro",
    ]


def test_graphics_cards_and_ports_are_asked_for(
    apptainer: Path, make_job: Callable[..., Job], settings: dict[str, Any]
):
    run_container(make_job("pass"), settings)
    without = record_of(apptainer)
    assert "--nv" not in without["call"]
    assert without["inside"]["CUDA_VISIBLE_DEVICES"] == ""
    run_container(make_job("pass", gpus=("GPU-a", "GPU-b")), settings | {"ports": {"80": 8080}})
    asked = record_of(apptainer)
    assert "--nv" in asked["call"]
    assert "--network" not in asked["call"]
    assert asked["inside"]["CUDA_VISIBLE_DEVICES"] == "GPU-a,GPU-b"


def test_variables_reach_the_program_whatever_is_in_them(
    apptainer: Path, make_job: Callable[..., Job], settings: dict[str, Any]
):
    value = 'one, "two"=three $HOME \\ four'
    heard: list[str] = []
    job = make_job("import os; print(os.environ['A'])")
    run_container(job, settings | {"environment": {"A": value}}, listener=heard.append)
    assert heard == [value]


def test_a_program_that_fails_and_one_that_hangs_are_errors(
    apptainer: Path, make_job: Callable[..., Job], settings: dict[str, Any]
):
    with pytest.raises(ContainerFailedError, match="it said last:\n  no people") as caught:
        run_container(make_job("import sys; print('no people'); sys.exit(9)"), settings)
    assert caught.value.status == 9
    with pytest.raises(ContainerError, match="time limit"):
        job = make_job("import time; time.sleep(100)")
        run_container(job, settings | {"time_limit_minutes": 0.01})


def test_the_image_and_its_checksum_are_recorded(
    apptainer: Path,
    image: Path,
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    tmp_path: Path,
):
    run_container(make_job("pass"), settings, usage_file=tmp_path / "usage.json")
    usage = json.loads((tmp_path / "usage.json").read_text())
    assert (usage["image"], usage["digest"]) == (str(image), checksum_file(image))
    assert read_digest("openpose", settings) == checksum_file(image)


def test_another_image_than_the_one_pinned_is_refused_with_both_checksums(
    apptainer: Path, image: Path, make_job: Callable[..., Job], settings: dict[str, Any]
):
    pinned = checksum_file(image)
    image.write_bytes(b"another image")
    with pytest.raises(ContainerError) as caught:
        run_container(make_job("pass"), settings)
    assert all(
        text in str(caught.value)
        for text in (pinned, checksum_file(image), "tapeless pin openpose", str(image))
    )
    assert not (apptainer / "record.json").exists()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"image": None, "digest": "sha256:1"}, "names no image of Apptainer for openpose"),
        ({"image": "/none.sif", "digest": "sha256:1"}, "the image /none.sif cannot be read"),
        ({"image": "/none.sif", "digest": None}, "tapeless pin openpose"),
    ],
)
def test_an_image_that_is_not_there_says_how_to_get_it(
    entry: dict[str, Any],
    message: str,
    apptainer: Path,
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    tmp_path: Path,
):
    container_jobs.write_images(tmp_path, apptainer=entry)
    with pytest.raises(ContainerError, match=re.escape(message)) as caught:
        run_container(make_job("pass"), settings)
    assert "containers/openpose/README.md" in str(caught.value)


def test_a_machine_without_apptainer_says_how_to_get_it(
    make_job: Callable[..., Job], settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ContainerError, match=r"apptainer is not installed .* module load"):
        run_container(make_job("pass"), settings)
