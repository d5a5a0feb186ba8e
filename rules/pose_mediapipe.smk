rule estimate_pose:
    input:
        frames="<results>/videos/{video}/frames",
    output:
        pose=directory("<results>/videos/{video}/pose"),
    log:
        "<logs>/estimate_pose/{video}.log",
    benchmark:
        "<benchmarks>/estimate_pose/{video}.tsv"
    priority: 1
    conda:
        "../envs/mediapipe.yaml"
    threads: 2
    resources:
        mem_mb=growing(1500),
        runtime=growing(30),
    params:
        settled={
            "sources": sources_of("estimate_pose_mediapipe.py"),
            "packages": packages_of("mediapipe"),
            "min_visibility": config["pose"]["min_visibility"],
            "people": config["people"],
        },
    message:
        "Finding the joints of everybody in {wildcards.video}"
    script:
        "../scripts/estimate_pose_mediapipe.py"
