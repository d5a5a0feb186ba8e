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
        sources=sources_of("estimate_shape_anny.py"),
        packages=packages_of("anny"),
        height_cm=of_video("height_cm"),
        mass_kg=of_video("mass_kg"),
        sex=of_video("sex"),
        estimates=config["shape"]["estimates"],
        min_frames=config["selection"]["min_frames"],
        vertical_fov_degrees=given_for_video("vertical_fov_degrees", config["shape"]),
        distance_m=of_video("distance_m"),
        object_height_cm=of_video("object_height_cm"),
        object_height_px=of_video("object_height_px"),
        device=config["shape"]["device"],
    message:
        "Fitting bodies to {wildcards.video}"
    script:
        "../scripts/estimate_shape_anny.py"
