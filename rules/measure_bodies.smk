from tapeless.shapy_landmarks import find_landmark_files


def landmarks_of_shapy(wildcards):
    """SHAPY's own landmarks, which are part of the user's download; none with another backend."""
    data = config["shape"]["shapy"]["data"]
    if config["shape"]["backend"] != "shapy" or data is None:
        return []
    return [str(file) for file in find_landmark_files(Path(data))]


rule measure_bodies:
    input:
        bodies="<results>/videos/{video}/bodies",
        landmarks=landmarks_of_shapy,
        sources=sources_of("measure_bodies.py"),
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
        mem_mb=1000,
        runtime="10m",
    message:
        "Measuring the bodies of {wildcards.video}"
    script:
        "../scripts/measure_bodies.py"
