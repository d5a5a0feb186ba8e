"""The stand-in for SHAPY keeps to the contract of the real one, silences and failures included."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from puppets import RED, picture_of, standing

from containers.standins.shapy.download import CHECKPOINT, make_download
from containers.standins.shapy.template import LANDMARKS, make_template
from shapy_videos import install
from tapeless.images import write_image
from tapeless.keypoints import Person, write_people
from tapeless.shapy_landmarks import find_landmark_files, load_landmarks

SOMEBODY = standing(x=150)
NOBODY: list[Person] = []
HARDLY = Person(np.where(np.arange(25)[:, None] < 5, SOMEBODY.points, 0))
PARAMS = ("--save-params", "true")


@dataclass
class Demo:
    """The stand-in in a folder of its own, with pictures to look at."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def add(self, name: str, *people: Person, suffix: str = "_keypoints") -> None:
        for stage in ("images", "keypoints"):
            (self.folder / "inputs" / stage).mkdir(parents=True, exist_ok=True)
        write_image(self.folder / f"inputs/images/{name}.png", picture_of((SOMEBODY, RED)))
        write_people(self.folder / f"inputs/keypoints/{name}{suffix}.json", people)

    def run(
        self,
        *options: str,
        cwd: str = "regressor",
        card: str = "0",
        mode: str = "",
        save: tuple[str, ...] = PARAMS,
    ) -> subprocess.CompletedProcess[str]:
        """Runs it as SHAPY is run; `options` are those of `--exp-opts`."""
        asked = {
            "output_folder": self.model,
            "datasets.pose.openpose.data_folder": self.folder / "inputs",
            "datasets.batch_size": 1,
            "datasets.pose_shape_ratio": 1.0,
            "datasets.pose.num_workers.test": 0,
        } | dict(option.split("=") for option in options)
        return subprocess.run(
            [
                sys.executable, self.folder / "regressor/demo.py",
                "--exp-cfg", "configs/b2a_expose_hrnet_demo.yaml",
                "--output-folder", self.results, *save,
                "--exp-opts", *(f"{key}={value}" for key, value in asked.items()),
            ],
            cwd=self.folder / cwd,
            env=os.environ | {"NVIDIA_VISIBLE_DEVICES": card, "STANDIN_SHAPY": mode},
            capture_output=True,
            text=True,
        )  # fmt: skip

    @property
    def written(self) -> list[str]:
        return sorted(path.name for path in self.results.iterdir())


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_download(tmp_path_factory.mktemp("shapy"))


@pytest.fixture
def demo(tmp_path: Path, download: Path) -> Demo:
    install(tmp_path)
    (tmp_path / "data").symlink_to(download)
    checkpoints = tmp_path / "model/checkpoints"
    checkpoints.mkdir(parents=True)
    shutil.copy(download / CHECKPOINT, checkpoints)
    return Demo(tmp_path)


# the body


