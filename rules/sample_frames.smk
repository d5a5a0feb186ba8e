from tapeless.containers import pinned_digest

# The parameter that a container adds; without one, frames rest on none.
IMAGE_OF_FFMPEG = (
    {"image": pinned_digest("ffmpeg", config["containers"])}
    if config["sampling"]["ffmpeg"] == "container"
    else {}
)


rule sample_frames:
    input:
        video=declared_video,
        sources=sources_of("sample_frames.py"),
    output:
        frames=directory("<results>/videos/{video}/frames"),
        frames_table="<results>/videos/{video}/frames.csv",
    log:
        "<logs>/sample_frames/{video}.log",
    benchmark:
        "<benchmarks>/sample_frames/{video}.tsv"
    conda:
        "../envs/video.yaml"
    threads: 2
    resources:
        mem_mb=1000,
        runtime="30m",
        gpu=int(config["sampling"]["hwaccel"] == "cuda"),
    params:
        **IMAGE_OF_FFMPEG,
        path=of_video("path"),
        content=lambda wildcards: get_video(wildcards).identify_content(),
        frames=config["sampling"]["frames"],
        fps=config["sampling"]["fps"],
        start_s=span_of_video("start_s"),
        end_s=span_of_video("end_s"),
        rotate=config["sampling"]["rotate"],
        longest_side_px=config["sampling"]["longest_side_px"],
        hwaccel=config["sampling"]["hwaccel"],
    message:
        "Sampling frames of {wildcards.video}"
    script:
        "../scripts/sample_frames.py"
