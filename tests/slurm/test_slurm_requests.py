"""What jobs ask Slurm for by profiles/slurm, in Slurm's own records."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from slurm_cluster import ACCOUNT, PARTITION, Cluster, Job, wait_until
from slurm_projects import PATIENCE_S, SlurmProject, make_slurm_project

from projects import ROOT, Project, make_project


@pytest.fixture
def project(cluster: Cluster, tmp_path: Path) -> SlurmProject:
    return make_slurm_project(tmp_path, cluster)


class TestWhatJobsAskFor:
    """Nothing is let run, so that what waits in the queue can be looked at."""

    @pytest.fixture(autouse=True)
    def closed(self, project: SlurmProject) -> Iterator[None]:
        project.configure(pathvars={"resources": "resources"})
        (project.folder / "resources").mkdir()  # as if the body model were there
        (project.folder / "resources/anny_shape_space.npz").touch()
        (project.folder / "videos/walk.mp4").write_text("a video", encoding="utf-8")
        project.cluster.ask("scontrol", "update", f"PartitionName={PARTITION}", "State=DOWN")
        yield
        project.cluster.ask("scontrol", "update", f"PartitionName={PARTITION}", "State=UP")

    def test_a_video_is_one_job_for_all_its_stages_which_ends_with_the_run(
        self, project: SlurmProject
    ):
        declared = declared_resources(project)
        job = submit_and_interrupt(project)
        rules = rules_of(job, project.cluster)
        assert rules == {rule for rule in declared if rule not in OF_ALL_VIDEOS}
        assert job.resources["cpu"] == str(max(declared[rule]["threads"] for rule in rules))
        assert job.resources["mem"] == f"{max(declared[rule]['mem_mb'] for rule in rules)}M"
        # two stages of one core each may go at once
        at_once = min(declared[rule]["runtime"] for rule in ("draw_video", "forget_frames"))
        assert job.minutes == sum(declared[rule]["runtime"] for rule in rules) - at_once
        assert "gres/gpu" not in job.resources
        assert (job.partition, job.account, job.state) == (PARTITION, ACCOUNT, "CANCELLED")

    def test_with_a_card_the_stage_that_takes_one_is_a_job_of_its_own(self, project: SlurmProject):
        page = (ROOT / "docs/slurm.md").read_text(encoding="utf-8")
        (groups,) = re.findall(r"```yaml\n(groups:\n.*?)```", page, re.DOTALL)
        project.set_profile(**yaml.safe_load(groups))
        project.configure(sampling={"hwaccel": "cuda"})
        job = submit_and_interrupt(project)
        assert rules_of(job, project.cluster) == {"sample_frames"}
        asked = {name: job.resources[name] for name in ("cpu", "mem", "gres/gpu")}
        assert (asked, job.minutes) == ({"cpu": "2", "mem": "1000M", "gres/gpu": "1"}, 30)


OF_ALL_VIDEOS = {
    "collect_benchmarks",
    "collect_checks",
    "collect_reports",
    "draw_cohort",
    "write_provenance",
}


def submit_and_interrupt(project: SlurmProject) -> Job:
    """The job that a run submits first; then Ctrl-C."""
    before = {job.number for job in project.cluster.jobs()}
    run = project.start()

    def find() -> list[Job]:
        return [job for job in project.cluster.jobs() if job.number not in before]

    wait_until(lambda: bool(find()), "a job is submitted", PATIENCE_S)
    run.send_signal(signal.SIGINT)
    run.wait(PATIENCE_S)
    (job,) = find()
    return job


def rules_of(job: Job, cluster: Cluster) -> set[str]:
    found = re.search("--allowed-rules (.+?) --", cluster.script_of(job.number))
    assert found is not None
    return set(found[1].split())


def declared_resources(project: Project) -> dict[str, dict[str, int]]:
    """What each rule asks for, by a dry run without Slurm."""
    plain = make_project(project.folder / "plain")  # with the body model of this clone
    (plain.folder / "videos/walk.mp4").write_text("a video", encoding="utf-8")
    for file in (plain.folder / "rules").glob("*.smk"):  # a message hides them
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r'    message:\n +".*"\n', "", text), encoding="utf-8")
    said = plain.run("-n", "--default-resources", "mem_mb=1000", "runtime=10")
    declared = {}
    for rule, body in re.findall(r"^rule (\w+):\n((?:    .*\n)*)", said, re.MULTILINE):
        threads = re.search(r"^    threads: (\d+)", body, re.MULTILINE)
        resources = dict(re.findall(r"(mem_mb|runtime)=(\d+)", body))
        values = resources | {"threads": threads[1] if threads else "1"}
        declared[rule] = {name: int(value) for name, value in values.items()}
    return {rule: values for rule, values in declared.items() if rule != "all"}
