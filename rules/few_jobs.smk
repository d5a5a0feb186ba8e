# The stages of a video as few jobs (config: jobs_per_video), in place of a rule for each stage. They
# write the same files. docs/scaling.md says what that saves; docs/architecture.md, what it costs.
from tapeless.containers import pinned_digest
from tapeless.shapy_landmarks import find_landmark_files

# OpenPose, SHAPY and whatever takes a graphics card keep jobs of their own, which hold the card, or
# their container, for no longer than they need it.
SEES = config["pose"]["backend"] == "mediapipe" and config["sampling"]["hwaccel"] != "cuda"
FITS = config["shape"]["backend"] == "anny" and config["shape"]["device"] == "cpu"

INPUTS, FOUND, FITTED, USED_BY_FFMPEG = {}, {}, {}, {}
HOW_TO_SEE, HOW_TO_FIT, GIVEN_FOR_VIDEO = {}, {}, {}

if SEES:
    INPUTS = {"video": declared_video}
    FOUND = {
        "frames": directory("<results>/videos/{video}/frames"),
        "frames_table": "<results>/videos/{video}/frames.csv",
        "camera": "<results>/videos/{video}/camera.json",
        "pose": directory("<results>/videos/{video}/pose"),
    }
    HOW_TO_SEE = {
        "path": path_of_video,
        "content": lambda wildcards: get_video(wildcards).identify_content(),
        "frames": config["sampling"]["frames"],
        "fps": config["sampling"]["fps"],
        "rotate": config["sampling"]["rotate"],
        "longest_side_px": config["sampling"]["longest_side_px"],
        "hwaccel": config["sampling"]["hwaccel"],
        "min_visibility": config["pose"]["min_visibility"],
    }
    GIVEN_FOR_VIDEO |= {
        "start_s": config["sampling"]["start_s"],
        "end_s": config["sampling"]["end_s"],
    }
    if config["sampling"]["ffmpeg"] == "container":
        HOW_TO_SEE["image"] = pinned_digest("ffmpeg", config["containers"])
        USED_BY_FFMPEG["usage"] = "<benchmarks>/view_video/{video}.container.json"
else:
    INPUTS = {
        "frames": "<results>/videos/{video}/frames",
        "frames_table": "<results>/videos/{video}/frames.csv",
        "camera": "<results>/videos/{video}/camera.json",
        "pose": "<results>/videos/{video}/pose",
    }

    include: "sample_frames.smk"
    include: f"pose_{config['pose']['backend']}.smk"


if FITS:
    INPUTS["space"] = "<resources>/anny_shape_space.npz"
    FITTED = {"bodies": directory("<results>/videos/{video}/bodies")}
    HOW_TO_FIT = {
        "estimates": config["shape"]["estimates"],
        "device": config["shape"]["device"],
        "packages_of_fit": packages_of("anny"),
    }
    GIVEN_FOR_VIDEO |= {
        "height_cm": None,
        "mass_kg": None,
        "sex": None,
        "vertical_fov_degrees": config["shape"]["vertical_fov_degrees"],
        "distance_m": None,
        "object_height_cm": None,
        "object_height_px": None,
    }

    include: "build_shape_space.smk"

else:

    include: f"shape_{config['shape']['backend']}.smk"


STAGES_OF_JOBS = {
    "view_video": (
        *(("sample_frames", "estimate_pose") if SEES else ()),
        *("select_keypoints", "segment_person", "blur_faces"),
        *(("estimate_shape",) if FITS else ()),
    ),
    "measure_video": ("measure_bodies", "check_video", "summarize_video", "draw_video"),
}


rule view_video:
    input:
        **INPUTS,
    output:
        **FOUND,
        **FITTED,
        keypoints=directory("<results>/videos/{video}/keypoints"),
        keypoints_table="<results>/videos/{video}/keypoints.csv",
        silhouettes=directory("<results>/videos/{video}/silhouettes"),
        pictures=directory("<results>/videos/{video}/pictures"),
    log:
        **USED_BY_FFMPEG,
        job="<logs>/view_video/{video}.log",
    benchmark:
        "<benchmarks>/view_video/{video}.tsv"
    conda:
        "../envs/joined.yaml"
    # One, as several videos side by side are done sooner than one after the other.
    threads: 1
    resources:
        mem_mb=growing(2500),
        runtime=growing(120),
        disk_mb=DISK_OF_FRAMES_MB,
        gpu=0,
    params:
        **HOW_TO_SEE,
        **HOW_TO_FIT,
        given=given_for_video(**GIVEN_FOR_VIDEO),
        sources=sources_of("view_video.py"),
        packages=packages_of("mediapipe"),
        people=config["people"],
        min_frames=config["selection"]["min_frames"],
        min_person_height_px=config["selection"]["min_person_height_px"],
        min_sharpness=config["selection"]["min_sharpness"],
        blur_faces=config["blur_faces"],
    message:
        "Looking at {wildcards.video}"
    script:
        "../scripts/view_video.py"


rule measure_video:
    input:
        frames="<results>/videos/{video}/frames",
        pose="<results>/videos/{video}/pose",
        keypoints="<results>/videos/{video}/keypoints",
        keypoints_table="<results>/videos/{video}/keypoints.csv",
        silhouettes="<results>/videos/{video}/silhouettes",
        pictures="<results>/videos/{video}/pictures",
        bodies="<results>/videos/{video}/bodies",
        landmarks=branch(
            config["shape"]["backend"] == "shapy",
            then=lambda wildcards: find_landmark_files(
                Path(config["shape"]["shapy"]["data"]).expanduser()
            ),
            otherwise=[],
        ),
        space=branch(
            config["shape"]["backend"] == "anny",
            then="<resources>/anny_shape_space.npz",
            otherwise=[],
        ),
    output:
        **(
            {}
            if config["keep_frames"]
            else {"forgotten": "<results>/videos/{video}/frames_forgotten"}
        ),
        measurements=directory("<results>/videos/{video}/measurements"),
        measurements_table="<results>/videos/{video}/measurements.csv",
        checks="<results>/videos/{video}/checks.csv",
        statistics=report(
            "<results>/videos/{video}/statistics.csv",
            caption="../report/statistics.rst",
            category="Videos",
            labels={"video": "{video}", "what": "statistics"},
        ),
        outcome="<results>/videos/{video}/outcome.json",
        sheet=report(
            "<results>/videos/{video}/sheet.png",
            caption="../report/sheet.rst",
            category="Videos",
            labels={"video": "{video}", "what": "contact sheet"},
        ),
    log:
        "<logs>/measure_video/{video}.log",
    benchmark:
        "<benchmarks>/measure_video/{video}.tsv"
    priority: 7
    conda:
        "../envs/joined.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(30),
    params:
        sources=sources_of("measure_video.py"),
        video="{video}",
        given=given_for_video(subject=None, sex=None, mass_kg=None),
        pose_backend=config["pose"]["backend"],
        shape_backend=config["shape"]["backend"],
        custom=config["measurements"]["custom"],
        contours=config["measurements"]["contours"],
        rejecting=config["checks"]["reject"],
    message:
        "Measuring {wildcards.video}"
    script:
        "../scripts/measure_video.py"
