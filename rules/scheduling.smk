# When the scheduler looks for jobs; of the main workflow and those of the benchmarks.


def schedule_when_jobs_end():
    """Has Snakemake look for jobs to start when one has ended, and not all the time.

    With a limit of jobs a second, and 100 is its default, Snakemake 9 looks again after a second, each
    time that it has looked: after some hundred jobs that takes a core, and a thread for each.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    is_default = limit and (limit.max_jobs, limit.timespan) == (100, 1)
    if workflow.scheduler.job_rate_limiter and is_default:
        workflow.scheduler.job_rate_limiter = None
