"""Jobs in containers of a real Docker daemon: what they may do, how they end, what they leave."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest
from docker_daemon import UNKNOWN_GPU, import_empty

import container_jobs
from tapeless.containers import (
    ContainerError,
    ContainerFailedError,
    Job,
    Mount,
    read_digest,
    remove_leftovers,
    run_container,
)
from tapeless.gpus import use_gpus

PATIENCE_S = 60
NOBODY = 65534
SLEEP = "import time; print('at work'); time.sleep(100)"
LABELS = {"rule": "estimate_pose", "video": "Zoë's “walk”"}


@pytest.fixture
def client(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[docker.DockerClient]:
    """The tests' daemon, which is that of the job, too."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    with closing(docker.DockerClient(docker_host)) as client:
        yield client


@pytest.fixture
def settings(
    client: docker.DockerClient, base_image: str, public_folder: Path, tmp_path: Path
) -> dict[str, Any]:
    """A configuration whose `openpose` is Python in a container, which takes a line of code."""
    pinned = {"image": base_image, "digest": client.images.get(base_image).id}
    images = container_jobs.write_images(
        public_folder, program=["python3", "-Sc"], workdir="/opt", docker=pinned
    )
    return container_jobs.SETTINGS | {"images": images, "runtime": "docker"}


@pytest.fixture
def output(public_folder: Path) -> Path:
    """The folder that the job may write to."""
    folder = public_folder / "output"
    folder.mkdir()
    return folder


@pytest.fixture
def make_job(output: Path) -> Callable[..., Job]:
    """A job that runs a line of code, and may write to `output`."""

    def make(code: str, *mounts: Mount, **how: Any) -> Job:
        return Job("openpose", (code,), (Mount(output, writable=True), *mounts), LABELS, **how)

    return make


def listen(job: Job, settings: dict[str, Any]) -> list[str]:
    """Runs a job; what it said."""
    heard: list[str] = []
    run_container(job, settings, listener=heard.append)
    return heard


def names(client: docker.DockerClient) -> set[str]:
    return {str(container.name) for container in client.containers.list(all=True)}


# --- what a container may do ------------------------------------------------------------------


def test_what_a_container_writes_belongs_to_who_ran_the_job(
    make_job: Callable[..., Job], settings: dict[str, Any], output: Path, docker_host: str
):
    """A user who is no root, but in Docker's group."""
    os.chown(output, NOBODY, NOBODY)
    group = Path(docker_host.removeprefix("unix://")).stat().st_gid
    code = (
        f"import os; os.makedirs('{output}/a/b'); open('{output}/a/b/c', 'w'); print(os.getuid())"
    )
    description = container_jobs.describe(make_job(code), settings, None, (NOBODY, [group]))
    process = container_jobs.start(description, output)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (0, f"{NOBODY}\n")
    written = [output / "a", output / "a/b", output / "a/b/c"]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(NOBODY, NOBODY)}


def test_a_groups_files_can_be_read_by_its_members(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    output: Path,
    public_folder: Path,
    docker_host: str,
):
    """Weights of a laboratory, say."""
    shared = public_folder / "weights"
    shared.write_text("of the group")
    shared.chmod(0o640)
    os.chown(shared, 0, 4321)
    group = Path(docker_host.removeprefix("unix://")).stat().st_gid
    job = make_job(f"print(open('{shared}').read())", Mount(shared))
    description = container_jobs.describe(job, settings, None, (NOBODY, [group, 4321]))
    said, _ = container_jobs.start(description, output).communicate(timeout=PATIENCE_S)
    assert said == "of the group\n"


def test_root_can_read_and_write_what_it_can_outside(
    make_job: Callable[..., Job], settings: dict[str, Any], output: Path, public_folder: Path
):
    private = public_folder / "private"
    private.write_text("of somebody else")
    private.chmod(0o600)
    os.chown(private, NOBODY, NOBODY)
    os.chown(output, NOBODY, NOBODY)
    job = make_job(f"open('{output}/a', 'w').write(open('{private}').read())", Mount(private))
    run_container(job, settings)
    assert (output / "a").read_text() == "of somebody else"


