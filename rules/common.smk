# The configuration, the videos, and what the rules share. The logic lies in scripts/tapeless.
import gc
import math
import os
import shlex
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import is_flagged
from snakemake_interface_executor_plugins.settings import DeploymentMethod

# What a plan makes of thousands of videos stays until the end: to look through all of it again and
# again for what can be thrown away, as Python does unasked, is a tenth of planning's time.
gc.set_threshold(10_000, 10, 1_000)

SCRIPTS = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent / "scripts"
if str(SCRIPTS) not in sys.path:
    sys.path.insert(0, str(SCRIPTS))

from tapeless.clock import is_from_the_future, settle_clock
from tapeless.configuration import find_config_faults, find_faults, with_defaults
from tapeless.containers.images import locate_images
from tapeless.doctor import Situation, clear_leftovers, find_obstacles
from tapeless.doctor.disk import estimate_frames_bytes
from tapeless.doctor.media import warn_of_open_ffmpeg
from tapeless.forgetting import are_forgotten
from tapeless.hints import OPTIONS_VARIABLE, join_options, tapeless
from tapeless.needs import find_image_faults
from tapeless.own_tables import read_table
from tapeless.runs import AnotherRunError, take_folder
from tapeless.sources import digest_files, find_sources
from tapeless.videosheet import read_videos
from tapeless.watching.endings import describe_failures, describe_success, word_command
from tapeless.watching.failures import pick_culprits, read_failures
from tapeless.watching.progress import Plan, PlannedJob
from tapeless.words import counted


include: "scheduling.smk"


def read_schema(name):
    return read_table(Path(workflow.source_path(f"../schemas/{name}.schema.yaml")))


def check(faults):
    """Stops before any job, with all faults in one message."""
    if faults:
        lines = "\n".join(f"  - {fault}" for fault in faults)
        raise WorkflowError(
            "Nothing was run: the configuration and the list of videos have "
            f"{counted(len(faults), 'fault')}.\n{lines}\n"
            "config/README.md explains every key and every column."
        )


config.update(with_defaults(config, read_schema("config")))
WRITTEN_FOLDERS = ("<results>", "<logs>", "<benchmarks>")
MADE_FOLDERS = (*WRITTEN_FOLDERS, "<results>/videos", "<resources>")
VIDEOS, video_faults = read_videos(
    config, read_schema("videos"), map(workflow.pathvars.apply, MADE_FOLDERS)
)
faults = find_config_faults(config, read_schema("config"))
if not find_faults(config, read_schema("config")):  # then its parts can be read
    config["containers"] = locate_images(config["containers"], SCRIPTS.parent)
    faults += find_image_faults(config)
check(faults + video_faults)

# Said to who starts with so many videos, for whom it is not too late: to change the key is to
# compute all of them anew.
MANY_VIDEOS = 1000
if (
    len(VIDEOS) > MANY_VIDEOS
    and config["jobs_per_video"] == "many"
    and workflow.is_main_process
    and not Path(workflow.pathvars.apply("<results>/videos")).exists()
):
    logger.info(
        f"There are {len(VIDEOS)} videos. With `jobs_per_video: one` they are planned and measured in "
        "less time (docs/scaling.md). Choose before the first run."
    )

# For the jobs: where Anny keeps the files that it makes (else in the user's home); what was typed,
# for the provenance; and the options of it that a command for a person to type has to repeat.
os.environ.setdefault(
    "ANNY_CACHE_DIR", str(Path(workflow.pathvars.apply("<resources>/anny")).absolute())
)
os.environ.setdefault("TAPELESS_COMMAND", shlex.join(sys.argv))
os.environ.setdefault(
    OPTIONS_VARIABLE,
    join_options(workflow.overwrite_configfiles, workflow.config_settings.config_args or []),
)


wildcard_constraints:
    video=r"[A-Za-z0-9_][A-Za-z0-9._-]*",


def of_every_video(pattern):
    """Input function: the file of every video; or the files, of a list of patterns."""

    def files(wildcards):
        if not VIDEOS:
            raise WorkflowError(
                f"There are no videos to measure. Put some into the folder {config['videos']}, or "
                f"list them in the sheet {config['sheet']} (see config/README.md), and start again."
            )
        return expand(pattern, video=VIDEOS)

    return files


def get_video(wildcards):
    try:
        return VIDEOS[wildcards.video]
    except KeyError:
        raise WorkflowError(f"There is no video {wildcards.video!r}. Known: {', '.join(VIDEOS)}")


