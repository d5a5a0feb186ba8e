# Things go wrong on purpose: damaged videos, kills, full disks. Writes two sections of docs/scaling.md.
# Takes hours, and root: hurt_runs.py makes small disks, and kill_container_runs.py starts a Docker daemon of its
# own, of which docker.io and debootstrap must be installed. tests/ does a small part of each.
import os
from pathlib import Path


include: "environment.smk"


FOLDER = "benchmarks/results/faults"
SCRIPTS = f"{workflow.basedir}/scripts"
os.environ["PYTHONPATH"] = f"{LIBRARY}:{SCRIPTS}"


rule all:
    input:
        f"{FOLDER}/written",


rule film_short_clip:
    output:
        f"{FOLDER}/walk.mp4",
    log:
        f"{FOLDER}/logs/film_short_clip.log",
    conda:
        "envs/synthetic.yaml"
    shell:
        "python {SCRIPTS}/film_short_clip.py {output} &> {log}"


rule make_damaged_videos:
    input:
        clip=rules.film_short_clip.output,
    output:
        corpus=directory(f"{FOLDER}/corpus"),
        table=f"{FOLDER}/corpus.csv",
    log:
        f"{FOLDER}/logs/make_damaged_videos.log",
    conda:
        "envs/synthetic.yaml"
    shell:
        "python {SCRIPTS}/make_damaged_videos.py {input.clip} {output.corpus} {output.table} &> {log}"


rule sample_damaged_videos:
    input:
        corpus=rules.make_damaged_videos.output.corpus,
    output:
        table=f"{FOLDER}/sampled.csv",
    log:
        f"{FOLDER}/logs/sample_damaged_videos.log",
    conda:
        "envs/synthetic.yaml"
    threads: 2
    shell:
        "python {SCRIPTS}/sample_damaged_videos.py {input.corpus} {output.table} &> {log}"


rule measure_damaged_videos:
    input:
        corpus=rules.make_damaged_videos.output.corpus,
        sampled=rules.sample_damaged_videos.output.table,
        space="resources/anny_shape_space.npz",
    output:
        table=f"{FOLDER}/measured.json",
    log:
        f"{FOLDER}/logs/measure_damaged_videos.log",
    conda:
        "envs/synthetic.yaml"
    threads: workflow.cores
    shell:
        "python {SCRIPTS}/measure_damaged_videos.py {input.corpus} {input.sampled} "
        "{FOLDER}/measured {output.table} resources &> {log}"


rule kill_runs:
    input:
        clip=rules.film_short_clip.output,
        space="resources/anny_shape_space.npz",
        after=rules.measure_damaged_videos.output,
    output:
        table=f"{FOLDER}/killed.json",
    log:
        f"{FOLDER}/logs/kill_runs.log",
    conda:
        "envs/synthetic.yaml"
    threads: workflow.cores
    shell:
        "python {SCRIPTS}/kill_runs.py {input.clip} {FOLDER}/killed {output.table} resources &> {log}"


rule kill_container_runs:
    """With OpenPose, SHAPY, the graphics card and the daemon of the tests, where they lie."""
    input:
        space="resources/anny_shape_space.npz",
        after=rules.kill_runs.output,
    output:
        table=f"{FOLDER}/killed_containers.json",
    log:
        f"{FOLDER}/logs/kill_container_runs.log",
    conda:
        "envs/synthetic.yaml"
    threads: workflow.cores
    params:
        tests=str(LIBRARY.parent / "tests"),
    shell:
        "PYTHONPATH=$PYTHONPATH:{params.tests} "
        "python {SCRIPTS}/kill_container_runs.py {FOLDER}/killed_containers {output.table} &> {log}"


rule hurt_runs:
    input:
        clip=rules.film_short_clip.output,
        space="resources/anny_shape_space.npz",
        after=rules.kill_container_runs.output,
    output:
        table=f"{FOLDER}/hurt.json",
    log:
        f"{FOLDER}/logs/hurt_runs.log",
    conda:
        "envs/synthetic.yaml"
    threads: workflow.cores
    shell:
        "python {SCRIPTS}/hurt_runs.py {input.clip} {FOLDER}/hurt {output.table} resources &> {log}"


rule write_faults:
    input:
        corpus=rules.make_damaged_videos.output.table,
        sampled=rules.sample_damaged_videos.output.table,
        measured=rules.measure_damaged_videos.output.table,
        killed=rules.kill_runs.output.table,
        killed_containers=rules.kill_container_runs.output.table,
        hurt=rules.hurt_runs.output.table,
    output:
        touch(f"{FOLDER}/written"),
    log:
        f"{FOLDER}/logs/write_faults.log",
    conda:
        "envs/synthetic.yaml"
    shell:
        "python {SCRIPTS}/write_faults.py docs/scaling.md {input} &> {log}"
