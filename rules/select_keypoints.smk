rule select_keypoints:
    input:
        frames="<results>/videos/{video}/frames",
        frames_table="<results>/videos/{video}/frames.csv",
        pose="<results>/videos/{video}/pose",
    output:
        keypoints=directory("<results>/videos/{video}/keypoints"),
        keypoints_table="<results>/videos/{video}/keypoints.csv",
    log:
        "<logs>/select_keypoints/{video}.log",
    benchmark:
        "<benchmarks>/select_keypoints/{video}.tsv"
    priority: 2
    conda:
        "../envs/mediapipe.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settled={
            "sources": sources_of("select_keypoints.py"),
            "people": config["people"],
            "min_frames": config["selection"]["min_frames"],
            "min_person_height_px": config["selection"]["min_person_height_px"],
            "min_sharpness": config["selection"]["min_sharpness"],
        },
    message:
        "Choosing the person to measure and the frames fit for it in {wildcards.video}"
    script:
        "../scripts/select_keypoints.py"
