"""What a decoder could do if a video took it over: next to nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from video_files import numbered, write_clip

from tapeless.confinement import MEMORY_BYTES, find_confinement
from tapeless.outcomes import Rejected
from tapeless.video import Sampling, sample_frames
from tapeless.video.programs import HOST_TOOLS
from tapeless.video.tools import run_tool

PYTHON = sys.base_prefix + "/bin/python3"
SECRET = "of-my-bucket-2718"


@pytest.fixture(params=["with Bubblewrap", "without"])
def taken_over(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """Runs code of an attacker in the place of a decoder; what it printed."""
    find_confinement.cache_clear()
    if request.param == "without":
        monkeypatch.setattr("tapeless.confinement.shutil.which", without_bubblewrap)

    def run(code: str) -> str:
        with run_tool([PYTHON, "-I", "-c", code], 60) as tool:
            said = tool.stdout.read().decode()
            status = tool.finish()
        return said + f"status {status}" + "".join(tool.messages)

    yield run
    find_confinement.cache_clear()


def without_bubblewrap(name: str) -> str | None:
    paths = (Path(folder) / name for folder in os.environ["PATH"].split(":"))
    return None if name == "bwrap" else next((str(p) for p in paths if p.exists()), None)


def test_this_machine_can_shut_it_in_fully():
    """Else the tests below would prove less than they say."""
    find_confinement.cache_clear()
    found = find_confinement()
    assert found.bubblewrap is not None
    assert found.is_other_user == (os.geteuid() == 0)


class TestInAnyCase:
    def test_it_has_no_rights_and_gets_none(self, taken_over: Callable[..., str]):
        said = taken_over("print(open('/proc/self/status').read())")
        status = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)
        assert status["NoNewPrivs"] == "1"
        assert not {"0"} & set(status["Uid"].split())
        read_all = 1 << 2
        assert int(status["CapEff"], 16) & ~read_all == 0
        assert int(status["CapBnd"], 16) & ~read_all == 0 or os.geteuid() != 0

    def test_it_cannot_take_more_memory_than_it_may(self, taken_over: Callable[..., str]):
        assert "MemoryError" in taken_over(f"bytearray({MEMORY_BYTES})")
        assert "status 0" in taken_over(f"bytearray({MEMORY_BYTES // 2})")

    @pytest.mark.usefixtures("taken_over")
    def test_it_cannot_compute_for_ever(self):
        command = [PYTHON, "-I", "-c", "while True: pass"]
        with HOST_TOOLS.start(command, None, cpu_limit_s=1) as program:
            assert program.wait() == -signal.SIGXCPU

    def test_it_can_write_no_file(self, taken_over: Callable[..., str]):
        """Not even where everybody may."""
        with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
            Path(name).chmod(0o777)
            Path(name, "file").write_text("mine")
            Path(name, "file").chmod(0o666)
            for what in ("file", "other"):
                taken_over(
                    "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
                    f"open({name + '/' + what!r}, 'a').write('theirs')"
                )
                assert "theirs" not in "".join(p.read_text() for p in Path(name).iterdir())

    def test_it_leaves_no_dump_of_pictures(self, taken_over: Callable[..., str]):
        said = taken_over("import resource; print(resource.getrlimit(resource.RLIMIT_CORE))")
        assert said.startswith("(0, 0)")

    def test_it_opens_few_files(self, taken_over: Callable[..., str]):
        assert "Too many open files" in taken_over("[open('/dev/null') for _ in range(99)]")

    def test_it_is_told_no_secret(
        self, taken_over: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        assert SECRET not in taken_over("import os; print(dict(os.environ))")


class TestWithBubblewrap:
    def test_it_reaches_nobody_on_the_network(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            code = f"import socket; socket.create_connection({server.getsockname()!r}, 2)"
            said = run_in_python(code)
            assert "Error" in said
            with pytest.raises(BlockingIOError):
                server.accept()

    def test_it_reaches_no_daemon_by_a_socket_of_this_machine(self, tmp_path: Path):
        """As that of Docker, which would give it all rights."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "docker.sock"))
            server.listen()
            server.setblocking(False)
            code = "import socket; s = socket.socket(socket.AF_UNIX); "
            said = run_in_python(code + f"s.connect({str(tmp_path / 'docker.sock')!r})")
            assert "Error" in said
            with pytest.raises(BlockingIOError):
                server.accept()

    def test_it_sees_no_process_but_its_own(self):
        pids = run_in_python(
            "import os; print(' '.join(p for p in os.listdir('/proc') if p.isdigit()))"
        )
        assert str(os.getpid()) not in pids.split()
        assert len(pids.split()) < 5

    def test_it_changes_no_file_system(self, tmp_path: Path):
        folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
        for place in (folder, tmp_path, Path("/usr/bin"), Path.home()):
            said = run_in_python(f"import os; os.mkdir({str(place / 'made')!r})")
            assert "Error" in said
            assert not (place / "made").exists()
        folder.rmdir()


def run_in_python(code: str) -> str:
    with run_tool([PYTHON, "-I", "-c", code], 60) as tool:
        said = tool.stdout.read().decode()
        tool.finish()
    return said + "".join(tool.messages)


class TestOrdinaryVideos:
    @pytest.fixture
    def clip(self, tmp_path: Path) -> Path:
        return write_clip(tmp_path / "clip.mp4", numbered(8), "-c:v", "mpeg4")

    def test_one_that_only_root_may_read_is_read(self, clip: Path, tmp_path: Path):
        clip.chmod(stat.S_IRUSR)
        tmp_path.chmod(stat.S_IRWXU)
        (frames := tmp_path / "frames").mkdir()
        assert len(sample_frames(clip, frames, Sampling(frames=3))) == 3

    @pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no disk in memory")
    def test_one_on_a_disk_in_memory_is_read(self, clip: Path, tmp_path: Path):
        """Below `/dev`, of which a decoder has its own."""
        (frames := tmp_path / "frames").mkdir()
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            copy = Path(shutil.copy(clip, folder))
            assert len(sample_frames(copy, frames, Sampling(frames=3))) == 3

    def test_root_without_its_rights_can_still_decode(self, clip: Path, tmp_path: Path):
        """As in a container that was started with as few rights as possible."""
        (frames := tmp_path / "frames").mkdir()
        code = (
            "from pathlib import Path; from tapeless.video import sample_frames, Sampling; "
            f"print(len(sample_frames(Path({str(clip)!r}), Path({str(frames)!r}))))"
        )
        few = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
        done = subprocess.run([*few, sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.strip() == "8", done.stderr

    @pytest.mark.parametrize("death", ["SEGV", "ABRT", "XCPU"])
    @pytest.mark.parametrize("tool", ["ffprobe", "ffmpeg"])
    def test_one_that_crashes_its_decoder_is_rejected_and_not_tried_for_ever(
        self,
        clip: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        tool: str,
        death: str,
    ):
        stand_in = tmp_path / "bin" / tool
        stand_in.parent.mkdir()
        stand_in.write_text(f"#!/bin/sh\nkill -{death} $$\n")
        stand_in.chmod(0o755)
        monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")
        (frames := tmp_path / "frames").mkdir()
        with pytest.raises(Rejected, match="damaged, or made to do harm") as caught:
            sample_frames(clip, frames)
        assert caught.value.code == "no_frames"