def test_a_container_can_write_to_its_output_and_to_tmp_only(
    make_job: Callable[..., Job], settings: dict[str, Any], output: Path, public_folder: Path
):
    (public_folder / "input").mkdir()
    (public_folder / "input/file").write_text("as it was")
    folders = [f"{public_folder}/input", "/", "/opt", "/usr", "/etc", str(output), "/tmp", "~"]
    code = f"""
import os
for folder in {folders}:
    try:
        open(os.path.expanduser(folder) + "/file", "w").write("changed")
        print(folder)
    except OSError as error:
        assert error.errno == 30, error
"""
    assert listen(make_job(code, Mount(public_folder / "input")), settings) == [
        str(output),
        "/tmp",
        "~",
    ]
    assert (public_folder / "input/file").read_text() == "as it was"


def test_a_container_has_no_network(make_job: Callable[..., Job], settings: dict[str, Any]):
    code = """
import socket
print([name for _, name in socket.if_nameindex()])
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as error:
    print(error.strerror)
"""
    assert listen(make_job(code), settings) == ["['lo']", "Network is unreachable"]


def test_a_container_has_no_rights_that_it_does_not_need(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    code = """
for line in open("/proc/self/status"):
    if line.startswith(("CapEff", "CapBnd", "NoNewPrivs", "Seccomp:")):
        print(*line.split())
import resource
print("dumps", *resource.getrlimit(resource.RLIMIT_CORE))
"""
    only_dac_override = f"{1 << 1:016x}"  # as the tests' root
    assert listen(make_job(code), settings) == [
        f"CapEff: {only_dac_override}",
        f"CapBnd: {only_dac_override}",
        "NoNewPrivs: 1",
        "Seccomp: 2",
        "dumps 0 0",
    ]


def test_a_container_is_as_the_configuration_says(
    make_job: Callable[..., Job], settings: dict[str, Any], public_folder: Path
):
    for name in ("volume", "share"):
        (public_folder / name).mkdir()
        (public_folder / name / name).touch()
    mounts = public_folder / "mounts.yaml"
    mounts.write_text(f"- {{source: {public_folder}/share, target: /mnt/share, writable: true}}")
    settings |= {
        "shm_mb": 48,
        "ulimits": {"nofile": 123, "stack": 1 << 26},
        "environment": {"A": "as configured"},
        "volumes": [{"source": f"{public_folder}/volume"}],
        "mounts_file": str(mounts),
    }
    code = f"""
import os, resource
print(os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize >> 20)
print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_STACK))
print(os.environ["A"], os.getcwd())
print(os.listdir("{public_folder}/volume"), os.listdir("/mnt/share"))
open("/mnt/share/new", "w")
"""
    assert listen(make_job(code), settings) == [
        "48",
        "(123, 123) (67108864, 67108864)",
        "as configured /opt",
        "['volume'] ['share']",
    ]
    assert (public_folder / "share/new").exists()


def test_the_cards_of_a_job_reach_its_container_and_no_others(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    code = "import os; print(os.environ['NVIDIA_VISIBLE_DEVICES'])"
    assert listen(make_job(code, gpus=("GPU-1", "GPU-2")), settings) == ["GPU-1,GPU-2"]
    assert listen(make_job(code), settings) == ["void"]


def test_a_card_that_there_is_not_is_said(make_job: Callable[..., Job], settings: dict[str, Any]):
    with pytest.raises(ContainerError, match=f"graphics card {UNKNOWN_GPU}: nvidia-smi -L must"):
        run_container(make_job("pass", gpus=(UNKNOWN_GPU,)), settings)


def test_files_are_where_they_are_outside_whatever_their_name_and_behind_links_too(
    make_job: Callable[..., Job], settings: dict[str, Any], public_folder: Path
):
    folder = public_folder / 'it\'s "Zoë", a:b;c $HOME %s'
    folder.mkdir()
    (folder / "file").touch()
    (public_folder / "link").symlink_to(folder.name)
    job = make_job(
        "import os, sys; print([os.listdir(path) for path in sys.argv[1:]])",
        *(Mount(folder), Mount(public_folder / "link")),
    )
    arguments = (*job.arguments, str(folder), str(public_folder / "link"))
    assert listen(replace(job, arguments=arguments), settings) == ["[['file'], ['file']]"]


def test_a_limit_that_the_daemon_may_not_set_is_said(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    with pytest.raises(ContainerError, match=r"limit of containers\.ulimits"):
        run_container(make_job("pass"), settings | {"ulimits": {"nofile": 1 << 40}})


def test_a_container_has_a_network_when_ports_are_asked_for(
    make_job: Callable[..., Job], settings: dict[str, Any], client: docker.DockerClient
):
    found: list[dict[str, Any]] = []

    def look(_: str) -> None:
        found.extend(container.attrs["HostConfig"] for container in client.containers.list())

    job = make_job("import time; print('here'); time.sleep(1)")
    run_container(job, settings | {"ports": {"80": 8080, "53/udp": 5353}}, listener=look)
    assert found[0]["NetworkMode"] == "bridge"
    assert found[0]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5353"}],
    }


def test_a_container_says_whose_it_is(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    monkeypatch.chdir(tmp_path)
    found: list[dict[str, str]] = []

    def look(_: str) -> None:
        found.extend(container.labels for container in client.containers.list())

    run_container(make_job("import time; print('here'); time.sleep(1)"), settings, listener=look)
    (labels,) = found
    assert labels["tapeless.rule"] == LABELS["rule"]
    assert labels["tapeless.video"] == LABELS["video"]
    assert labels["tapeless.run"] == str(tmp_path)
    assert labels["tapeless.host"] == socket.gethostname()
    assert labels["tapeless.pid"] == str(os.getpid())


# --- what it says and uses --------------------------------------------------------------------


def test_whatever_bytes_a_container_writes_become_lines(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    code = r"""
import os
os.write(1, b"caf\xe9 \x00\x1b[31mred\x1b[0m\r 1%\r 2%\r\n\n" + b"x" * 200000 + b"\n")
os.write(1, b"no line feed at the end")
"""
    assert listen(make_job(code), settings) == [
        "caf\\xe9 \\x00red",
        " 1%",
        " 2%",
        "x" * 4096 + " … (195904 more bytes)",
        "no line feed at the end",
    ]


def test_a_flood_of_output_arrives_whole(make_job: Callable[..., Job], settings: dict[str, Any]):
    code = "for i in range(200000): print('line', i)"
    heard = listen(make_job(code), settings)
    assert heard == [f"line {i}" for i in range(200000)]


def test_what_a_container_used_is_written_beside_the_benchmark(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    public_folder: Path,
    output: Path,
    base_image: str,
    client: docker.DockerClient,
):
    usage_file = public_folder / "usage.json"
    (public_folder / "large").write_bytes(bytes(200 << 20))
    code = f"""
import time
open("{public_folder}/large", "rb").read()
x = bytearray(b"1") * (100 << 20)
open("/dev/shm/y", "wb").write(bytes(30 << 20))
time.sleep(1.5)
"""
    job = make_job(code, Mount(public_folder / "large"), gpus=("GPU-1",))
    run_container(job, settings, usage_file=usage_file)
    usage = json.loads(usage_file.read_text())
    assert 1.5 < usage["wall_time_s"] < 20
    assert 130 < usage["memory_peak_mb"] < 480
    assert usage["gpus"] == ["GPU-1"]
    assert usage["image"] == base_image
    assert usage["digest"] == client.images.get(base_image).id
    assert (usage["status"], usage["exit_status"]) == ("ok", 0)


# --- how it ends ------------------------------------------------------------------------------


def test_a_program_that_fails_is_an_error_with_its_status_and_its_last_lines(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    with pytest.raises(ContainerFailedError, match="status was 3") as caught:
        run_container(make_job("import sys\nfor i in range(50): print(i)\nsys.exit(3)"), settings)
    assert caught.value.status == 3
    assert str(caught.value).endswith("said last:\n  " + "\n  ".join(map(str, range(30, 50))))


def test_no_connection_to_the_daemon_stays_open(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    gc.disable()
    try:
        before = container_jobs.open_files()
        with pytest.raises(ContainerFailedError):
            run_container(make_job("raise SystemExit(1)"), settings)
        read_digest("openpose", settings)
        remove_leftovers()
        assert container_jobs.open_files() == before
    finally:
        gc.enable()


def test_a_container_that_hangs_is_stopped_when_its_time_is_up(
    make_job: Callable[..., Job], settings: dict[str, Any], public_folder: Path
):
    """It does not want to be stopped, either, nor say anything."""
    code = "import os, signal; signal.signal(15, signal.SIG_IGN); os.close(1); os.close(2)\n"
    start_s = time.monotonic()
    with pytest.raises(ContainerError, match=r"containers\.time_limit_minutes"):
        run_container(
            make_job(code + "while True: signal.pause()"),
            settings | {"time_limit_minutes": 2 / 60},
            usage_file=public_folder / "usage.json",
        )
    assert 2 <= time.monotonic() - start_s < 15
    assert json.loads((public_folder / "usage.json").read_text())["status"] == "time_limit"


def test_a_program_that_takes_too_much_memory_is_told_from_one_that_crashes(
    make_job: Callable[..., Job], settings: dict[str, Any], public_folder: Path
):
    with pytest.raises(
        ContainerFailedError, match=r"more than the 100 MB .* containers.memory_mb"
    ) as caught:
        run_container(
            make_job("x = bytearray(b'1') * (300 << 20)", memory_mb=100),
            settings,
            usage_file=public_folder / "usage.json",
        )
    assert caught.value.status == 128 + 9
    assert json.loads((public_folder / "usage.json").read_text())["status"] == "out_of_memory"


def test_a_loader_that_takes_too_much_memory_is_told_from_one_that_crashes(
    make_job: Callable[..., Job], settings: dict[str, Any]
):
    """It is a child of the program, which then fails by itself."""
    code = """
import subprocess, sys
child = subprocess.run([sys.executable, "-c", "x = bytearray(b'1') * (300 << 20)"])
sys.exit(f"loader ended with {child.returncode}")
"""
    with pytest.raises(ContainerFailedError, match=r"containers\.memory_mb") as caught:
        run_container(make_job(code, memory_mb=100), settings)
    assert caught.value.status == 1
    assert str(caught.value).endswith("said last:\n  loader ended with -9")


def test_a_full_disk_is_told_from_a_program_that_crashes(
    make_job: Callable[..., Job], settings: dict[str, Any], output: Path
):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", output], check=True)
    try:
        code = f"open('{output}/a', 'wb').write(bytes(5 << 20))"
        for silent in ("", "import os; os.close(2)\n"):
            with pytest.raises(ContainerFailedError, match=f"make room where {output} lies"):
                run_container(make_job(silent + code), settings)
    finally:
        subprocess.run(["umount", output], check=True)


# --- signals, and what is left ----------------------------------------------------------------


def start(
    job: Job, settings: dict[str, Any], usage_file: Path | None = None
) -> subprocess.Popen[str]:
    """A process that runs a job, which is at work."""
    description = container_jobs.describe(job, settings, usage_file)
    process = container_jobs.start(description, job.output)
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    return process


def test_ctrl_c_removes_the_container_and_then_ends_the_job(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    client: docker.DockerClient,
    public_folder: Path,
):
    usage_file = public_folder / "usage.json"
    process = start(make_job(SLEEP), settings, usage_file)
    assert len(names(client)) == 1
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGINT
    assert names(client) == set()
    assert json.loads(usage_file.read_text())["status"] == "stopped"


@pytest.mark.parametrize("moment", ["create", "attach", "start"])
def test_a_signal_while_the_daemon_starts_the_container_leaves_nothing(
    moment: str,
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    client: docker.DockerClient,
    public_folder: Path,
    output: Path,
):
    """The daemon tells of what it does at once, mostly before the job has its answer."""
    usage_file = public_folder / "usage.json"
    events = client.events(decode=True, filters={"type": "container", "event": moment})
    job = container_jobs.describe(make_job(SLEEP), settings, usage_file)
    process = container_jobs.start(job, output)
    next(events)
    process.send_signal(signal.SIGTERM)
    events.close()
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + signal.SIGTERM
    assert names(client) == set()
    assert json.loads(usage_file.read_text())["status"] == "stopped"


def test_a_container_that_somebody_removes_is_said_to_be_lost(
    make_job: Callable[..., Job], settings: dict[str, Any], client: docker.DockerClient
):
    def remove(_: str) -> None:
        for container in client.containers.list():
            container.remove(force=True)

    with pytest.raises(ContainerError, match="somebody removed the container"):
        run_container(make_job(SLEEP), settings, listener=remove)


def test_what_a_killed_job_left_is_removed_by_the_next_and_nothing_else(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    client: docker.DockerClient,
    base_image: str,
):
    killed = start(make_job(SLEEP), settings)
    (left,) = names(client)
    living = start(make_job(SLEEP), settings)
    ours = names(client)
    assert len(ours) == 2, "it still lives, so the other one left it alone"
    (alive,) = ours - {left}
    foreign = client.containers.create(base_image, ["true"], name="of-somebody-else")
    elsewhere = dict(client.containers.get(left).labels) | {"tapeless.host": "another machine"}
    copy = client.containers.create(base_image, ["true"], name="elsewhere", labels=elsewhere)
    of_another = dict(elsewhere) | {"tapeless.host": socket.gethostname(), "tapeless.uid": "4321"}
    other = client.containers.create(base_image, ["true"], name="of-a-user", labels=of_another)
    killed.kill()
    killed.wait()
    assert names(client) == ours | {"of-somebody-else", "elsewhere", "of-a-user"}

    assert remove_leftovers() == 1

    assert names(client) == {alive, "of-somebody-else", "elsewhere", "of-a-user"}
    assert remove_leftovers() == 0
    living.terminate()
    living.wait(PATIENCE_S)
    assert names(client) == {"of-somebody-else", "elsewhere", "of-a-user"}
    for container in (foreign, copy, other):
        container.remove()


def test_an_id_that_another_process_has_now_does_not_save_a_leftover(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    client: docker.DockerClient,
    base_image: str,
):
    """Ids of processes are used again."""
    found: list[dict[str, str]] = []

    def look(_: str) -> None:
        found.extend(container.labels for container in client.containers.list())

    run_container(make_job("import time; print('here'); time.sleep(1)"), settings, listener=look)
    (labels,) = found
    live = client.containers.create(base_image, ["true"], labels=labels)
    assert remove_leftovers() == 0
    live.remove()
    labels["tapeless.pid_started"] = f"{labels['tapeless.pid_started']}1"
    client.containers.create(base_image, ["true"], labels=labels)
    assert remove_leftovers() == 1


def test_a_job_removes_leftovers_before_it_starts(
    make_job: Callable[..., Job], settings: dict[str, Any], client: docker.DockerClient
):
    killed = start(make_job(SLEEP), settings)
    left = names(client)
    killed.kill()
    killed.wait()
    seen: list[set[str]] = []
    run_container(
        make_job("import time; print('here'); time.sleep(1)"),
        settings,
        listener=lambda _: seen.append(names(client)),
    )
    assert len(seen[0]) == 1
    assert seen[0].isdisjoint(left)


def test_who_gets_the_card_of_a_killed_job_has_it_alone(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    client: docker.DockerClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Also who starts no container, such as Anny's fit."""
    killed = start(make_job(SLEEP, gpus=("GPU-1",)), settings)
    killed.kill()
    killed.wait()
    assert len(names(client)) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
    monkeypatch.setenv("TAPELESS_GPU_SLOTS", str(tmp_path / "slots"))
    with use_gpus(1):
        assert names(client) == set()


def test_jobs_at_once_do_not_get_in_each_others_way(
    make_job: Callable[..., Job], settings: dict[str, Any], output: Path
):
    """Nor when all of them find the same leftovers."""
    to_be_killed = [start(make_job(SLEEP), settings) for _ in range(2)]
    for process in to_be_killed:
        process.kill()
        process.wait()
    jobs = [
        make_job(
            f"import time; time.sleep(0.5); open('{output}/{i}', 'w').write('{i}'); print({i})"
        )
        for i in range(5)
    ]
    processes = [
        container_jobs.start(container_jobs.describe(job, settings), output) for job in jobs
    ]
    said = [process.communicate(timeout=PATIENCE_S)[0] for process in processes]
    assert [text.splitlines()[-1] for text in said] == [str(i) for i in range(5)]
    assert sorted(path.read_text() for path in output.iterdir()) == list("01234")


# --- images -----------------------------------------------------------------------------------


def test_another_image_than_the_one_pinned_is_refused_with_both_digests(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    client: docker.DockerClient,
    base_image: str,
    public_folder: Path,
):
    other = f"sha256:{'1' * 64}"
    container_jobs.write_images(public_folder, docker={"image": base_image, "digest": other})
    found = str(client.images.get(base_image).id)
    with pytest.raises(ContainerError) as caught:
        run_container(make_job("pass"), settings)
    assert all(text in str(caught.value) for text in (other, found, "tapeless pin openpose"))
    assert read_digest("openpose", settings) == found


def test_what_runs_is_the_image_that_is_pinned_whatever_has_its_name_now(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    make_image: Callable[[Path, str], str],
    public_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text('ARG BASE\nFROM $BASE\nENV VERSION=1\nENTRYPOINT ["false"]\n')
    first = make_image(tmp_path, "tapeless-test/versions:1")
    dockerfile.write_text("ARG BASE\nFROM $BASE\nENV VERSION=2\n")
    second = make_image(tmp_path, "tapeless-test/versions:1")
    assert first != second
    pinned = {"image": "tapeless-test/versions:1", "digest": first}
    container_jobs.write_images(
        public_folder, docker=pinned, program=["python3", "-Sc"], workdir="/"
    )
    assert listen(make_job("import os; print(os.environ['VERSION'])"), settings) == ["1"]
    assert second in caplog.text
    assert "tapeless pin openpose" in caplog.text


@pytest.mark.parametrize(
    ("digest", "message"), [(None, "has no digest"), (f"sha256:{'1' * 64}", "not on this machine")]
)
def test_an_image_that_is_not_there_says_how_to_get_it(
    digest: str | None,
    message: str,
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    public_folder: Path,
):
    pinned = {"image": "tapeless-test/none:1", "digest": digest}
    container_jobs.write_images(public_folder, docker=pinned)
    with pytest.raises(ContainerError, match=message) as caught:
        run_container(make_job("pass"), settings)
    assert "containers/openpose/README.md" in str(caught.value)
    assert "tapeless pin openpose" in str(caught.value)


def test_a_registry_that_does_not_answer_is_said(
    make_job: Callable[..., Job], settings: dict[str, Any], public_folder: Path
):
    pinned = {"image": "127.0.0.1:1/openpose:1", "digest": f"sha256:{'1' * 64}"}
    container_jobs.write_images(public_folder, docker=pinned)
    with pytest.raises(ContainerError, match=r"127.0.0.1:1/openpose.* cannot be fetched"):
        run_container(make_job("pass"), settings | {"pull": True})


@pytest.mark.parametrize(
    "entry", [{"program": ["/opt/openpose.bin"]}, {"program": ["openpose.bin"]}]
)
def test_an_image_that_lacks_the_program_is_said(
    entry: dict[str, Any],
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    base_image: str,
    client: docker.DockerClient,
    public_folder: Path,
):
    pinned = {"image": base_image, "digest": client.images.get(base_image).id}
    container_jobs.write_images(public_folder, docker=pinned, **entry)
    with pytest.raises(ContainerError, match=rf"no program {entry['program'][0]}"):
        run_container(make_job("pass"), settings)


# --- daemons that cannot ----------------------------------------------------------------------


def test_without_the_nvidia_runtime_a_job_with_a_card_says_what_to_install(
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    docker_host_without_nvidia: str,
    public_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DOCKER_HOST", docker_host_without_nvidia)
    image = import_empty(docker_host_without_nvidia, "tapeless-test/empty:1")
    container_jobs.write_images(
        public_folder, docker={"image": "tapeless-test/empty:1", "digest": image}
    )
    with pytest.raises(ContainerError, match="install nvidia-container-toolkit"):
        run_container(make_job("pass", gpus=("GPU-1",)), settings)
    assert names(docker.DockerClient(docker_host_without_nvidia)) == set()


@pytest.mark.parametrize("socket_exists", [False, True])
def test_without_a_daemon_it_is_said_how_to_start_one(
    socket_exists: bool,
    make_job: Callable[..., Job],
    settings: dict[str, Any],
    public_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    path = public_folder / "docker.sock"
    if socket_exists:  # left behind by a daemon that is no more
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with pytest.raises(
        ContainerError, match=f"no Docker daemon answers at unix://{path}: start it"
    ):
        run_container(make_job("pass"), settings, usage_file=public_folder / "usage.json")
    assert json.loads((public_folder / "usage.json").read_text())["status"] == "not_started"
    assert remove_leftovers() == 0


def test_a_user_who_is_not_in_dockers_group_is_told_to_join_it(
    make_job: Callable[..., Job], settings: dict[str, Any], output: Path
):
    description = container_jobs.describe(make_job("pass"), settings, None, (NOBODY, []))
    process = container_jobs.start(description, output)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == container_jobs.REFUSED, said
    assert re.search(r"may not use Docker .* sudo usermod -aG \w+ \w+; then log out", said)
