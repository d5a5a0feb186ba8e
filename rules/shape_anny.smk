# What is used of a graphics card, which Snakemake's benchmark cannot see.
USAGE_OF_CARD = {}
if config["shape"]["device"] == "cuda":
    USAGE_OF_CARD["usage"] = "<benchmarks>/estimate_shape/{video}.gpu.json"


include: "build_shape_space.smk"


rule estimate_shape:
    input:
        keypoints="<results>/videos/{video}/keypoints",
        silhouettes="<results>/videos/{video}/silhouettes",
        camera="<results>/videos/{video}/camera.json",
        space="<resources>/anny_shape_space.npz",
    output:
        bodies=directory("<results>/videos/{video}/bodies"),
    log:
        **USAGE_OF_CARD,
        job="<logs>/estimate_shape/{video}.log",
    benchmark:
        "<benchmarks>/estimate_shape/{video}.tsv"
    priority: 4
    conda:
        "../envs/anny.yaml"
    threads: 2
    resources:
        mem_mb=growing(2500),
        runtime=growing(60),
        gpu=int(config["shape"]["device"] == "cuda"),
    params:
        settled={
            "sources": sources_of("estimate_shape_anny.py"),
            "packages": packages_of("anny"),
            "estimates": config["shape"]["estimates"],
            "min_frames": config["selection"]["min_frames"],
            "device": config["shape"]["device"],
        },
        given=given_for_video(
            height_cm=None,
            mass_kg=None,
            sex=None,
            vertical_fov_degrees=config["shape"]["vertical_fov_degrees"],
            distance_m=None,
            object_height_cm=None,
            object_height_px=None,
        ),
    message:
        "Fitting bodies to {wildcards.video}"
    script:
        "../scripts/estimate_shape_anny.py"
