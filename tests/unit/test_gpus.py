"""Graphics cards: whose they are. The cards are made up; the jobs are real processes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from cards import Cards, make_cards, who_works
from estimate_shape_anny import main
from tapeless.bodies import Body
from tapeless.outcomes import Outcome
from tapeless.shape.anny import Settings


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Cards]:
    """Machines by how many cards they have."""
    folder = tmp_path_factory.mktemp("machines")
    return {count: make_cards(folder / str(count), count) for count in (1, 2, 3)}


@pytest.fixture
def one(machines: dict[int, Cards]) -> Cards:
    return machines[1]


@pytest.fixture
def two(machines: dict[int, Cards]) -> Cards:
    return machines[2]


@pytest.fixture
def three(machines: dict[int, Cards]) -> Cards:
    return machines[3]


def ask(cards: Cards, question: str, **environment: str) -> str:
    """What Python answers on a machine with these cards."""
    inherited = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    code = f"from tapeless.gpus import *\nprint({question})"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | cards.environment | environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


class TestWhatIsThere:
    def test_each_card_has_number_name_and_memory(self, two: Cards):
        two.use(b=20000)
        assert ask(two, "*read_gpus(), sep='\\n'").splitlines() == [
            f"Gpu(index=0, uuid='{two.uuids[0]}', name='Stand-in RTX a', "
            "memory_total_mb=24576, memory_free_mb=24576)",
            f"Gpu(index=1, uuid='{two.uuids[1]}', name='Stand-in RTX b', "
            "memory_total_mb=24576, memory_free_mb=4576)",
        ]

    def test_how_busy_cards_are_is_that_of_the_cards_asked_for(self, two: Cards):
        two.use(a=12288, b=200)
        loads = "[(load.gpu.index, load.memory_used_mb, load.utilisation_percent) for load in {}]"
        assert ask(two, loads.format(f"read_loads(['{two.uuids[1]}'])")) == "[(1, 200, 0)]"
        assert ask(two, loads.format("read_loads()")) == "[(0, 12288, 50), (1, 200, 0)]"

    def test_without_a_driver_it_says_what_to_do(self, one: Cards):
        with one.job(code="from tapeless.gpus import *; read_gpus()", STANDIN_GPUS="/none") as job:
            said = job.fail()
        assert "GpuError: The NVIDIA driver does not answer (Driver Not Loaded)" in said
        assert "install the driver" in said
        assert "docs/workstation.md names the keys" in said, "whichever of them it was"


class TestTurns:
    def test_jobs_at_once_have_different_cards(self, two: Cards):
        with two.job() as first, two.job() as second:
            assert sorted(first.wait_for_gpus() + second.wait_for_gpus()) == list(two.uuids)

    def test_on_one_card_they_take_turns(self, one: Cards):
        with one.job() as first, one.job() as second:
            working, waiting = who_works(first, second)
            assert working.wait_for_gpus() == list(one.uuids)
            assert waiting.is_waiting()
            working.end()
            assert waiting.wait_for_gpus() == list(one.uuids)
            assert waiting.end().count(f"waiting for 1 of the graphics cards {one.uuids[0]}") == 1

    def test_a_card_is_free_again_when_its_job_is_killed(self, one: Cards):
        with one.job() as killed:
            killed.wait_for_gpus()
            with one.job() as next_one:
                assert next_one.is_waiting()
                killed.process.kill()
                assert next_one.wait_for_gpus() == list(one.uuids)

    def test_programs_that_a_killed_job_leaves_behind_do_not_keep_its_card(self, one: Cards):
        with one.job(code=LEAVE_BEHIND) as killed:
            child = int(killed.wait_for_gpus()[-1])
            killed.process.kill()
            killed.process.wait()
            with one.job() as next_one:
                assert next_one.wait_for_gpus() == list(one.uuids)
                os.kill(child, signal.SIGKILL)  # it still ran

    def test_what_is_known_as_left_behind_by_a_killed_job_is_ended_before_the_next_has_the_card(
        self, one: Cards
    ):
        """Else both would compute on it."""
        with one.job(code=LEAVE_BEHIND, LABELLED="1") as killed:
            child = psutil.Process(int(killed.wait_for_gpus()[-1]))
            killed.process.kill()
            killed.process.wait()
            assert child.is_running() and child.status() != psutil.STATUS_ZOMBIE
            with one.job() as next_one:
                next_one.wait_for_gpus()
                assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE

    def test_a_job_may_have_several(self, three: Cards):
        with three.job(2) as first, three.job() as second:
            assert sorted(first.wait_for_gpus() + second.wait_for_gpus()) == list(three.uuids)

    def test_two_jobs_that_want_all_do_not_wait_for_each_other_for_ever(self, two: Cards):
        with two.job(2) as first, two.job(2) as second:
            working, waiting = who_works(first, second)
            assert working.wait_for_gpus() == list(two.uuids)
            working.end()
            assert waiting.wait_for_gpus() == list(two.uuids)

    def test_a_job_that_wants_two_is_not_put_off_for_ever_by_jobs_that_want_one(self, two: Cards):
        with two.job() as first, two.job() as second:
            first.wait_for_gpus()
            second.wait_for_gpus()
            with two.job(2) as patient:
                assert patient.is_waiting()
                first.end()
                assert patient.is_waiting()
                with two.job() as late:
                    assert late.is_waiting()  # the free card is the patient one's already
                    second.end()
                    late.process.kill()
                    assert patient.wait_for_gpus() == list(two.uuids)

    def test_more_than_there_are_is_an_error(self, two: Cards):
        with two.job(3) as greedy:
            assert "asks for 3 graphics cards, and there are 2" in greedy.fail()

    def test_none_asks_no_driver_and_looks_for_no_leftovers(self):
        code = "import sys\nfrom tapeless.gpus import *\nwith take_gpus(0) as gpus: "
        code += "print(gpus, {'pynvml', 'docker', 'tapeless.containers'} & set(sys.modules))"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert said.stdout == "() set()\n"

    def test_the_cards_of_a_process_are_what_its_cuda_sees(self, two: Cards):
        code = (
            "import os\nfrom tapeless.gpus import use_gpus\n"
            "with use_gpus(1): print(os.environ['CUDA_VISIBLE_DEVICES'])"
        )
        with two.job(code=code, CUDA_VISIBLE_DEVICES="1,0") as job:
            assert job.wait_for_gpus() == [two.uuids[1]]


LEAVE_BEHIND = """
import json, os, subprocess
from tapeless.containers.host import LABELS_VARIABLE
from tapeless.containers.jobs import make_labels
from tapeless.gpus import take_gpus
with take_gpus(1) as gpus:
    labels = {LABELS_VARIABLE: json.dumps(make_labels({}))} if "LABELLED" in os.environ else {}
    child = subprocess.Popen(["sleep", "60"], env=os.environ | labels)
    print(*gpus, child.pid, flush=True)
    child.wait()
