rule draw_cohort:
    input:
        summary="<results>/summary.csv",
        subjects="<results>/subjects.csv",
        repeatability="<results>/repeatability.csv",
    output:
        page=report(
            update("<results>/cohort.html"),
            caption="../report/cohort.rst",
            category="All videos",
            labels={"table": "page on all people"},
        ),
    log:
        "<logs>/draw_cohort.log",
    conda:
        "../envs/pictures.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        sources=sources_of("draw_cohort.py"),
    message:
        "Drawing the page on all people"
    script:
        "../scripts/draw_cohort.py"
