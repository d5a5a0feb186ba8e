"""Graphics cards, as a stand-in for the NVIDIA driver reports them; PyTorch, as it was built."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from cards import Cards, make_cards
from examined import (
    OPENPOSE,
    ROOT,
    SHAPY,
    assert_failed,
    assert_ok,
    assert_unknown,
    look,
    look_from,
    only,
)

NAME = "graphics cards"
CUDA = {"device": "cuda"}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    """Two cards of 24576 MB."""
    return make_cards(tmp_path_factory.mktemp("cards"), 2)


@pytest.fixture(autouse=True)
def no_cards_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


class TestMemory:
    def test_each_card_is_named_with_what_is_free(self, two: Cards):
        two.use(b=20000)
        finding = only(look_from(two.environment, "estimate_pose", pose=OPENPOSE), NAME)
        assert_ok(finding)
        assert "RTX a with 24576 MB free" in finding.found
        assert "RTX b with 4576 MB free" in finding.found

    def test_one_card_with_room_for_openpose_will_do(self, two: Cards):
        two.use(a=24000, b=19000)
        assert_ok(only(look_from(two.environment, "estimate_pose", pose=OPENPOSE), NAME))

    def test_none_with_room_for_openpose_fails(self, two: Cards):
        two.use(a=24000, b=23500)
        finding = only(look_from(two.environment, "estimate_pose", pose=OPENPOSE), NAME)
        assert_failed(finding, found="OpenPose needs 1600 MB", remedy="nvidia-smi")

    def test_room_that_a_build_without_cudnn_may_exceed_stops_nobody(self, two: Cards):
        two.use(a=24000, b=20000)
        finding = only(look_from(two.environment, "estimate_pose", pose=OPENPOSE), NAME)
        assert_unknown(finding, "OpenPose without cuDNN was seen to take 5000 MB")

    def test_only_cards_that_jobs_may_take_count(self, two: Cards):
        two.use(b=24000)
        chosen = two.environment | {"CUDA_VISIBLE_DEVICES": "1"}
        finding = only(look_from(chosen, "estimate_pose", pose=OPENPOSE), NAME)
        assert_failed(finding, found="RTX b with 576 MB free; OpenPose", remedy="nvidia-smi")
        assert "RTX a" not in finding.found

    def test_the_memory_of_parts_of_a_card_stops_nobody(self, two: Cards):
        chosen = two.environment | {"CUDA_VISIBLE_DEVICES": "MIG-1"}
        assert_unknown(only(look_from(chosen, "estimate_pose", pose=OPENPOSE), NAME), "MIG-1")

    def test_what_shapy_needs_is_not_made_up(self, two: Cards):
        two.use(a=24000, b=23500)
        finding = only(look_from(two.environment, "estimate_shape", shape=SHAPY), NAME)
        assert_ok(finding)
        assert "SHAPY needs is not known" in finding.found


class TestDriver:
    @pytest.mark.parametrize(
        ("rule", "groups"),
        [
            ("estimate_pose", {"pose": OPENPOSE}),
            ("estimate_shape", {"shape": SHAPY}),
            ("estimate_shape", {"shape": CUDA}),
            ("sample_frames", {"sampling": {"hwaccel": "cuda"}}),
        ],
    )
    def test_without_one_whatever_computes_on_a_card_fails(self, rule: str, groups: dict):
        finding = only(look_from({"LD_LIBRARY_PATH": ""}, rule, **groups), NAME)
        assert_failed(finding, found="driver does not answer", remedy="docs/workstation.md")

    def test_a_driver_without_cards_fails(self, two: Cards, tmp_path: Path):
        (tmp_path / "none").write_text("", encoding="utf-8")
        environment = two.environment | {"STANDIN_GPUS": str(tmp_path / "none")}
        finding = only(look_from(environment, "estimate_pose", pose=OPENPOSE), NAME)
        assert_failed(finding, found="finds no graphics card", remedy="docs/workstation.md")

    def test_no_card_is_left_where_none_is_named(self, two: Cards):
        nothing = two.environment | {"CUDA_VISIBLE_DEVICES": ""}
        finding = only(look_from(nothing, "estimate_pose", pose=OPENPOSE), NAME)
        assert_failed(finding, found="names no graphics card", remedy="docs/workstation.md")

    def test_cards_that_were_assigned_are_trusted_as_jobs_do(self):
        environment = {"CUDA_VISIBLE_DEVICES": "0"}
        finding = only(look_from(environment, "estimate_pose", pose=OPENPOSE), NAME)
        assert_unknown(finding, "CUDA_VISIBLE_DEVICES=0")

    @pytest.mark.parametrize(
        "groups", [{}, {"pose": OPENPOSE | {"openpose": {"gpu": False}}}, {"shape": {}}]
    )
    def test_nobody_looks_for_cards_that_no_job_needs(self, groups: dict):
        assert NAME not in look("estimate_pose", "estimate_shape", **groups)
        assert NAME not in look("measure_bodies", shape=CUDA)

    def test_cards_of_other_machines_are_not_looked_for(self):
        elsewhere = {"is_elsewhere": True}
        assert NAME not in look("estimate_pose", pose=OPENPOSE, situation=elsewhere)


class TestTorch:
    NAME = "PyTorch on CUDA"

    @pytest.fixture
    def torch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The file in which an installed PyTorch says what it was built for."""
        spec = importlib.util.spec_from_file_location("torch", tmp_path / "__init__.py")
        monkeypatch.setattr(
            "tapeless.doctor.cards.find_spec", lambda name: spec if name == "torch" else None
        )
        return tmp_path / "version.py"

    def test_one_for_cpus_cannot_fit_on_a_card(self, torch: Path):
        torch.write_text("__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\n", "utf-8")
        finding = only(look("estimate_shape", shape=CUDA), self.NAME)
        assert_failed(finding, found="for CPUs", remedy="make setup TORCH=cuda")

    def test_one_for_cards_can(self, torch: Path):
        torch.write_text("cuda: Optional[str] = '13.0'\n", "utf-8")
        assert_ok(only(look("estimate_shape", shape=CUDA), self.NAME))

    def test_one_of_another_kind_stops_nobody(self, torch: Path):
        torch.write_text("hip = '7'\n", "utf-8")
        assert_unknown(only(look("estimate_shape", shape=CUDA), self.NAME), "does not say")

    def test_that_of_the_environment_is_for_cpus(self):
        assert "=cpu" in (ROOT / "envs/anny.yaml").read_text(encoding="utf-8")
        own = {"has_own_environments": True}
        finding = only(look("estimate_shape", shape=CUDA, situation=own), self.NAME)
        assert_failed(finding, found="for CPUs", remedy="without --use-conda")

    def test_a_fit_on_the_cpu_needs_none(self):
        assert self.NAME not in look("estimate_shape")
        assert self.NAME not in look("estimate_shape", shape=SHAPY | CUDA)
