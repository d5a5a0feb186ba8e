rule blur_faces:
    input:
        frames="<results>/videos/{video}/frames",
        pose="<results>/videos/{video}/pose",
    output:
        pictures=directory("<results>/videos/{video}/pictures"),
    log:
        "<logs>/blur_faces/{video}.log",
    benchmark:
        "<benchmarks>/blur_faces/{video}.tsv"
    priority: 3
    conda:
        "../envs/mediapipe.yaml"
    threads: 2
    resources:
        mem_mb=growing(1500),
        runtime=growing(30),
    params:
        settled={
            "sources": sources_of("blur_faces.py"),
            "packages": packages_of("mediapipe"),
            "blur_faces": config["blur_faces"],
        },
    message:
        "Hiding faces in the pictures of {wildcards.video}"
    script:
        "../scripts/blur_faces.py"
