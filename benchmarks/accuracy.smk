# Accuracy of tapeless, measured with tapeless: the main workflow is imported, not copied.
# ./cohort.smk films the people first. Of the cohort "calibration", what is learned is how wide
# intervals have to be; of "evaluation", docs/accuracy.md says how good they and the values are.
from snakemake.exceptions import WorkflowError
from snakemake.io import is_flagged, strip_wildcard_constraints
from snakemake.utils import min_version

min_version("9.19")


configfile: f"{workflow.basedir}/config.yaml"


include: "common.smk"


if not Path(COHORT, "videos.tsv").exists():
    raise WorkflowError(
        "Nobody has been filmed yet. First run: "
        f"snakemake --snakefile benchmarks/cohort.smk --cores all --config cohort={config['cohort']}"
    )

REPEATS = f"{RESULTS}/{config['real']['cohort']}"
QUANTILES = f"{RESULTS}/calibration/quantiles.csv"
OTHERS = (QUANTILES, f"{REPEATS}/repeatability.csv")
if config["cohort"] == "evaluation" and not all(Path(path).exists() for path in OTHERS):
    raise WorkflowError(
        "docs/accuracy.md also says what the cohorts calibration and repeats showed: film and "
        "measure them first, with --config cohort=calibration and cohort=repeats (a try: with as "
        "many adults)."
    )

# Tables of the library that are made here.
LEARNED = ("uncertainty.csv", "checks.yaml")
KNOWN, UNKNOWN = f"{COHORT}/known", f"{COHORT}/unknown"
MEASURED = [f"{adult}-{take}" for adult in ADULTS for take in PEOPLE["takes"]]
MEASURED_UNKNOWN = [f"{adult}-{take}" for adult in ADULTS for take in PEOPLE["unknown"]]
DOCS = f"{COHORT}/docs" if config["adults"] else "docs"
IMAGES = f"{DOCS}/images/accuracy"


module tapeless:
    pathvars:
        results=KNOWN,
    snakefile:
        "../Snakefile"
    config:
        {"sheet": f"{COHORT}/videos.tsv", "jobs_per_video": "few", "blur_faces": False}


use rule * from tapeless as tapeless_*


if MEASURED_UNKNOWN:
    # What the pictures show does not depend on the height: it is looked at once, so that of the
    # job that looks at a video and fits a body to it, only the fit remains: a stage of its own.
    OF_UNKNOWN = {"sheet": f"{COHORT}/videos_unknown.tsv"}

    module unknown:
        pathvars:
            results=UNKNOWN,
        snakefile:
            "../Snakefile"
        config:
            {**OF_UNKNOWN, "jobs_per_video": "few"}

    use rule * from unknown exclude view_video, build_shape_space as unknown_*

    module unknown_stages:
        pathvars:
            results=UNKNOWN,
        snakefile:
            "../Snakefile"
        config:
            {**OF_UNKNOWN, "jobs_per_video": "many"}

    # Two jobs of one thread each are done sooner than two of two, one after the other.
    use rule estimate_shape from unknown_stages as unknown_estimate_shape with:
        threads: 1

    # Files and folders; whether it is a folder.
    SEEN = {
        strip_wildcard_constraints(path): is_flagged(path, "directory")
        for name, path in workflow.get_rule("tapeless_view_video").output.items()
        if name != "bodies"
    }

    def shared(path, is_folder):
        other = path.replace(KNOWN, UNKNOWN, 1)
        return directory(other) if is_folder else other

    rule share_sight:
        input:
            list(SEEN),
        output:
            [shared(path, is_folder) for path, is_folder in SEEN.items()],
        log:
            f"{UNKNOWN}/logs/share_sight/{{video}}.log",
        conda:
            "envs/synthetic.yaml"
        message:
            "Sharing what was seen of {wildcards.video}"
        script:
            "scripts/share_sight.py"


onstart:
    schedule_when_jobs_end()


rule all:
    default_target: True
    input:
        {
            "calibration": f"{COHORT}/"
            + ("quantiles.csv" if config["adults"] else "intervals_used"),
            "evaluation": f"{DOCS}/accuracy.md",
            config["real"]["cohort"]: f"{COHORT}/repeatability.csv",
        }.get(config["cohort"], f"{COHORT}/scores.csv"),


rule calibrate_intervals:
    """How wide intervals have to be, and how much wider the front; the library stays as it is.

    What is learned here is written into tables that it, too, imports by their names, and that the
    checks are read from: neither may start it again. Who changes a check says --forcerun.
    """
    input:
        known=expand(f"{KNOWN}/videos/{{video}}/measurements.csv", video=MEASURED),
        unknown=expand(f"{UNKNOWN}/videos/{{video}}/measurements.csv", video=MEASURED_UNKNOWN),
        checks=ancient(
            expand(f"{KNOWN}/videos/{{video}}/checks.csv", video=MEASURED)
            + expand(f"{UNKNOWN}/videos/{{video}}/checks.csv", video=MEASURED_UNKNOWN)
        ),
        truth=f"{COHORT}/truth.csv",
        sources=[
            path
            for path in sources_of("scripts/calibrate_intervals.py")
            if path.name not in LEARNED
        ],
    output:
        needs=f"{COHORT}/needs.csv",
        quantiles=f"{COHORT}/quantiles.csv",
    log:
        f"{COHORT}/logs/calibrate_intervals.log",
    conda:
        "envs/synthetic.yaml"
    message:
        "Finding out how wide intervals have to be"
    script:
        "scripts/calibrate_intervals.py"