def declared_video(wildcards):
    """The video as an input; none if Snakemake cannot name or read it (then params alone tell).

    Nor one from the future, of a camera whose clock is wrong: Snakemake fails a job that reads it.
    """
    video = get_video(wildcards)
    if video.is_on_s3:
        return storage.s3(video.path)
    if not video.is_plain_file:
        return []
    is_late = is_from_the_future(Path(video.path), time.time())
    return [] if is_late and not was_read(video) else video.path


def was_read(video):
    """Whether its frames are younger than the video, which then was not from the future for them.

    So it was an input when they were taken, and has to stay one, or they would be taken again. If it
    is from the future now, it is the clock that is behind.
    """
    frames = Path(workflow.pathvars.apply(f"<results>/videos/{video.video}/frames.csv"))
    return is_from_the_future(frames, os.path.getmtime(video.path))


def path_of_video(wildcards, input):
    """Params function: the file of the video; of one on S3, the copy that Snakemake has fetched."""
    video = get_video(wildcards)
    return str(input.video) if video.is_on_s3 else video.path


def given_for_video(**otherwise):
    """Params function: what the sheet says of the video in these columns, or else the value here.

    All that a rule wants is one parameter. Snakemake looks at each function of each job anew, so
    that many would take longer; and of parameters it compares the values without their names, so
    that it would not see that a number has moved from one column to another.
    """

    def values(wildcards):
        video = get_video(wildcards)
        own = {column: getattr(video, column) for column in otherwise}
        return {
            column: otherwise[column] if value is None else value for column, value in own.items()
        }

    return values


def sources_of(script):
    """A digest of the library files behind a script, as a parameter, so that editing one reruns
    what needs it.

    The files themselves, as inputs, would be six of every seven files that a plan has to look at.
    """
    return digest_files(find_sources(SCRIPTS / script), SCRIPTS)


def source_files_of(script):
    """The same as inputs, for what is made once.

    Not by workflow.source_path(): its entries have other names in each run, so that Snakemake
    cannot tell by its checksums that a file was saved, or a branch changed, and all is as before.
    """
    return [local(os.path.relpath(path)) for path in find_sources(SCRIPTS / script)]


def growing(amount):
    """Resource function: memory in MB or minutes, more by as much each time that a job is retried.

    Retries are for clusters (profiles/slurm), which end a job that takes more than it asked for.
    """
    return lambda wildcards, attempt: amount * attempt


def usage_of_ffmpeg(rule):
    """What the container of ffmpeg used, if there is one: a log of the rules that sample frames."""
    is_in_container = config["sampling"]["ffmpeg"] == "container"
    usage = f"<benchmarks>/{rule}/{{video}}.container.json"
    return {"usage": usage} if is_in_container else {}


# What a job that samples frames may fill, for clusters that give each job a part of a disk. The look
# before a run (docs/doctor.md) counts with it, too.
DISK_OF_FRAMES_MB = math.ceil(2 * estimate_frames_bytes(config) / 1e6)


def packages_of(environment):
    """A digest of an environment's versions, as a parameter: another detector, other numbers."""
    return digest_files([SCRIPTS.parent / "envs" / f"{environment}.yaml"], SCRIPTS.parent)


RUN_STARTED_S = time.time()


def take_run():
    """Keeps other runs out of this folder and of the results, and puts right what earlier ones left
    behind: jobs of one that was killed, and files from the future if the clock was set back."""
    try:
        take_folder(Path.cwd(), map(Path, map(workflow.pathvars.apply, WRITTEN_FOLDERS)))
    except AnotherRunError as error:
        raise WorkflowError(f"Nothing was run: {error}.")
    needed = {Path(path) for job in workflow.dag.needrun_jobs() for path in job.input}
    settle_clock(needed, map(Path, map(workflow.pathvars.apply, MADE_FOLDERS)), time.time())


def stages_of(rule):
    """The stages that a job of a rule runs, which have the names of their own rules."""
    return STAGES_OF_JOBS.get(rule, (rule,))


def must_recall(job):
    """Whether a job reads sampled frames that are not there any more."""
    return job.is_script and "frames" in job.input.keys() and are_forgotten(Path(job.input.frames))


