rule segment_person:
    input:
        frames="<results>/videos/{video}/frames",
        keypoints="<results>/videos/{video}/keypoints",
    output:
        silhouettes=directory("<results>/videos/{video}/silhouettes"),
    log:
        "<logs>/segment_person/{video}.log",
    benchmark:
        "<benchmarks>/segment_person/{video}.tsv"
    priority: 3
    conda:
        "../envs/mediapipe.yaml"
    threads: 2
    resources:
        mem_mb=growing(1500),
        runtime=growing(30),
    params:
        sources=sources_of("segment_person.py"),
        packages=packages_of("mediapipe"),
    message:
        "Cutting out the person in {wildcards.video}"
    script:
        "../scripts/segment_person.py"
