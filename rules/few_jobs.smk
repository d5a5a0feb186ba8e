# The stages of a video as few jobs or as one (config: jobs_per_video), in place of a rule for each
# stage. They write the same files. docs/scaling.md says what that saves, and what it costs. Here is
# what their rules share: what looks at a video, up to its bodies, and what measures it then.
from tapeless.containers import pinned_digest
from tapeless.shapy_landmarks import find_landmark_files

# Whether what looks at a video takes the frames and finds the joints itself, and whether it fits the
# bodies. OpenPose, SHAPY and whatever takes a graphics card keep jobs of their own, which hold the
# card, or their container, for no longer than they need it.
SEES = config["pose"]["backend"] == "mediapipe" and config["sampling"]["hwaccel"] != "cuda"
FITS = config["shape"]["backend"] == "anny" and config["shape"]["device"] == "cpu"

VIEWING_STAGES = (
    *(("sample_frames", "estimate_pose") if SEES else ()),
    *("select_keypoints", "segment_person", "blur_faces"),
    *(("estimate_shape",) if FITS else ()),
)
VIEWING_INPUTS = {}
VIEWING_OUTPUTS = {
    "keypoints": directory("<results>/videos/{video}/keypoints"),
    "keypoints_table": "<results>/videos/{video}/keypoints.csv",
    "silhouettes": directory("<results>/videos/{video}/silhouettes"),
    "pictures": directory("<results>/videos/{video}/pictures"),
}
VIEWING_SETTLED = {
    "packages": packages_of("mediapipe"),
    "people": config["people"],
    "min_frames": config["selection"]["min_frames"],
    "min_person_height_px": config["selection"]["min_person_height_px"],
    "min_sharpness": config["selection"]["min_sharpness"],
    "blur_faces": config["blur_faces"],
}
VIEWING_GIVEN = {}
VIEWING_PARAMS = {}

if SEES:
    VIEWING_INPUTS |= {"video": declared_video}
    VIEWING_OUTPUTS |= {
        "frames": directory("<results>/videos/{video}/frames"),
        "frames_table": "<results>/videos/{video}/frames.csv",
        "camera": "<results>/videos/{video}/camera.json",
        "pose": directory("<results>/videos/{video}/pose"),
    }
    VIEWING_SETTLED |= {
        "frames": config["sampling"]["frames"],
        "fps": config["sampling"]["fps"],
        "rotate": config["sampling"]["rotate"],
        "longest_side_px": config["sampling"]["longest_side_px"],
        "hwaccel": config["sampling"]["hwaccel"],
        "min_visibility": config["pose"]["min_visibility"],
    }
    VIEWING_GIVEN |= {
        "start_s": config["sampling"]["start_s"],
        "end_s": config["sampling"]["end_s"],
    }
    VIEWING_PARAMS |= {
        "path": path_of_video,
        "content": lambda wildcards: get_video(wildcards).identify_content(),
    }
    if config["sampling"]["ffmpeg"] == "container":
        VIEWING_SETTLED["image"] = pinned_digest("ffmpeg", config["containers"])
else:
    VIEWING_INPUTS |= {
        "frames": "<results>/videos/{video}/frames",
        "frames_table": "<results>/videos/{video}/frames.csv",
        "camera": "<results>/videos/{video}/camera.json",
        "pose": "<results>/videos/{video}/pose",
    }

    include: "sample_frames.smk"
    include: f"pose_{config['pose']['backend']}.smk"


if FITS:
    VIEWING_INPUTS |= {"space": "<resources>/anny_shape_space.npz"}
    VIEWING_OUTPUTS |= {"bodies": directory("<results>/videos/{video}/bodies")}
    VIEWING_SETTLED |= {
        "estimates": config["shape"]["estimates"],
        "device": config["shape"]["device"],
        "packages_of_fit": packages_of("anny"),
    }
    VIEWING_GIVEN |= {
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


MEASURING_STAGES = ("measure_bodies", "check_video", "summarize_video", "draw_video")
MEASURING_INPUTS = {
    "frames": "<results>/videos/{video}/frames",
    "pose": "<results>/videos/{video}/pose",
    "keypoints": "<results>/videos/{video}/keypoints",
    "keypoints_table": "<results>/videos/{video}/keypoints.csv",
    "silhouettes": "<results>/videos/{video}/silhouettes",
    "pictures": "<results>/videos/{video}/pictures",
    "bodies": "<results>/videos/{video}/bodies",
    "landmarks": branch(
        config["shape"]["backend"] == "shapy",
        then=lambda wildcards: find_landmark_files(
            Path(config["shape"]["shapy"]["data"]).expanduser()
        ),
        otherwise=[],
    ),
    "space": branch(
        config["shape"]["backend"] == "anny",
        then="<resources>/anny_shape_space.npz",
        otherwise=[],
    ),
}
MEASURING_OUTPUTS = {
    "measurements": directory("<results>/videos/{video}/measurements"),
    "measurements_table": "<results>/videos/{video}/measurements.csv",
    "checks": "<results>/videos/{video}/checks.csv",
    "statistics": report(
        "<results>/videos/{video}/statistics.csv",
        caption="../report/statistics.rst",
        category="Videos",
        labels={"video": "{video}", "what": "statistics"},
    ),
    "outcome": "<results>/videos/{video}/outcome.json",
    "sheet": report(
        "<results>/videos/{video}/sheet.png",
        caption="../report/sheet.rst",
        category="Videos",
        labels={"video": "{video}", "what": "contact sheet"},
    ),
}
if not config["keep_frames"]:
    MEASURING_OUTPUTS |= {"forgotten": "<results>/videos/{video}/frames_forgotten"}
MEASURING_SETTLED = {
    "pose_backend": config["pose"]["backend"],
    "shape_backend": config["shape"]["backend"],
    "custom": config["measurements"]["custom"],
    "contours": config["measurements"]["contours"],
    "rejecting": config["checks"]["reject"],
}
MEASURING_GIVEN = {"subject": None, "sex": None, "mass_kg": None}

if config["jobs_per_video"] == "one" and FITS:
    STAGES_OF_JOBS = {"process_video": VIEWING_STAGES + MEASURING_STAGES}

    include: "process_video.smk"

else:
    STAGES_OF_JOBS = {"view_video": VIEWING_STAGES, "measure_video": MEASURING_STAGES}

    include: "view_video.smk"
    include: "measure_video.smk"
