rule forget_frames:
    """Unblurred pictures of people go as soon as nothing needs them.

    Not by temp(): a stage that runs again would make Snakemake sample again, and with that run all
    stages that ever read the frames. The folder stays, with what brings the frames back to the one
    stage that asks for them (tapeless.video.recall).
    """
    input:
        frames="<results>/videos/{video}/frames",
        pose="<results>/videos/{video}/pose",
        keypoints="<results>/videos/{video}/keypoints",
        silhouettes="<results>/videos/{video}/silhouettes",
        pictures="<results>/videos/{video}/pictures",
        bodies="<results>/videos/{video}/bodies",
        checks="<results>/videos/{video}/checks.csv",
    output:
        forgotten=touch("<results>/videos/{video}/frames_forgotten"),
    log:
        "<logs>/forget_frames/{video}.log",
    priority: 9
    conda:
        "../envs/video.yaml"
    resources:
        mem_mb=growing(100),
        runtime=growing(10),
    message:
        "Forgetting the frames of {wildcards.video}"
    shell:
        "find {input.frames:q} -name '*.png' -delete 2> {log:q}"
