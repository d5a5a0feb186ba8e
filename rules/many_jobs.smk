# A rule for each stage of a video.
STAGES_OF_JOBS = {}


include: "sample_frames.smk"
include: f"pose_{config['pose']['backend']}.smk"
include: "select_keypoints.smk"
include: "segment_person.smk"
include: "blur_faces.smk"
include: f"shape_{config['shape']['backend']}.smk"
include: "forget_frames.smk"
include: "measure_bodies.smk"
include: "check_video.smk"
include: "summarize_video.smk"
include: "draw_video.smk"