rule use_intervals:
    """Puts what was found into the library; not that of a try with fewer people."""
    input:
        quantiles=f"{COHORT}/quantiles.csv",
    output:
        used=touch(f"{COHORT}/intervals_used"),
    log:
        f"{COHORT}/logs/use_intervals.log",
    conda:
        "envs/synthetic.yaml"
    params:
        library=str(LIBRARY / "tapeless/data"),
        seed=PEOPLE["drawn"]["seed"],
    message:
        "Writing the width of intervals into the library"
    script:
        "scripts/use_intervals.py"


rule measure_average:
    """Average adults, for the baseline: the mean of many bodies, all, of women, and of men."""
    input:
        sources=sources_of("scripts/measure_average.py"),
    output:
        average=f"{RESULTS}/average.csv",
    log:
        f"{RESULTS}/logs/measure_average.log",
    conda:
        "envs/synthetic.yaml"
    resources:
        mem_mb=2500,
        runtime="10m",
    params:
        adults=config["average_of"],
    message:
        "Measuring average adults"
    script:
        "scripts/measure_average.py"


rule score_accuracy:
    input:
        truth=f"{COHORT}/truth.csv",
        films=f"{COHORT}/films.csv",
        known=f"{KNOWN}/measurements.csv",
        unknown=f"{UNKNOWN}/measurements.csv" if MEASURED_UNKNOWN else [],
        average=f"{RESULTS}/average.csv",
        quantiles=ancient(QUANTILES) if config["cohort"] == "evaluation" else [],
        sources=sources_of("scripts/score_accuracy.py"),
    output:
        errors=f"{COHORT}/errors.csv",
        scores=f"{COHORT}/scores.csv",
    log:
        f"{COHORT}/logs/score_accuracy.log",
    conda:
        "envs/synthetic.yaml"
    message:
        "Comparing measured with true"
    script:
        "scripts/score_accuracy.py"


rule score_repeatability:
    input:
        known=f"{KNOWN}/measurements.csv",
        sources=sources_of("scripts/score_repeatability.py"),
    output:
        repeatability=f"{COHORT}/repeatability.csv",
        spans=f"{COHORT}/spans.csv",
    log:
        f"{COHORT}/logs/score_repeatability.log",
    conda:
        "envs/synthetic.yaml"
    message:
        "Comparing videos of the same people"
    script:
        "scripts/score_repeatability.py"


rule ablate_fit:
    """The fit of one video again: with what it does not know in a run, or with less of it."""
    input:
        frames_table=f"{KNOWN}/videos/{{video}}/frames.csv",
        keypoints=f"{KNOWN}/videos/{{video}}/keypoints",
        silhouettes=f"{KNOWN}/videos/{{video}}/silhouettes",
        masks=f"{COHORT}/films/{{video}}",
        films=f"{COHORT}/films.csv",
        truth=f"{COHORT}/truth.csv",
        space="resources/anny_shape_space.npz",
        sources=sources_of("scripts/ablate_fit.py"),
    output:
        ablation=f"{COHORT}/ablation/{{video}}.csv",
    log:
        f"{COHORT}/logs/ablate_fit/{{video}}.log",
    conda:
        "envs/synthetic.yaml"
    resources:
        mem_mb=2500,
        runtime="30m",
    params:
        views=config["ablation"]["views"],
        number=lambda wildcards: ADULTS.index(wildcards.video.split("-")[0]),
        drawn=PEOPLE["drawn"],
    message:
        "Fitting {wildcards.video} with other input"
    script:
        "scripts/ablate_fit.py"


rule draw_accuracy:
    input:
        errors=f"{COHORT}/errors.csv",
        truth=f"{COHORT}/truth.csv",
        films=f"{COHORT}/films.csv",
        ablation=expand(
            f"{COHORT}/ablation/{{adult}}-{config['ablation']['take']}.csv", adult=SOME_ADULTS
        ),
        sources=sources_of("scripts/draw_accuracy.py"),
    output:
        agreement=f"{IMAGES}/agreement.png",
        build=f"{IMAGES}/build.png",
        size=f"{IMAGES}/size.png",
        views=f"{IMAGES}/views.png",
    log:
        f"{COHORT}/logs/draw_accuracy.log",
    conda:
        "envs/synthetic.yaml"
    params:
        drawn=config["drawn"],
        take=config["ablation"]["take"],
    message:
        "Drawing the plots of docs/accuracy.md"
    script:
        "scripts/draw_accuracy.py"


rule write_accuracy:
    """The other cohorts were measured by runs of their own, before this one."""
    input:
        errors=f"{COHORT}/errors.csv",
        scores=f"{COHORT}/scores.csv",
        truth=f"{COHORT}/truth.csv",
        films=f"{COHORT}/films.csv",
        summary=f"{KNOWN}/summary.csv",
        summary_unknown=f"{UNKNOWN}/summary.csv",
        ablation=rules.draw_accuracy.input.ablation,
        plots=rules.draw_accuracy.output,
        repeatability=ancient(f"{REPEATS}/repeatability.csv"),
        spans=ancient(f"{REPEATS}/spans.csv"),
        truth_of_calibration=ancient(f"{RESULTS}/calibration/truth.csv"),
        template=f"{workflow.basedir}/pages/accuracy.md",
        sources=sources_of("scripts/write_accuracy.py"),
    output:
        page=f"{DOCS}/accuracy.md",
    log:
        f"{COHORT}/logs/write_accuracy.log",
    conda:
        "envs/synthetic.yaml"
    params:
        config=config,
        readme=None if config["adults"] else "README.md",
    message:
        "Writing docs/accuracy.md"
    script:
        "scripts/write_accuracy.py"
