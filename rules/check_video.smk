rule check_video:
    input:
        frames="<results>/videos/{video}/frames",
        keypoints="<results>/videos/{video}/keypoints",
        keypoints_table="<results>/videos/{video}/keypoints.csv",
        silhouettes="<results>/videos/{video}/silhouettes",
        bodies="<results>/videos/{video}/bodies",
        measurements="<results>/videos/{video}/measurements",
        measurements_table="<results>/videos/{video}/measurements.csv",
        # which says how common a shape is; SHAPY's bodies have none
        space=branch(
            config["shape"]["backend"] == "anny",
            then="<resources>/anny_shape_space.npz",
            otherwise=[],
        ),
    output:
        checks="<results>/videos/{video}/checks.csv",
    log:
        "<logs>/check_video/{video}.log",
    benchmark:
        "<benchmarks>/check_video/{video}.tsv"
    priority: 6
    conda:
        "../envs/mediapipe.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settled={
            "sources": sources_of("check_video.py"),
            "rejecting": config["checks"]["reject"],
        },
    message:
        "Checking whether the numbers of {wildcards.video} are to be believed"
    script:
        "../scripts/check_video.py"