"""


class TestFit:
    """The stage that fits Anny on a card."""

    @pytest.fixture
    def stages(self, tmp_path: Path) -> list[Path]:
        """The folders of the stages before it and of its own: keypoints, silhouettes, bodies."""
        folders = [tmp_path / name for name in ("keypoints", "silhouettes", "bodies")]
        for folder in folders:
            folder.mkdir()
            Outcome().write(folder)
        return folders

    def test_it_has_its_card_to_itself(
        self, stages: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        seen: list[str] = []

        def fit(*_: object) -> list[Body]:
            seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
            return []

        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1,MIG-2")
        monkeypatch.setenv("TAPELESS_GPU_SLOTS", str(tmp_path / "slots"))
        monkeypatch.setattr("estimate_shape_anny.estimate_bodies", fit)
        main(*stages[:2], tmp_path / "space.npz", stages[2], Settings(), gpus=1)
        assert seen == ["MIG-1"]

    def test_a_video_that_was_rejected_before_waits_for_none(
        self, stages: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # to ask for a card is an error
        Outcome("no_person", "Nobody is there.").write(stages[0])
        main(*stages[:2], tmp_path / "space.npz", stages[2], Settings(), gpus=1)
        assert Outcome.read(stages[2]).code == "no_person"


class TestChoice:
    """`CUDA_VISIBLE_DEVICES`, as Slurm or the user sets it."""

    @pytest.mark.parametrize(
        ("visible", "taken"),
        [
            ("1", [1]),
            ("2,0", [2, 0]),
            (" 0 , 0", [0]),
            ("1,-1,2", [1]),
            ("0,7,1", [0]),
            ("GPU-cccccccc", [2]),
            ("GPU-bbbbbbbb-1111-2222-3333-bbbbbbbbbbbb,0", [1, 0]),
        ],
    )
    def test_only_cards_that_it_names_are_taken(self, three: Cards, visible: str, taken: list[int]):
        with three.job(len(taken), CUDA_VISIBLE_DEVICES=visible) as job:
            assert job.wait_for_gpus() == [three.uuids[index] for index in taken]

    def test_a_number_and_a_uuid_of_one_card_are_one_slot(self, two: Cards):
        with two.job(CUDA_VISIBLE_DEVICES="1") as first:
            first.wait_for_gpus()
            with two.job(CUDA_VISIBLE_DEVICES=two.uuids[1]) as second:
                assert second.is_waiting()

    @pytest.mark.parametrize("visible", ["", "-1", "NoDevFiles", "2", "GPU-dddd"])
    def test_one_that_names_none_is_an_error(self, two: Cards, visible: str):
        with two.job(CUDA_VISIBLE_DEVICES=visible) as job:
            said = job.fail()
        assert f"CUDA_VISIBLE_DEVICES is {visible!r}, which names no graphics card" in said
        assert "The driver has 2: see nvidia-smi -L" in said

    def test_a_part_of_a_card_is_taken_by_its_name(self, two: Cards):
        with two.job(CUDA_VISIBLE_DEVICES="MIG-0123") as job:
            assert job.wait_for_gpus() == ["MIG-0123"]

    def test_without_a_driver_its_words_are_believed(self, two: Cards):
        with two.job(2, CUDA_VISIBLE_DEVICES="0,GPU-5", STANDIN_GPUS="/nowhere") as job:
            assert job.wait_for_gpus() == ["0", "GPU-5"]

    def test_without_a_driver_and_without_it_there_is_no_card(self, two: Cards):
        with two.job(STANDIN_GPUS="/nowhere") as job:
            assert "The NVIDIA driver does not answer (Driver Not Loaded)" in job.fail()


class TestSlots:
    """The files that stand for cards lie where all users can write, so nothing there is trusted."""

    @pytest.fixture
    def shared(self, one: Cards, tmp_path: Path) -> Path:
        """A folder for the slots that is still to be made."""
        return tmp_path / "slots"

    def test_they_are_for_all_users_whatever_the_umask(self, one: Cards, shared: Path):
        with one.job(umask=0o077, TAPELESS_GPU_SLOTS=str(shared)) as job:
            job.wait_for_gpus()
            assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
            (slot,) = shared.iterdir()
            assert slot.name == f"{one.uuids[0]}.lock"
            assert stat.S_IMODE(slot.stat().st_mode) == 0o666

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_users_take_turns_with_one_another(self, one: Cards):
        with (
            TemporaryDirectory() as folder
        ):  # tmp_path is closed to other users, the driver in it too
            Path(folder).chmod(0o755)
            Path(folder, "slots").mkdir()
            Path(folder, "slots").chmod(0o1777)
            where = {"TAPELESS_GPU_SLOTS": f"{folder}/slots", "CUDA_VISIBLE_DEVICES": "0"}
            with one.job(user=12345, **where) as theirs:
                assert theirs.wait_for_gpus() == ["0"]
                with one.job(user=12346, **where) as ours:
                    assert ours.is_waiting()
                    theirs.end()
                    assert ours.wait_for_gpus() == ["0"]

    def test_a_link_in_place_of_the_folder_is_refused(self, one: Cards, shared: Path):
        (shared.parent / "elsewhere").mkdir()
        shared.symlink_to("elsewhere")
        with one.job(TAPELESS_GPU_SLOTS=str(shared)) as job:
            assert f"The folder {shared}" in job.fail()
        assert not list((shared.parent / "elsewhere").iterdir())

    def test_a_link_in_place_of_a_slot_is_not_followed(self, one: Cards, shared: Path):
        shared.mkdir()
        (shared / f"{one.uuids[0]}.lock").symlink_to("elsewhere")
        with one.job(TAPELESS_GPU_SLOTS=str(shared)) as job:
            assert f"remove it (rm -r {shared})" in job.fail()
        assert not (shared / "elsewhere").exists()

    def test_a_pipe_in_place_of_a_slot_does_not_stop_the_job_for_ever(
        self, one: Cards, shared: Path
    ):
        shared.mkdir()
        os.mkfifo(shared / f"{one.uuids[0]}.lock")
        with one.job(TAPELESS_GPU_SLOTS=str(shared)) as job:
            assert "is no plain file" in job.fail()

    def test_tidying_them_up_does_no_harm(self, one: Cards, shared: Path):
        with one.job(TAPELESS_GPU_SLOTS=str(shared)) as first:
            first.wait_for_gpus()
            first.end()
            for slot in shared.iterdir():
                slot.unlink()
            with one.job(TAPELESS_GPU_SLOTS=str(shared)) as second:
                assert second.wait_for_gpus() == list(one.uuids)
