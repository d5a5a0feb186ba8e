from tapeless.hiding import hide_secrets
from tapeless.needs import describe_needs, find_needs


rule collect_reports:
    """Yesterday's reports stay, and come back if the job fails, until today's replace them."""
    input:
        statistics=of_every_video("<results>/videos/{video}/statistics.csv"),
        outcome=of_every_video("<results>/videos/{video}/outcome.json"),
    output:
        summary=report(
            update("<results>/summary.csv"),
            caption="../report/summary.rst",
            category="All videos",
            labels={"table": "summary, a row per video and person"},
        ),
        measurements=report(
            update("<results>/measurements.csv"),
            caption="../report/measurements.rst",
            category="All videos",
            labels={"table": "measurements, a row per video, person and measurement"},
        ),
        subjects=report(
            update("<results>/subjects.csv"),
            caption="../report/subjects.rst",
            category="All videos",
            labels={"table": "subjects, a row per person who has a name"},
        ),
        repeatability=report(
            update("<results>/repeatability.csv"),
            caption="../report/repeatability.rst",
            category="All videos",
            labels={"table": "repeatability, a row per measurement"},
        ),
    log:
        "<logs>/collect_reports.log",
    conda:
        "../envs/measure.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settled={
            "sources": sources_of("collect_reports.py"),
            "custom": config["measurements"]["custom"],
        },
    message:
        "Collecting the reports of all videos"
    script:
        "../scripts/collect_reports.py"


rule collect_checks:
    input:
        checks=of_every_video("<results>/videos/{video}/checks.csv"),
    output:
        checks=report(
            update("<results>/checks.csv"),
            caption="../report/checks.rst",
            category="All videos",
            labels={"table": "checks, a row per video, person and check"},
        ),
    log:
        "<logs>/collect_checks.log",
    conda:
        "../envs/measure.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        sources=sources_of("collect_checks.py"),
        videos=list(VIDEOS),
    message:
        "Collecting the checks of all videos"
    script:
        "../scripts/collect_checks.py"


rule write_provenance:
    input:
        summary="<results>/summary.csv",
    output:
        provenance=update("<results>/provenance.json"),
    log:
        "<logs>/write_provenance.log",
    conda:
        "../envs/measure.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        sources=sources_of("write_provenance.py"),
        config=hide_secrets(config),
        ingredients=lambda wildcards: describe_needs(config),
        has_cards=any(needs.card for needs in find_needs(config).values()),
    message:
        "Writing down what made these results"
    script:
        "../scripts/write_provenance.py"
