rule process_video:
    input:
        **{
            name: path
            for name, path in (MEASURING_INPUTS | VIEWING_INPUTS).items()
            if name not in VIEWING_OUTPUTS
        },
    output:
        **VIEWING_OUTPUTS,
        **MEASURING_OUTPUTS,
    log:
        **(usage_of_ffmpeg("process_video") if SEES else {}),
        job="<logs>/process_video/{video}.log",
    benchmark:
        "<benchmarks>/process_video/{video}.tsv"
    # What is nearly done comes first, where joints are found by a job of its own.
    priority: 7
    conda:
        "../envs/joined.yaml"
    # One, as several videos side by side are done sooner than one after the other.
    threads: 1
    resources:
        mem_mb=growing(2500),
        runtime=growing(150),
        disk_mb=DISK_OF_FRAMES_MB,
        gpu=0,
    params:
        **VIEWING_PARAMS,
        settled=VIEWING_SETTLED | MEASURING_SETTLED | {"sources": sources_of("process_video.py")},
        given=given_for_video(**(VIEWING_GIVEN | MEASURING_GIVEN)),
    message:
        "Measuring {wildcards.video}"
    script:
        "../scripts/process_video.py"
