from tapeless.containers import pinned_digest

# Without a container, frames rest on none.
IMAGE_OF_FFMPEG = {}
if config["sampling"]["ffmpeg"] == "container":
    IMAGE_OF_FFMPEG["image"] = pinned_digest("ffmpeg", config["containers"])


rule sample_frames:
    input:
        video=declared_video,
    output:
        frames=directory("<results>/videos/{video}/frames"),
        frames_table="<results>/videos/{video}/frames.csv",
        camera="<results>/videos/{video}/camera.json",
    log:
        **usage_of_ffmpeg("sample_frames"),
        job="<logs>/sample_frames/{video}.log",
    benchmark:
        "<benchmarks>/sample_frames/{video}.tsv"
    priority: gathering(0, otherwise=0)
    conda:
        "../envs/video.yaml"
    threads: 2
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
        disk_mb=DISK_OF_FRAMES_MB,
        gpu=int(config["sampling"]["hwaccel"] == "cuda"),
    params:
        path=path_of_video,
        content=lambda wildcards: get_video(wildcards).identify_content(),
        settled={
            "sources": sources_of("sample_frames.py"),
            **IMAGE_OF_FFMPEG,
            "frames": config["sampling"]["frames"],
            "fps": config["sampling"]["fps"],
            "rotate": config["sampling"]["rotate"],
            "longest_side_px": config["sampling"]["longest_side_px"],
            "hwaccel": config["sampling"]["hwaccel"],
        },
        given=given_for_video(
            start_s=config["sampling"]["start_s"],
            end_s=config["sampling"]["end_s"],
        ),
    message:
        "Sampling frames of {wildcards.video}"
    script:
        "../scripts/sample_frames.py"
