rule view_video:
    input:
        **VIEWING_INPUTS,
    output:
        **VIEWING_OUTPUTS,
    log:
        **(usage_of_ffmpeg("view_video") if SEES else {}),
        job="<logs>/view_video/{video}.log",
    benchmark:
        "<benchmarks>/view_video/{video}.tsv"
    priority: gathering(0, otherwise=0) if SEES else 2
    conda:
        "../envs/joined.yaml"
    # One, as several videos side by side are done sooner than one after the other.
    threads: 1
    resources:
        mem_mb=growing(2500),
        runtime=growing(120),
        disk_mb=DISK_OF_FRAMES_MB,
        gpu=0,
    params:
        **VIEWING_PARAMS,
        settled=VIEWING_SETTLED | {"sources": sources_of("view_video.py")},
        given=given_for_video(**VIEWING_GIVEN),
    message:
        "Looking at {wildcards.video}"
    script:
        "../scripts/view_video.py"
