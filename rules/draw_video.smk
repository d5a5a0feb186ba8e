rule draw_video:
    input:
        pictures="<results>/videos/{video}/pictures",
        pose="<results>/videos/{video}/pose",
        keypoints="<results>/videos/{video}/keypoints",
        keypoints_table="<results>/videos/{video}/keypoints.csv",
        silhouettes="<results>/videos/{video}/silhouettes",
        bodies="<results>/videos/{video}/bodies",
        statistics="<results>/videos/{video}/statistics.csv",
        outcome="<results>/videos/{video}/outcome.json",
    output:
        sheet=report(
            "<results>/videos/{video}/sheet.png",
            caption="../report/sheet.rst",
            category="Videos",
            labels={"video": "{video}", "what": "contact sheet"},
        ),
    log:
        "<logs>/draw_video/{video}.log",
    benchmark:
        "<benchmarks>/draw_video/{video}.tsv"
    priority: 7
    conda:
        "../envs/pictures.yaml"
    resources:
        mem_mb=growing(1500),
        runtime=growing(10),
    params:
        sources=sources_of("draw_video.py"),
    message:
        "Drawing the contact sheet of {wildcards.video}"
    script:
        "../scripts/draw_video.py"
