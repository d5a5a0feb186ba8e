# tapeless: people's body measurements from ordinary videos.
#
# One folder per video below <results>/videos, one folder in it per stage:
#   frames -> pose -> keypoints -> silhouettes -> bodies -> measurements -> statistics, sheet.png
# A video that cannot be measured is a result (outcome.json says why) and has its row in the reports.
from snakemake.utils import min_version

min_version("9.19")


pathvars:
    results="results",
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",
    resources="resources",


configfile: "config/config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/sharing.smk"


if config["jobs_per_video"] == "many":

    include: "rules/many_jobs.smk"

else:

    include: "rules/few_jobs.smk"


include: "rules/collect_reports.smk"
include: "rules/draw_cohort.smk"
include: "rules/collect_benchmarks.smk"
include: "rules/targets.smk"


rule all:
    default_target: True
    input:
        # Tables ask for the rest; but what failed to be drawn again is missing beside tables that are there.
        of_every_video(["<results>/videos/{video}/sheet.png", *FORGOTTEN]),
        "<results>/summary.csv",
        "<results>/measurements.csv",
        "<results>/checks.csv",
        "<results>/subjects.csv",
        "<results>/repeatability.csv",
        "<results>/cohort.html",
        "<results>/benchmarks.csv",
        "<results>/provenance.json",


onstart:
    take_run()
    schedule_when_jobs_end()
    check_machine()
    tell_who_waits()
    announce_run(log)


onerror:
    end_leftovers()
    distrust_restored()
    explain_failure()


onsuccess:
    explain_success()
