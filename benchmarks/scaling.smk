# What thousands of videos cost: planning, collecting, and starting Python. `make bench-scaling`, which
# gives one measurement at a time the machine to itself (--resources machine=1).
from pathlib import Path

from snakemake.utils import min_version

min_version("9.19")


include: "environment.smk"


ROOT = Path(workflow.basedir).parent
RESULTS = "benchmarks/results/scaling"
# How many videos are planned in which way (jobs_per_video); only one job is for thousands of videos.
NUMBERS = {"many": (100, 1_000), "few": (100, 1_000), "one": (100, 1_000, 10_000)}
PLANS = [(way, number) for way, numbers in NUMBERS.items() for number in numbers]


rule all:
    default_target: True
    input:
        "docs/scaling.md",


rule plan_videos:
    input:
        script=f"{workflow.basedir}/scripts/plan_videos.py",
    output:
        f"{RESULTS}/plan_{{way}}_{{number}}.json",
    log:
        f"{RESULTS}/logs/plan_{{way}}_{{number}}.log",
    conda:
        "envs/synthetic.yaml"
    resources:
        machine=1,
        mem_mb=4000,
        runtime="30m",
    params:
        folder=f"{RESULTS}/planned_{{way}}_{{number}}",
        snakefile=str(ROOT / "Snakefile"),
    message:
        "Planning {wildcards.number} videos, {wildcards.way} jobs each"
    script:
        "scripts/plan_videos.py"


rule film_short_videos:
    output:
        expand(f"{RESULTS}/films/adult_{{number}}.mp4", number=range(4)),
    log:
        f"{RESULTS}/logs/film_short_videos.log",
    conda:
        "envs/synthetic.yaml"
    message:
        "Filming"
    script:
        "scripts/film_short_videos.py"


rule time_short_videos:
    input:
        films=rules.film_short_videos.output,
        space="resources/anny_shape_space.npz",
    output:
        times=f"{RESULTS}/short_videos.json",
        results=directory(f"{RESULTS}/short_videos/results"),
    log:
        f"{RESULTS}/logs/time_short_videos.log",
    conda:
        "envs/synthetic.yaml"
    resources:
        machine=1,
        mem_mb=6000,
        runtime="2h",
    params:
        folder=f"{RESULTS}/short_videos",
        number=20,
        cores=(1, 2),
    message:
        "Timing runs of twenty short videos"
    script:
        "scripts/time_short_videos.py"


rule time_shared_containers:
    """With OpenPose and the graphics card of the tests, where they lie."""
    input:
        script=f"{workflow.basedir}/scripts/time_shared_containers.py",
    output:
        times=f"{RESULTS}/shared_containers.json",
    log:
        f"{RESULTS}/logs/time_shared_containers.log",
    conda:
        "envs/synthetic.yaml"
    resources:
        machine=1,
        mem_mb=4000,
        runtime="30m",
    params:
        videos=6,
        tests=str(ROOT / "tests"),
    message:
        "Timing runs whose videos share a container"
    shell:
        "PYTHONPATH=$PYTHONPATH:{params.tests:q} python {input.script:q} {params.videos} {output.times:q} &> {log:q}"


rule time_collecting:
    input:
        results=rules.time_short_videos.output.results,
    output:
        f"{RESULTS}/collecting.json",
    log:
        f"{RESULTS}/logs/time_collecting.log",
    conda:
        "envs/synthetic.yaml"
    resources:
        machine=1,
        mem_mb=2000,
        runtime="30m",
    params:
        folder=f"{RESULTS}/collected",
        video="video_00",
        number=10_000,
    message:
        "Collecting ten thousand videos"
    script:
        "scripts/time_collecting.py"


rule write_scaling:
    input:
        plans=[f"{RESULTS}/plan_{way}_{number}.json" for way, number in PLANS],
        collecting=f"{RESULTS}/collecting.json",
        times=f"{RESULTS}/short_videos.json",
        shared=f"{RESULTS}/shared_containers.json",
    output:
        page=update("docs/scaling.md"),
    log:
        f"{RESULTS}/logs/write_scaling.log",
    conda:
        "envs/synthetic.yaml"
    params:
        plans=PLANS,
    message:
        "Writing the tables of docs/scaling.md"
    script:
        "scripts/write_scaling.py"
