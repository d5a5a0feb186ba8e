from tapeless.containers import pinned_digest
from tapeless.shape.shapy_files import read_checksums as checksums_of_shapy

SHAPY = config["shape"]["shapy"]


rule estimate_shape:
    input:
        frames="<results>/videos/{video}/frames",
        keypoints="<results>/videos/{video}/keypoints",
    output:
        bodies=directory("<results>/videos/{video}/bodies"),
    log:
        job="<logs>/estimate_shape/{video}.log",
        usage="<benchmarks>/estimate_shape/{video}.container.json",
    benchmark:
        "<benchmarks>/estimate_shape/{video}.tsv"
    priority: gathering(2, otherwise=4)
    conda:
        "../envs/containers.yaml"
    threads: 2
    resources:
        gpu=1,
        mem_mb=config["containers"]["memory_mb"],
        runtime=f"{config['containers']['time_limit_minutes'] + 10:.0f}m",
    params:
        given=given_for_video(height_cm=None),
        # One, as in pose_openpose.smk.
        settled={
            "sources": sources_of("estimate_shape_shapy.py"),
            "packages": packages_of("containers"),
            "image": pinned_digest("shapy", config["containers"]),
            "weights": checksums_of_shapy(Path(SHAPY["data"]).expanduser()),
            "min_frames": config["selection"]["min_frames"],
            "meshes": SHAPY["meshes"],
            "pictures": SHAPY["pictures"],
        },
    message:
        "Estimating a body for each frame of {wildcards.video}, with SHAPY"
    script:
        "../scripts/estimate_shape_shapy.py"
