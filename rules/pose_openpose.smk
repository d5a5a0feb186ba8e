from tapeless.containers import pinned_digest
from tapeless.pose.openpose_models import read_checksums as checksums_of_openpose

OPENPOSE = config["pose"]["openpose"]


rule estimate_pose:
    input:
        frames="<results>/videos/{video}/frames",
    output:
        pose=directory("<results>/videos/{video}/pose"),
    log:
        job="<logs>/estimate_pose/{video}.log",
        usage="<benchmarks>/estimate_pose/{video}.container.json",
    benchmark:
        "<benchmarks>/estimate_pose/{video}.tsv"
    priority: gathering(1, otherwise=1)
    conda:
        "../envs/containers.yaml"
    threads: 2
    resources:
        gpu=int(OPENPOSE["gpu"]),
        mem_mb=config["containers"]["memory_mb"],
        runtime=f"{config['containers']['time_limit_minutes'] + 10:.0f}m",
    params:
        # One, for Snakemake compares the values of parameters without their names. What a container finds
        # for other videos, too, is theirs only if this is the same.
        settled={
            "sources": sources_of("estimate_pose_openpose.py"),
            "packages": packages_of("containers"),
            "image": pinned_digest("openpose", config["containers"]),
            "weights": checksums_of_openpose(Path(OPENPOSE["models"]).expanduser(), OPENPOSE),
            "min_confidence": OPENPOSE["min_confidence"],
            "net_resolution": OPENPOSE["net_resolution"],
            "number_people_max": OPENPOSE["number_people_max"],
            "face": OPENPOSE["face"],
            "hands": OPENPOSE["hands"],
            "pictures": OPENPOSE["pictures"],
        },
    message:
        "Finding the joints of everybody in {wildcards.video}, with OpenPose"
    script:
        "../scripts/estimate_pose_openpose.py"
