"""The command line: results as a table, and what it says when there are none."""

from __future__ import annotations

import hashlib
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import termios
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from snakemake.cli import parse_config

from tapeless.cli import main

ROOT = Path(__file__).parents[2]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The reports of a run: one person measured, one video rejected."""
    pd.DataFrame(
        {
            "video": ["ann", "ann", "hall", "hall"],
            "measurement": ["waist", "mass"] * 2,
            "unit": ["cm", "kg"] * 2,
            "50%": [81.26, 63.14, None, None],
            "low": [78.0, 60.0, None, None],
            "high": [85.0, 67.0, None, None],
        }
    ).to_csv(tmp_path / "measurements.csv")
    pd.DataFrame(
        {
            "video": ["ann", "hall"],
            "status": ["measured", "rejected"],
            "code": [None, "no_person"],
            "reason": [None, "Nobody was found."],
        }
    ).to_csv(tmp_path / "summary.csv")
    return tmp_path


def test_show_prints_each_measurement_with_its_interval(results: Path) -> None:
    said = call("show", results)
    assert said.exit_code == 0
    assert "ann\n" in said.output
    lines = [line.split() for line in said.output.splitlines()]
    assert ["waist", "cm", "81.3", "78.0", "-", "85.0"] in lines
    assert ["mass", "kg", "63.1", "60.0", "-", "67.0"] in lines


def test_show_tells_the_people_of_a_video_apart(tmp_path: Path) -> None:
    pd.DataFrame(
        {
            "video": ["pair", "pair"],
            "person": [1, 2],
            "measurement": ["waist_to_height"] * 2,
            "unit": ["ratio"] * 2,
            "50%": [0.4712, 0.5],
            "low": [0.45, 0.48],
            "high": [0.49, 0.52],
        }
    ).to_csv(tmp_path / "measurements.csv")
    pd.DataFrame(
        {
            "video": ["pair"] * 3,
            "person": [1, 2, 3],
            "status": ["measured", "measured", "rejected"],
            "code": [None, None, "too_few_frames"],
            "reason": [None, None, "Hidden."],
        }
    ).to_csv(tmp_path / "summary.csv")

    lines = call("show", tmp_path).output.splitlines()

    assert [line for line in lines if line.startswith("pair")] == [
        "pair",
        "pair, person 2",
        "pair, person 3: rejected (too_few_frames). Hidden.",
    ]
    assert ["waist_to_height", "ratio", "0.471", "0.450", "-", "0.490"] in [
        line.split() for line in lines
    ]


def test_show_lists_a_rejected_video_with_its_reason_only(results: Path) -> None:
    lines = [line for line in call("show", results).output.splitlines() if "hall" in line]
    assert lines == ["hall: rejected (no_person). Nobody was found."]


@pytest.mark.parametrize("video", ["001", "NA", "1e3", "true", "null"])
def test_an_id_is_shown_as_it_is(results: Path, video: str) -> None:
    for name in ("measurements.csv", "summary.csv"):
        table = (results / name).read_text()
        (results / name).write_text(table.replace("ann", video).replace("hall", f"0{video}"))
    lines = call("show", results).output.splitlines()
    assert video in lines
    assert f"0{video}: rejected (no_person). Nobody was found." in lines


def test_show_says_when_a_folder_holds_no_results(tmp_path: Path) -> None:
    said = call("show", tmp_path)
    assert said.exit_code != 0
    assert "summary.csv" in said.output


def test_run_of_a_folder_without_videos_fails(tmp_path: Path) -> None:
    said = call("run", tmp_path, tmp_path / "results", "--cores", "1")
    assert said.exit_code != 0
    assert not (tmp_path / "results" / "summary.csv").exists()


@pytest.mark.parametrize(
    "name",
    [
        "clips #2",
        "a: b",
        "[x]",
        "{y: 1}",
        "170",
        "null",
        "- q'u\"o",
        "ümläut 😀",
        "new\nline ",
        "a=b",
    ],
)
def test_run_hands_folders_on_whatever_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    commands: list[list[str]] = []

    def note(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, returncode=3)

    monkeypatch.setattr(subprocess, "run", note)
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    call("run", "--", name, f"{name}/results")
    (command,) = commands
    understood = parse_config(command[command.index("--config") + 1 :])
    assert understood == {
        "videos": str(tmp_path / name),
        "sheet": "null",
        "pathvars": {"results": str(tmp_path / name / "results")},
    }


def _read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the program has ended
        return b""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run Snakemake in: the configuration and the images of tapeless, and Apptainer."""
    for name in ("config/config.yaml", "containers/images.yaml"):
        (tmp_path / name).parent.mkdir()
        shutil.copy2(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


class TestDoctor:
    """What each line says: test_doctor*.py."""

    def test_a_machine_that_serves_has_status_0_and_a_table(self, folder: Path) -> None:
        said = call("doctor")
        assert said.exit_code == 0, said.output
        assert re.search(r"^ffmpeg +ok +\d+\.\d+ \(", said.output, flags=re.MULTILINE)
        assert said.output.endswith("mediapipe and anny can run here, as far as can be told.\n")

    def test_one_failure_is_status_1_and_its_line_ends_with_the_remedy(self, folder: Path) -> None:
        (folder / "results").write_text("in the way", encoding="utf-8")
        said = call("doctor")
        assert said.exit_code == 1
        (line,) = (line for line in said.output.splitlines() if "FAILED" in line)
        assert line.startswith("results ")
        assert "pathvars.results: another folder" in line.split(" -> ")[-1]
        assert "1 thing to mend before mediapipe and anny can run" in said.output

    def test_on_a_terminal_no_line_is_wider_than_it(self, folder: Path) -> None:
        command = [sys.executable, "-c", "from tapeless.cli import main; main()", "doctor"]
        command += ["--config", "pose={backend: openpose}"]
        here, there = pty.openpty()
        termios.tcsetwinsize(there, (24, 60))
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
        with subprocess.Popen(command, stdin=there, stdout=there, env=environment) as process:
            os.close(there)
            said = b"".join(iter(lambda: _read_terminal(here), b"")).decode()
        os.close(here)
        assert process.returncode == 1
        assert "\x1b[31mFAILED" in said
        table = re.sub(r"\x1b\[\d+m", "", said).split("\r\n\r\n")[0]
        words = [line for line in table.splitlines() if len(line) > 60]
        assert all(" " not in line[30:].strip() for line in words), words

    def test_it_examines_the_route_that_is_chosen(self, folder: Path) -> None:
        said = call("doctor", "--configfile", ROOT / "config/reference.yaml")
        assert said.exit_code == 1
        assert "pose.openpose.models must be given" in said.output
        assert re.search(r"^image shapy +FAILED +no digest", said.output, flags=re.MULTILINE)
        assert "body model" not in said.output

    def test_what_is_to_be_typed_is_for_the_same_configuration(self, folder: Path) -> None:
        given = ("--configfile", folder / "my study.yaml", "--config", "containers={pull: true}")
        shutil.copy2(ROOT / "config/reference.yaml", folder / "my study.yaml")
        (line,) = re.findall(r"^image shapy .*", call("doctor", *given).output, flags=re.MULTILINE)
        typed = line.split(", then tapeless ")[1]
        assert typed.startswith("pin shapy --configfile 'my study.yaml'")
        said = call(*shlex.split(typed))
        assert "docker" in said.output.lower()  # the runtime of that file, and no complaint of ours
        assert "Usage" not in said.output
        assert "configfile" not in call("doctor", "--config", "pose={backend: openpose}").output

    def test_single_keys_go_over_files(self, folder: Path) -> None:
        reference = ("--configfile", ROOT / "config/reference.yaml")
        keys = ("pose={backend: mediapipe}", "shape={backend: anny}", "keep_frames=true")
        said = call("doctor", *reference, *(part for key in keys for part in ("--config", key)))
        assert said.exit_code == 0, said.output

    @pytest.mark.parametrize("keys", [("--config", "pose"), ("--configfile", "none.yaml")])
    def test_wrong_options_are_told_from_failures(self, folder: Path, keys: tuple[str]) -> None:
        assert call("doctor", *keys).exit_code == 2

    def test_a_configuration_that_cannot_be_understood_is_all_that_is_said(
        self, folder: Path
    ) -> None:
        said = call("doctor", "--config", "shape={device: tpu}")
        assert said.exit_code == 1
        first, *rest = said.output.splitlines()
        assert first.startswith("configuration  FAILED   shape.device must be one of cpu, cuda")
        assert "ffmpeg" not in "".join(rest)

    def test_environments_that_snakemake_makes_are_left_to_it(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "")
        assert call("doctor").exit_code == 1
        assert call("doctor", "--use-conda").exit_code == 0

    def test_elsewhere_it_examines_the_folder_of_tapeless(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        said = call("doctor")
        assert said.exit_code == 0, said.output
        assert "profiles/default" in said.output
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("package", ["pandas", "numpy", "docker", "pynvml", "torch", "cv2"])
    def test_it_starts_where_packages_are_missing(self, folder: Path, package: str) -> None:
        """That is what it is for."""
        code = f"import sys; sys.modules[{package!r}] = None; from tapeless.cli import main; main()"
        command = [sys.executable, "-c", code, "doctor", "--config", "pose={backend: openpose}"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        assert said.returncode == 1
        assert re.search(r"^packages +FAILED +not installed: ", said.stdout, flags=re.MULTILINE)
        assert said.stderr == ""


class TestPin:
    @pytest.fixture(autouse=True)
    def image(self, folder: Path) -> None:
        """An image of Apptainer for OpenPose."""
        (folder / "openpose.sif").write_bytes(b"image")
        file = folder / "containers/images.yaml"
        text = file.read_text(encoding="utf-8")
        text = text.replace("apptainer: {image: null", "apptainer: {image: openpose.sif", 1)
        file.write_text(text, encoding="utf-8")

    def pin(self, *programs: str) -> Result:
        return call("pin", *programs, "--config", "containers={runtime: apptainer}")

    def test_it_says_what_it_changed_and_then_that_there_is_nothing_to_change(self) -> None:
        digest = f"sha256:{hashlib.sha256(b'image').hexdigest()}"
        said = self.pin("openpose")
        assert said.exit_code == 0
        pinned = f"openpose, apptainer: {digest} in containers/images.pins.yaml"
        assert said.output == f"{pinned} (was none)\n"
        assert self.pin("openpose").output == f"{pinned} (as it was)\n"

    def test_from_then_on_the_doctor_is_content_with_the_image(self, folder: Path) -> None:
        self.pin("openpose")
        said = call(
            "doctor",
            *("--config", "pose={backend: openpose}"),
            *("--config", "containers={runtime: apptainer}"),
        )
        assert "no digest" not in said.output

    @pytest.mark.parametrize(
        ("program", "why"), [("shapy", "names no image"), ("openpoze", "did you mean openpose?")]
    )
    def test_what_cannot_be_pinned_fails_and_changes_nothing(
        self, folder: Path, program: str, why: str
    ) -> None:
        before = sorted(folder.rglob("*"))
        said = self.pin(program)
        assert said.exit_code == 1
        assert why in said.output
        assert sorted(folder.rglob("*")) == before

    def test_what_can_be_pinned_is_and_every_fault_is_said(self) -> None:
        said = self.pin("shapy", "openpoze", "openpose", "openpoze")
        assert said.exit_code == 1
        assert re.search(r"^openpose, apptainer: sha256:", said.output, flags=re.MULTILINE)
        faults = [line for line in said.output.splitlines() if line.startswith("Error: ")]
        assert len(faults) == 2
        for fault, why in zip(faults, ["names no image", "did you mean openpose?"], strict=True):
            assert why in fault

    def test_without_a_program_it_is_all_of_the_route(self) -> None:
        runtime = ("--config", "containers={runtime: apptainer}")
        assert call("pin", "--config", "pose={backend: openpose}", *runtime).exit_code == 0
        said = call("pin", "--configfile", ROOT / "config/reference.yaml", *runtime)
        assert said.exit_code == 1
        assert re.search(r"^openpose, apptainer: .*as it was", said.output, flags=re.MULTILINE)
        assert "shapy" in said.output

    def test_a_route_without_containers_has_nothing_to_pin(self) -> None:
        said = self.pin()
        assert said.exit_code == 1
        assert "nothing to pin" in said.output


def test_help_names_every_command() -> None:
    said = call("--help")
    assert {"demo", "run", "show", "doctor", "pin"} <= set(said.output.split())