def test_the_body_has_the_numbers_of_smplx_and_its_holes():
    template = make_template()
    assert (template.vertices.shape, template.faces.shape) == ((10475, 3), (20908, 3))
    edges = np.sort(template.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, owners = np.unique(edges, axis=0, return_counts=True)
    assert {count: int((owners == count).sum()) for count in set(owners)} == {1: 34, 2: 31345}


def test_the_published_landmarks_are_where_they_belong():
    template = make_template()
    places = template.vertices - [0, template.vertices[:, 1].min(), 0]
    for number, place in LANDMARKS.items():
        assert places[number] == pytest.approx(place, abs=0.03)
    assert template.vertices[8976, 1] == template.vertices[:, 1].max()


def test_the_landmark_files_are_of_the_documented_form(download):
    landmarks = load_landmarks(*find_landmark_files(download))
    template = make_template()
    corners = template.vertices[template.faces]
    heights = {
        name: np.average(corners[mark.face], axis=0, weights=mark.weights)[1]
        - template.vertices[:, 1].min()
        for name, mark in landmarks.items()
    }
    assert heights == pytest.approx(
        {"HeadTop": 1.72, "HeelLeft": 0.01, "CW_p": 1.27, "BW_p": 1.08, "IW_p": 0.785}, abs=0.01
    )


# what it writes


def test_a_result_has_the_documented_arrays(demo):
    demo.add("somebody", SOMEBODY)
    done = demo.run()
    assert (done.returncode, demo.written) == (0, ["somebody.npz"])
    with np.load(demo.results / "somebody.npz") as content:
        shapes = {name: content[name].shape for name in content.files if name != "measurements"}
        assert str(content["fname"]) == "somebody.png"
        assert "measurements" in content
    assert shapes == {
        "fname": (), "betas": (10,), "v_shaped": (10475, 3), "vertices": (10475, 3),
        "faces": (20908, 3), "joints": (144, 3), "proj_joints": (144, 2), "global_rot": (1, 3, 3),
        "raw_global_rot": (6,), "body_pose": (21, 3, 3), "raw_body_pose": (126,), "camera": (3,),
        "shift_x": (), "shift_y": (), "transl": (3,), "center": (2,), "focal_length_in_mm": (),
        "focal_length_in_px": (), "sensor_width": (),
    }  # fmt: skip


def test_the_log_names_the_weights_and_is_kept_in_the_model_folder(demo):
    demo.add("somebody", SOMEBODY)
    said = demo.run().stdout
    words = f"Loading checkpoint from {demo.model}/checkpoints/best_checkpoint!"
    assert words in said
    assert words in (demo.model / "info.log").read_text()


@pytest.mark.parametrize(("word", "count"), [("True", 5), ("yes", 0), ("1", 0)])
def test_only_the_word_true_saves_anything(demo, word, count):
    demo.add("somebody", SOMEBODY)
    demo.run(save=tuple(f"--save-{what}={word}" for what in ("params", "mesh", "vis")))
    assert len(demo.written) == count


def test_the_name_of_a_result_ends_at_the_first_dot(demo):
    demo.add("a.b", SOMEBODY)
    demo.run()
    assert demo.written == ["a.npz"]


# what it passes over


def test_pictures_without_people_are_passed_over_without_a_word(demo):
    demo.add("somebody", SOMEBODY, suffix="")
    demo.add("empty")
    demo.add("lonely", SOMEBODY, suffix="_not")
    demo.add("hardly", HARDLY)
    done = demo.run()
    assert (done.returncode, demo.written) == (0, ["somebody.npz"])
    assert "hardly" not in done.stdout + done.stderr


def test_of_several_people_the_last_overwrites_the_others(demo):
    demo.add("two", standing(x=100, stature=300), standing(x=250))
    demo.run()
    with np.load(demo.results / "two.npz") as content:
        assert content["center"][0] == pytest.approx(250, abs=1)


def test_without_weights_it_carries_on_with_random_bodies(demo):
    demo.add("somebody", SOMEBODY)
    shutil.rmtree(demo.model / "checkpoints")
    bodies = []
    for _ in range(2):
        done = demo.run()
        assert done.returncode == 0
        assert "No checkpoint found in" in done.stdout
        with np.load(demo.results / "somebody.npz") as content:
            bodies.append(content["betas"])
    assert not np.allclose(*bodies)


def test_with_a_part_of_its_weights_it_carries_on_with_random_bodies_too(demo):
    demo.add("somebody", SOMEBODY)
    bodies = []
    for _ in range(2):
        done = demo.run(mode="missing_keys")
        assert done.returncode == 0
        assert "The following keys were not found: ['param_mean', " in done.stdout
        with np.load(demo.results / "somebody.npz") as content:
            bodies.append(content["betas"])
    assert not np.allclose(*bodies)


# what it refuses


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"card": "void"}, (3, "CUDA is not available!")),
        ({"card": ""}, (3, "CUDA is not available!")),
        ({"cwd": "."}, (1, "No such file or directory: 'configs/b2a_expose_hrnet_demo.yaml'")),
        ({"options": ["datasets.pose_shape_ratio=0.5"]}, (1, "batch_size should be a positive")),
        ({"options": ["datasets.bath_size=1"]}, (1, "not in 'Config'")),
        ({"options": ["datasets.batch_size=one"]}, (1, "is no <class 'int'>")),
        ({"options": ["datasets.pose.openpose.img_folder=photos"]}, (1, "No such file")),
        ({"options": ["output_folder=/dev/null/model"]}, (1, "Not a directory")),
        ({"options": ["body_model.model_folder=elsewhere"]}, (1, "No such file")),
    ],
)
def test_it_refuses_what_the_real_one_refuses(demo, options, words):
    demo.add("somebody", SOMEBODY)
    done = demo.run(*options.pop("options", []), **options)
    status, message = words
    assert done.returncode == status
    assert message in done.stderr


@pytest.mark.parametrize(
    ("people", "words"),
    [(NOBODY, "need at least one array to concatenate"), ([HARDLY], "ZeroDivisionError")],
)
def test_it_ends_with_a_python_error_when_nobody_is_left(demo, people, words):
    demo.add("somebody", *people)
    done = demo.run()
    assert done.returncode == 1
    assert words in done.stderr


def test_a_file_that_is_no_picture_is_a_crash(demo):
    demo.add("somebody", SOMEBODY)
    (demo.folder / "inputs/images/somebody.png").write_text("no picture")
    done = demo.run()
    assert done.returncode == 1
    assert "!_src.empty() in function 'cvtColor'" in done.stderr
