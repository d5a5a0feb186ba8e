# Everything up to a stage, for all videos: `snakemake --cores 4 keypoints`. The sampled frames stay until
# the stages that look at them are done, which `sheets` and `reports` ask for.
FORGOTTEN = [] if config["keep_frames"] else ["<results>/videos/{video}/frames_forgotten"]


rule frames:
    input:
        of_every_video("<results>/videos/{video}/frames.csv"),


rule keypoints:
    input:
        of_every_video("<results>/videos/{video}/keypoints.csv"),


rule bodies:
    input:
        of_every_video("<results>/videos/{video}/bodies"),


rule sheets:
    input:
        of_every_video(["<results>/videos/{video}/sheet.png", *FORGOTTEN]),


rule reports:
    input:
        of_every_video(FORGOTTEN),
        "<results>/summary.csv",
        "<results>/measurements.csv",
        "<results>/checks.csv",
        "<results>/subjects.csv",
        "<results>/repeatability.csv",
        "<results>/cohort.html",
        "<results>/benchmarks.csv",
        "<results>/provenance.json",
