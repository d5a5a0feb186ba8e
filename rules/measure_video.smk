rule measure_video:
    input:
        **MEASURING_INPUTS,
    output:
        **MEASURING_OUTPUTS,
    log:
        "<logs>/measure_video/{video}.log",
    benchmark:
        "<benchmarks>/measure_video/{video}.tsv"
    priority: 7
    conda:
        "../envs/joined.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(30),
    params:
        settled=MEASURING_SETTLED | {"sources": sources_of("measure_video.py")},
        given=given_for_video(**MEASURING_GIVEN),
    message:
        "Measuring {wildcards.video}"
    script:
        "../scripts/measure_video.py"
