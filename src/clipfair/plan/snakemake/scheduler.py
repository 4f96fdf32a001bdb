"""Fewer rounds of Snakemake's scheduler."""

from typing import Any


def schedule_after_jobs_only(scheduler: Any) -> None:
    """Remove the limit of started jobs per second, so that jobs are selected only after one has finished.

    With this limit (100 per second by default), Snakemake 9.27 repeats each selection after a second, and the
    selection after each finished job adds a further endless repetition: the selections per second grow with
    the number of finished jobs until they occupy a core. No option removes the limit.

    Parameters
    ----------
    scheduler
        Snakemake's scheduler of the workflow.
    """
    scheduler.job_rate_limiter = None
