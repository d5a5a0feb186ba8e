rule collect_benchmarks:
    """Benchmark files are no inputs: they differ each time, and nothing rests on them."""
    input:
        sheets=of_every_video("<results>/videos/{video}/sheet.png"),
    output:
        table=report(
            update("<results>/benchmarks.csv"),
            caption="../report/benchmarks.rst",
            category="All videos",
            labels={"table": "benchmarks, a row per stage: what it cost"},
        ),
    log:
        "<logs>/collect_benchmarks.log",
    conda:
        "../envs/measure.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        sources=sources_of("collect_benchmarks.py"),
        benchmarks=lambda wildcards: workflow.pathvars.apply("<benchmarks>"),
    message:
        "Adding up what it cost"
    script:
        "../scripts/collect_benchmarks.py"