def check_machine():
    """Stops before the first job if something is missing that the jobs to run need."""
    if workflow.touch:
        return
    jobs = list(workflow.dag.needrun_jobs())
    situation = Situation(
        config=config,
        project=SCRIPTS.parent,
        videos=VIDEOS,
        results=Path(workflow.pathvars.apply("<results>")),
        resources=Path(workflow.pathvars.apply("<resources>")),
        rules=frozenset(stage for job in jobs for stage in stages_of(job.rule.name)),
        has_own_environments=(
            DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
        ),
        is_elsewhere=not workflow.local_exec,
        recalls=any(map(must_recall, jobs)),
        at_once=(
            workflow.resource_settings.cores
            if workflow.local_exec
            else workflow.resource_settings.nodes
        ),
        cards=CARDS,
    )
    if obstacles := find_obstacles(situation):
        lines = "\n".join(f"  - {finding.name}: {finding.describe()}" for finding in obstacles)
        raise WorkflowError(
            f"Nothing was run, for want of {counted(len(obstacles), 'thing')} that the jobs need:\n"
            f"{lines}\n`{tapeless('doctor')}` checks again; docs/doctor.md explains each."
        )
    if warning := warn_of_open_ffmpeg(situation):
        logger.warning(warning)


def videos_of(job):
    """The videos that a job works for; none if it is for all of them."""
    if video := job.wildcards_dict.get("video"):
        return (video,)
    above = Path(workflow.pathvars.apply("<results>/videos")).parts
    paths = (Path(path).parts for path in job.output)
    return tuple(
        dict.fromkeys(parts[len(above)] for parts in paths if parts[: len(above)] == above)
    )


PLANNED_STAGES = set()


def announce_run(logs):
    """Tells the logger `tapeless` what is going to be done; docs/watching.md."""
    jobs = {
        workflow.dag.jobid(job): PlannedJob(job.rule.name, videos_of(job))
        for job in workflow.dag.needrun_jobs()
    }
    PLANNED_STAGES.update(job.stage for job in jobs.values())
    textfile = config["prometheus_textfile"]
    plan = Plan(
        jobs,
        tuple(VIDEOS),
        results=Path(workflow.pathvars.apply("<results>")),
        started_s=RUN_STARTED_S,
        log=next((Path(os.path.relpath(path)) for path in logs), None),
        textfile=None if textfile is None else Path(textfile).expanduser(),
        is_whole="all" in PLANNED_STAGES,
    )
    logger.info(f"{counted(len(jobs), 'job')} to do", extra={"tapeless_plan": plan})


def end_leftovers():
    """Keeps the container of a job that was killed from computing on for nobody."""
    clear_leftovers(Situation(config, SCRIPTS.parent, is_elsewhere=not workflow.local_exec))


def list_failures():
    """The jobs that failed for good, with what they said."""
    for failed in workflow.scheduler.failed:
        jobs = failed.jobs if failed.is_group() else [failed]
        known = [(PlannedJob(job.rule.name, videos_of(job)), list(job.log)) for job in jobs]
        yield from pick_culprits(read_failures(known, since=RUN_STARTED_S))


def distrust_restored():
    """Has the next run make the tables again whose job failed, and which are those of before (`update`).

    Snakemake 9 notes for a job that failed, too, what it was done with, and takes what it has restored
    for new: there would be nothing to do. So it is told that these files are half done; or who starts
    the next run is told, where that cannot be noted, as on a full disk.
    """
    restored = [
        job
        for failed in workflow.scheduler.failed
        for job in (failed.jobs if failed.is_group() else [failed])
        if any(is_flagged(path, "update") for path in job.output)
    ]
    try:
        for job in restored:
            workflow.persistence.started(job)
    except OSError as error:
        rules = " ".join(sorted({job.rule.name for job in restored}))
        logger.error(
            f"It cannot be noted that files are those of an earlier run ({error.strerror}), so that the "
            f"next run may leave them so: type --forcerun {rules} behind its command.",
            extra={"is_of_tapeless": True},
        )


def explain_failure():
    """Says last what failed and why, that the reports are not those of this run, how to go on."""
    results = Path(workflow.pathvars.apply("<results>"))
    command = word_command(os.environ.get("TAPELESS_COMMAND", "snakemake"))
    said = describe_failures(list(list_failures()), results, command)
    logger.error(said, extra={"is_of_tapeless": True})


def explain_success():
    """Says last, if there are new reports, who was rejected and where all is."""
    if "collect_reports" in PLANNED_STAGES:
        said = describe_success(Path(workflow.pathvars.apply("<results>")))
        logger.info(said, extra={"is_of_tapeless": True})
