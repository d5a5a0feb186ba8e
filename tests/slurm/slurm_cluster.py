"""A Slurm of the tests' own on this host: two nodes, one with a graphics card, and accounts.

It is the one of Debian's packages, with its accounting database, as clusters have it. What nodes
claim to have (cores, memory, the card, which is /dev/null) is more than there is. It ends with the
process that started it, however that ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacct")
NODES = ("n1", "n2")
PARTITION = "cpu"
ACCOUNT = "lab"

# Where Slurm's commands look when no environment tells them, as in the jobs of the executor.
_OWN = Path("/etc/slurm/slurm.conf")
_FOUND = Path("/run/slurm/conf")
_LOCK = Path("/run/tapeless-slurm.lock")

_PATIENCE_S = 60
_DEATH_SIGNAL = 1
_LIBC = ctypes.CDLL(None)


def find_obstacle() -> str | None:
    """Why no Slurm can be started here; None if one can."""
    if os.getuid() != 0:
        return "only root can start a Slurm for the tests"
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"{', '.join(missing)} not installed (as root: make setup-dev)"
    if _OWN.exists() or (_FOUND.exists() and not _FOUND.is_symlink()):
        return "this machine belongs to a Slurm already"
    return None


@dataclass(frozen=True)
class Job:
    """What Slurm's accounts say of a job: what it asked for, where from, and how it went."""

    number: str
    state: str
    minutes: int
    resources: dict[str, str]
    node: str
    partition: str
    account: str
    folder: str

    @property
    def request(self) -> tuple[int, int, int]:
        """Cores, megabytes, and minutes."""
        return int(self.resources["cpu"]), int(self.resources["mem"].rstrip("M")), self.minutes


@dataclass(frozen=True)
class Cluster:
    """A running Slurm: its folder (configuration, logs, what it remembers), and nodes that live."""

    folder: Path
    nodes: dict[str, subprocess.Popen[bytes]]

    @property
    def environment(self) -> dict[str, str]:
        """By which Slurm's commands, and Snakemake, find this Slurm."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "USER": "root"}

    def ask(self, *command: str) -> str:
        """What one of Slurm's commands says."""
        run = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True
        )
        assert run.returncode == 0, f"{command}: {run.stdout}{run.stderr}"
        return run.stdout

    def jobs(self) -> list[Job]:
        """All jobs ever submitted, those that were started again after a fault once."""
        fields = "JobIDRaw,State,TimelimitRaw,ReqTRES,NodeList,Partition,Account,WorkDir"
        said = self.ask(
            "sacct", "-X", "-n", "-P", "--delimiter=\t", "-S", "now-1days", "-o", fields
        )
        return [_read_job(line) for line in said.splitlines()]

    def running(self) -> dict[str, str]:
        """The node of each job at work."""
        said = self.ask("squeue", "--noheader", "--states=RUNNING", "--format=%i %N")
        return dict(map(str.split, said.splitlines()))

    def jobs_of(self, folder: Path) -> list[Job]:
        """Those that were submitted from a folder, the first one first."""
        own = [job for job in self.jobs() if job.folder == str(folder)]
        return sorted(own, key=lambda job: int(job.number))

    def rules_of(self, job: Job) -> set[str]:
        """The rules of Snakemake that a job runs."""
        found = re.search("--allowed-rules (.+?) --", self.script_of(job.number))
        assert found is not None
        return set(found[1].split())

    def script_of(self, number: str) -> str:
        """What a job runs, as long as Slurm remembers."""
        return self.ask("scontrol", "write", "batch_script", number, "-")

    def kill_node(self, name: str) -> None:
        """As a power cut would: its daemon, and every process of the jobs that it runs."""
        daemon = self.nodes.pop(name)
        stopped = self._processes_of(name)
        for process in [psutil.Process(daemon.pid), *stopped]:
            with suppress(psutil.NoSuchProcess):  # it ended with one that was killed before
                process.kill()
        daemon.wait(_PATIENCE_S)

    def start_node(self, name: str) -> None:
        """Switches a node on again."""
        self.nodes[name] = _start_node(self.folder, name)
        wait_until(lambda: self._is_up(name), "the node is back")

    def _is_up(self, name: str) -> bool:
        said = self.ask("sinfo", "--noheader", f"--nodes={name}", "--format=%T")
        return said.strip() in ("idle", "mixed", "allocated")

    def _processes_of(self, name: str) -> list[psutil.Process]:
        """The processes of the jobs of a node, and those that Slurm keeps to watch them."""
        numbers = {number for number, node in self.running().items() if node == name}
        found = {
            process.pid: process
            for process in psutil.process_iter()
            if _environment_of(process).get("SLURMD_NODENAME") == name
            or _watched(process) in numbers
        }
        return list(found.values())


def wait_until(happened: Callable[[], bool], what: str, patience_s: float = _PATIENCE_S) -> None:
    """Waits until something happens, which must be soon."""
    deadline_s = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline_s, f"waited in vain: {what}"
        time.sleep(0.1)


