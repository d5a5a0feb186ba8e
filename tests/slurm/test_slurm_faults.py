"""What becomes of a run on Slurm when jobs, nodes and Snakemake itself do not last."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess

import pytest
from slurm_cluster import Cluster, Job, wait_until
from slurm_projects import PATIENCE_S, SlurmProject, documented, make_slurm_project

from projects import SHEET, Project

# More than its rule asks for at first (1000 MB); with the 400 MB that Snakemake and the script took
# when it was measured, less than twice that. Slurm looks once a second.
TAKES_1200_MB = """\
import time
filled = b"x" * 1_200_000_000
time.sleep(10)
"""

# Slurm's shortest time limit is a minute.
HANGS_AT_FIRST = """\
import time
if snakemake.resources.runtime == 1:
    time.sleep(3600)
"""


@pytest.fixture(scope="module")
def disturbed(
    cluster: Cluster, original: Project, tmp_path_factory: pytest.TempPathFactory
) -> Disturbed:
    """The videos of `original`, run on Slurm under everything that happens to runs there.

    Each is one stage, and one job. Nothing happens to a run beside, of the person only, in which
    all stages are jobs of Snakemake; it uses the time in which the other waits for what hangs.
    """
    folder = tmp_path_factory.mktemp("slurm")
    project, undisturbed = (
        make_slurm_project(folder / name, cluster) for name in ("project", "undisturbed")
    )
    for each, rows in ((project, SHEET), (undisturbed, SHEET[:1])):
        for row in rows:
            shutil.copy2(original.folder / row["path"], each.folder / "videos")
        each.write_sheet(*rows)
    project.configure(jobs_per_video="one")
    project.burden("collect_benchmarks", TAKES_1200_MB)
    project.burden("collect_checks", HANGS_AT_FIRST)
    project.set_profile(**{"set-resources": {"collect_checks": {"runtime": "1 * attempt"}}})
    return Disturbed(project, undisturbed)


class Disturbed:
    """A run that is killed, and the one after it, to which happens what happens on clusters.

    The job of one video is cancelled, and that of the other loses its node. One table takes more
    memory to write than its job asked for, another one more minutes.
    """

    def __init__(self, project: SlurmProject, undisturbed: SlurmProject) -> None:
        self.project, self.undisturbed, self.cluster = project, undisturbed, project.cluster
        self._before: set[str] = set()
        self.killed = self._run_until_killed()
        run = project.start()
        self.cancelled = self._wait_for_job("video=text", run)
        self.cluster.ask("scancel", self.cancelled)
        self.moved = self._wait_for_job("video=walk", run)
        wait_until((project.results / "videos/walk/frames.csv").exists, "frames", PATIENCE_S)
        self.lost_node = self.cluster.running()[self.moved]
        self.cluster.kill_node(self.lost_node)
        self._wait_for_requeue()
        self.cluster.start_node(self.lost_node)
        beside = undisturbed.start()
        self.status = run.wait(PATIENCE_S)
        self.said = (project.folder / "run.log").read_text(encoding="utf-8")
        self.jobs = {job.number: job for job in self.cluster.jobs_of(project.folder)}
        assert beside.wait(PATIENCE_S) == 0

    def of(self, word: str) -> list[Job]:
        """The jobs of the second run whose command has a word in it, the first one first."""
        numbers = sorted(set(self.jobs) - self._before, key=int)
        return [self.jobs[n] for n in numbers if word in self.cluster.script_of(n)]

    def _run_until_killed(self) -> set[str]:
        run = self.project.start()
        numbers = {self._wait_for_job(f"video={video}", run) for video in ("walk", "text")}
        run.send_signal(signal.SIGKILL)
        run.wait(PATIENCE_S)
        self._before |= numbers
        return numbers

    def _wait_for_job(self, word: str, run: subprocess.Popen[bytes]) -> str:
        """The number of a job at work with a word in its command, of those not there before."""
        found: list[str] = []

        def is_there() -> bool:
            assert run.poll() is None, (self.project.folder / "run.log").read_text("utf-8")
            new = set(self.cluster.running()) - self._before
            found.extend(n for n in new if word in self.cluster.script_of(n))
            return bool(found)

        wait_until(is_there, f"a job works: {word}", PATIENCE_S)
        return found[0]

    def _wait_for_requeue(self) -> None:
        """Slurm takes two minutes before it starts such jobs again; here it need not."""
        wait_until(
            lambda: self.moved not in self.cluster.running(), "the node is missed", PATIENCE_S
        )
        waiting = self.cluster.ask("squeue", "--noheader", "--states=PENDING", "--format=%i")
        for number in waiting.split():
            self.cluster.ask("scontrol", "update", f"JobId={number}", "StartTime=now")
        wait_until(lambda: self.moved in self.cluster.running(), "the job goes on", PATIENCE_S)


class TestUnderFaults:
    def test_the_run_ends_well(self, disturbed: Disturbed):
        assert disturbed.status == 0, disturbed.said

    def test_the_reports_are_those_of_a_run_without_slurm(
        self, disturbed: Disturbed, original: Project
    ):
        assert disturbed.project.reports() == original.reports()

    def test_what_a_killed_run_left_in_the_queue_is_cancelled(self, disturbed: Disturbed):
        assert {disturbed.jobs[number].state for number in disturbed.killed} == {"CANCELLED"}
        (said,) = re.findall("a killed run left in Slurm's queue: (.*)", disturbed.said)
        assert set(said.split(", ")) == disturbed.killed

    def test_a_cancelled_job_is_submitted_again_and_asks_for_more(self, disturbed: Disturbed):
        first, second = disturbed.of("video=text")
        assert (first.number, first.state) == (disturbed.cancelled, "CANCELLED")
        assert second.state == "COMPLETED"
        assert (first.resources["mem"], second.resources["mem"]) == ("2500M", "5000M")
        assert second.minutes == 2 * first.minutes

    def test_a_job_whose_node_died_goes_on_on_the_other(self, disturbed: Disturbed):
        (job,) = disturbed.of("video=walk")
        assert (job.number, job.state) == (disturbed.moved, "COMPLETED")
        assert job.node != disturbed.lost_node

    def test_a_job_out_of_memory_gets_more(self, disturbed: Disturbed):
        first, second = disturbed.of("collect_benchmarks")
        (log,) = disturbed.project.results.glob(f"logs/slurm/**/{first.number}.log")
        assert "exceeded memory limit" in log.read_text(encoding="utf-8")
        assert (first.state, second.state) == ("FAILED", "COMPLETED")
        assert (first.resources["mem"], second.resources["mem"]) == ("1000M", "2000M")

    def test_a_job_out_of_time_gets_more(self, disturbed: Disturbed):
        *ended, last = disturbed.of("collect_checks")
        assert {job.state for job in ended} == {"TIMEOUT"}
        assert last.state == "COMPLETED"
        # a busy machine may not be done within two minutes either
        assert [job.minutes for job in (*ended, last)] in ([1, 2], [1, 2, 3])

    def test_jobs_ask_for_what_the_page_says(self, disturbed: Disturbed):
        (job,) = disturbed.of("video=walk")
        assert disturbed.cluster.rules_of(job) == {"process_video"}
        assert job.request == documented("a video with `jobs_per_video: one`")

    def test_the_logs_of_failed_jobs_are_kept_in_the_results(self, disturbed: Disturbed):
        logs = {path.stem for path in disturbed.project.results.glob("logs/slurm/**/*.log")}
        assert disturbed.cancelled in logs
        assert disturbed.moved not in logs


class TestStageByStage:
    """The run to which nothing happens: a job of Snakemake each, in few jobs of Slurm."""

    def test_its_reports_are_those_of_a_run_without_slurm(
        self, disturbed: Disturbed, original: Project
    ):
        of_walk = {
            name: content
            for name, content in original.reports().items()
            if name.startswith("videos/walk/")
        }
        reports = disturbed.undisturbed.reports()
        assert len(of_walk) > 3
        assert {name: reports.get(name) for name in of_walk} == of_walk

    def test_each_job_asks_for_what_the_page_says(self, disturbed: Disturbed):
        cluster = disturbed.cluster
        jobs = cluster.jobs_of(disturbed.undisturbed.folder)
        assert {job.state for job in jobs} == {"COMPLETED"}
        assert {frozenset(cluster.rules_of(job)): job.request for job in jobs} == {
            rules: documented(row) for rules, row in JOBS.items()
        }


STAGES = (
    "sample_frames estimate_pose select_keypoints segment_person blur_faces estimate_shape "
    "measure_bodies check_video summarize_video draw_video forget_frames"
)
JOBS = {
    frozenset(STAGES.split()): "a video (11 stages",
    frozenset(("collect_reports", "draw_cohort", "write_provenance")): "in the end: the reports",
    frozenset(("collect_checks",)): "at the same time: the table of checks",
    frozenset(("collect_benchmarks",)): "at the same time: the table of costs",
}
