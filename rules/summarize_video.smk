rule summarize_video:
    input:
        measurements="<results>/videos/{video}/measurements",
        measurements_table="<results>/videos/{video}/measurements.csv",
        keypoints="<results>/videos/{video}/keypoints",
        keypoints_table="<results>/videos/{video}/keypoints.csv",
        checks="<results>/videos/{video}/checks.csv",
    output:
        statistics=report(
            "<results>/videos/{video}/statistics.csv",
            caption="../report/statistics.rst",
            category="Videos",
            labels={"video": "{video}", "what": "statistics"},
        ),
        outcome="<results>/videos/{video}/outcome.json",
    log:
        "<logs>/summarize_video/{video}.log",
    benchmark:
        "<benchmarks>/summarize_video/{video}.tsv"
    priority: 6
    conda:
        "../envs/measure.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settled={
            "sources": sources_of("summarize_video.py"),
            "pose_backend": config["pose"]["backend"],
            "shape_backend": config["shape"]["backend"],
            "custom": config["measurements"]["custom"],
        },
        given=given_for_video(subject=None, sex=None, mass_kg=None),
    message:
        "Summing up {wildcards.video}"
    script:
        "../scripts/summarize_video.py"