@contextmanager
def run_cluster() -> Iterator[Cluster]:
    """A Slurm with two idle nodes; nothing of it is left when the block is left.

    If other tests have one here, it is waited for: the nodes of both would have the same names.
    """
    folder = Path(tempfile.mkdtemp(prefix="tapeless-slurm-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        lock = stack.enter_context(_LOCK.open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = Cluster(folder, {})
        _configure(folder)
        stack.callback(_let_be_found(folder).unlink)
        for name, command in _services(folder).items():
            _keep(stack, _start(folder, name, command))
            wait_until(lambda name=name: _is_ready(cluster, name), f"{name} is ready")
        _open_accounts(cluster)
        _keep(stack, _start(folder, "slurmctld", ["slurmctld", "-D"]))
        for name in NODES:
            cluster.nodes[name] = _start_node(folder, name)
        stack.callback(_end_nodes, cluster)
        wait_until(lambda: all(map(cluster._is_up, NODES)), "the nodes are up")
        yield cluster


def _services(folder: Path) -> dict[str, list[str]]:
    """What has to run before the controller, in order."""
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "seed", "log")]
    return {
        "munged": ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
        "mariadbd": [
            "mariadbd",
            "--no-defaults",
            "--user=root",
            "--skip-grant-tables",  # there is nothing in it, and it listens to this host only
            "--bind-address=127.0.0.1",
            f"--port={_port_in(folder / 'slurmdbd.conf', 'StoragePort')}",
            f"--datadir={folder}/database",
            f"--socket={folder}/mariadb.socket",
            f"--pid-file={folder}/mariadb.pid",
        ],
        "slurmdbd": ["slurmdbd", "-D"],
    }


def _is_ready(cluster: Cluster, service: str) -> bool:
    folder = cluster.folder
    if service == "munged":
        return (folder / "munge.socket").exists()
    file, key = (
        (folder / "slurmdbd.conf", "StoragePort")
        if service == "mariadbd"
        else (folder / "slurm.conf", "AccountingStoragePort")
    )
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", _port_in(file, key))) == 0


def _open_accounts(cluster: Cluster) -> None:
    """An account that may be charged, and a user who may charge it."""
    for entry in ("cluster tapeless", f"account {ACCOUNT}", f"user root account={ACCOUNT}"):
        cluster.ask("sacctmgr", "--immediate", "add", *entry.split())


def _configure(folder: Path) -> None:
    ports = _free_ports(5)
    host = socket.gethostname().partition(".")[0]
    here = {"folder": folder, "host": host, "partition": PARTITION, "ports": ports}
    files = {"slurm.conf": _SLURM, "gres.conf": _CARDS, "slurmdbd.conf": _ACCOUNTING}
    for name, text in files.items():
        (folder / name).write_text(text.format(**here), encoding="ascii")
        (folder / name).chmod(0o600)  # which slurmdbd insists on
    (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge.key").chmod(0o400)
    for name in ("state", "database"):
        (folder / name).mkdir()


def _let_be_found(folder: Path) -> Path:
    """The link by which Slurm's commands find the configuration."""
    _FOUND.parent.mkdir(exist_ok=True)
    _FOUND.unlink(missing_ok=True)  # of tests that were killed
    _FOUND.symlink_to(folder)
    return _FOUND


def _start_node(folder: Path, name: str) -> subprocess.Popen[bytes]:
    return _start(folder, f"slurmd-{name}", ["slurmd", "-D", "-N", name])


def _start(folder: Path, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.out").open("wb") as log:
        return subprocess.Popen(
            command,
            env=os.environ | {"SLURM_CONF": str(folder / "slurm.conf")},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: _LIBC.prctl(_DEATH_SIGNAL, signal.SIGKILL),
        )


def _keep(stack: ExitStack, process: subprocess.Popen[bytes]) -> None:
    """Has a process end when the stack is left."""
    stack.callback(process.wait, _PATIENCE_S)
    stack.callback(process.terminate)


def _end_nodes(cluster: Cluster) -> None:
    for name in list(cluster.nodes):
        cluster.kill_node(name)


def _environment_of(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return {}


def _watched(process: psutil.Process) -> str:
    """The number of the job that a process of Slurm keeps watch over, as its name says."""
    try:
        name, _, rest = " ".join(process.cmdline()).partition(" [")
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
    return rest.partition(".")[0] if name == "slurmstepd:" else ""


def _read_job(line: str) -> Job:
    number, state, minutes, resources, *rest = line.split("\t")
    return Job(
        number,
        state.split()[0],
        int(minutes),
        dict(part.split("=") for part in resources.split(",")),
        *rest,
    )


def _port_in(file: Path, key: str) -> int:
    lines = file.read_text(encoding="ascii").splitlines()
    return int(next(line.partition("=")[2] for line in lines if line.startswith(f"{key}=")))


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


_SLURM = """\
ClusterName=tapeless
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdSpoolDir={folder}/spool-%n
# without control groups, which not every machine has
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# who takes more memory than asked for is ended, and the accounts say so
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[1]}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
# a node that is gone is noticed soon, and may come back
SlurmdTimeout=10
MessageTimeout=60
KillWait=2
ReturnToService=2
MinJobAge=3600
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=DEFAULT CPUs=4 RealMemory=20000
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} Gres=gpu:1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3]}
PartitionName={partition} Nodes=ALL Default=YES MaxTime=1-0 State=UP
"""

_CARDS = "NodeName=n1 Name=gpu File=/dev/null\n"

_ACCOUNTING = """\
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports[1]}
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[4]}
StorageUser=root
StorageLoc=slurm
"""
