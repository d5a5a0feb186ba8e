from tapeless.shapy_landmarks import find_landmark_files


rule measure_bodies:
    input:
        bodies="<results>/videos/{video}/bodies",
        # SHAPY's own, which are part of the user's download
        landmarks=branch(
            config["shape"]["backend"] == "shapy",
            then=lambda wildcards: find_landmark_files(
                Path(config["shape"]["shapy"]["data"]).expanduser()
            ),
            otherwise=[],
        ),
    output:
        measurements=directory("<results>/videos/{video}/measurements"),
        measurements_table="<results>/videos/{video}/measurements.csv",
    log:
        "<logs>/measure_bodies/{video}.log",
    benchmark:
        "<benchmarks>/measure_bodies/{video}.tsv"
    priority: 5
    conda:
        "../envs/measure.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settled={
            "sources": sources_of("measure_bodies.py"),
            "custom": config["measurements"]["custom"],
            "contours": config["measurements"]["contours"],
        },
    message:
        "Measuring the bodies of {wildcards.video}"
    script:
        "../scripts/measure_bodies.py"
