rule measure_bodies:
    input:
        bodies="<results>/videos/{video}/bodies",
        sources=sources_of("measure_bodies.py"),
    output:
        measurements=directory("<results>/videos/{video}/measurements"),
        measurements_table="<results>/videos/{video}/measurements.csv",
    log:
        "<logs>/measure_bodies/{video}.log",
    benchmark:
        "<benchmarks>/measure_bodies/{video}.tsv"
    priority: 5
    conda:
        "../envs/measure.yaml"
    resources:
        mem_mb=1000,
        runtime="10m",
    message:
        "Measuring the bodies of {wildcards.video}"
    script:
        "../scripts/measure_bodies.py"
