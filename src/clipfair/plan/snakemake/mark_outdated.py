"""Marks outputs as outdated after an error.

Snakemake deletes the outputs of a job that fails. It would then consider everything made from the earlier
outputs as up to date, since those files exist. Outputs marked as incomplete are made again, with all
that they need.
"""

from pathlib import Path
from typing import Any


def mark_outdated(dag: Any, persistence: Any) -> None:
    """Mark the outputs of every planned job that has lost an input, and of all jobs that depend on them.

    Planned jobs whose inputs exist are not marked.

    Parameters
    ----------
    dag, persistence
        Snakemake's objects of the workflow.
    """
    waiting = [job for job in dag.needrun_jobs() if _lacks_input(job)]
    marked = set()
    while waiting:
        job = waiting.pop()
        if job not in marked:
            marked.add(job)
            waiting.extend(dependent for dependent in dag.depending[job] if dag.needrun(dependent))
    for job in marked:
        persistence.started(job)


def _lacks_input(job: Any) -> bool:
    return not all(Path(file).exists() for file in job.input)
