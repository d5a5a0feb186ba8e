# Films the people of a cohort: videos, true measurements, and the sheets to measure them with.
# ./accuracy.smk measures them; the sheets must exist when it starts.
from snakemake.utils import min_version

min_version("9.19")


configfile: f"{workflow.basedir}/config.yaml"


include: "common.smk"


FILMS = f"{COHORT}/films"
REAL = {**config["real"], "video": os.environ.get("TAPELESS_RECORDING", config["real"]["video"])}
WANTS_REAL = config["cohort"] == REAL["cohort"]
HAS_REAL = WANTS_REAL and Path(REAL["video"]).exists()
if WANTS_REAL and not HAS_REAL:
    logger.warning(
        f"No spans of a real recording will be measured: there is no file {REAL['video']}. It is "
        f"{REAL['source']}; put it there, or set TAPELESS_RECORDING to where it is."
    )


wildcard_constraints:
    adult=r"adult_\d+",


def films_of(adult, takes):
    return [f"{FILMS}/{adult}-{take}" for take in takes]


def shots(takes):
    """How each take is filmed, as far as the configuration says it; and whose camera it has."""
    return {take: {"like": take, **config["picture"], **config["takes"][take]} for take in takes}


rule all:
    input:
        f"{COHORT}/videos.tsv",
        f"{COHORT}/truth.csv",


rule film_adult:
    """Every take of a person, in one job: loading the body model takes as long as a take."""
    input:
        sources=sources_of("scripts/film_adult.py"),
    output:
        videos=[f"{film}.mp4" for film in films_of("{adult}", PEOPLE["takes"])],
        masks=[directory(film) for film in films_of("{adult}", PEOPLE["takes"])],
        table=f"{FILMS}/{{adult}}.csv",
    log:
        f"{COHORT}/logs/film_adult/{{adult}}.log",
    conda:
        "envs/synthetic.yaml"
    resources:
        mem_mb=2500,
        runtime="20m",
    params:
        number=lambda wildcards: ADULTS.index(wildcards.adult),
        drawn=PEOPLE["drawn"],
        shots=shots(PEOPLE["takes"]),
        variation=config["variation"],
    message:
        "Filming {wildcards.adult}"
    script:
        "scripts/film_adult.py"


if PEOPLE["of_some"]:

    use rule film_adult as film_adult_again with:
        output:
            videos=[f"{film}.mp4" for film in films_of("{adult}", PEOPLE["of_some"])],
            masks=[directory(film) for film in films_of("{adult}", PEOPLE["of_some"])],
            table=f"{FILMS}/{{adult}}-again.csv",
        log:
            f"{COHORT}/logs/film_adult_again/{{adult}}.log",
        params:
            shots=shots(PEOPLE["of_some"]),


rule measure_truth:
    input:
        sources=sources_of("scripts/measure_truth.py"),
    output:
        truth=f"{COHORT}/truth.csv",
    log:
        f"{COHORT}/logs/measure_truth.log",
    conda:
        "envs/synthetic.yaml"
    resources:
        mem_mb=2500,
        runtime="20m",
    params:
        adults=ADULTS,
        drawn=PEOPLE["drawn"],
    message:
        "Measuring the true bodies"
    script:
        "scripts/measure_truth.py"


rule list_cohort:
    input:
        tables=expand(f"{FILMS}/{{adult}}.csv", adult=ADULTS),
        tables_again=expand(
            f"{FILMS}/{{adult}}-again.csv", adult=SOME_ADULTS if PEOPLE["of_some"] else []
        ),
        truth=f"{COHORT}/truth.csv",
    output:
        sheet=f"{COHORT}/videos.tsv",
        sheet_unknown=f"{COHORT}/videos_unknown.tsv",
        films=f"{COHORT}/films.csv",
    log:
        f"{COHORT}/logs/list_cohort.log",
    conda:
        "envs/synthetic.yaml"
    params:
        unknown=PEOPLE["unknown"],
        real=REAL if HAS_REAL else None,
    message:
        "Listing the cohort"
    script:
        "scripts/list_cohort.py"
