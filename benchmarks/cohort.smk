# Films the people of a cohort: videos, true measurements, and the sheet to measure them with.
# The second workflow, ./Snakefile, measures them; its sheet must exist when it starts.
import os
from pathlib import Path

from snakemake.utils import min_version

min_version("9.19")


configfile: f"{workflow.basedir}/config.yaml"


include: "common.smk"


rule all:
    input:
        f"{COHORT}/videos.tsv",
        f"{COHORT}/truth.csv",
        f"{RESULTS}/speed/videos/adult.mp4",


rule film_adult:
    input:
        sources=sources_of("scripts/film_adult.py"),
    output:
        video=f"{COHORT}/videos/{{adult}}.mp4",
        truth=f"{COHORT}/truth/{{adult}}.json",
    log:
        f"{COHORT}/logs/film_adult/{{adult}}.log",
    conda:
        "envs/synthetic.yaml"
    resources:
        mem_mb=2500,
        runtime="20m",
    params:
        number=lambda wildcards: ADULTS.index(wildcards.adult),
        seed=PEOPLE["seed"],
        varied_beyond_prior=PEOPLE["varied_beyond_prior"],
        shot={},
    message:
        "Filming {wildcards.adult}"
    script:
        "scripts/film_adult.py"


use rule film_adult as film_for_speed with:
    output:
        video=f"{RESULTS}/speed/videos/adult.mp4",
        truth=f"{RESULTS}/speed/truth.json",
    log:
        f"{RESULTS}/speed/logs/film_for_speed.log",
    params:
        number=0,
        seed=config["speed"]["seed"],
        varied_beyond_prior=True,
        shot={key: value for key, value in config["speed"].items() if key != "seed"},
    message:
        "Filming a long video"


rule list_cohort:
    input:
        videos=expand(f"{COHORT}/videos/{{adult}}.mp4", adult=ADULTS),
        truth=expand(f"{COHORT}/truth/{{adult}}.json", adult=ADULTS),
    output:
        sheet=f"{COHORT}/videos.tsv",
        truth=f"{COHORT}/truth.csv",
    log:
        f"{COHORT}/logs/list_cohort.log",
    conda:
        "envs/synthetic.yaml"
    message:
        "Listing the cohort"
    script:
        "scripts/list_cohort.py"
