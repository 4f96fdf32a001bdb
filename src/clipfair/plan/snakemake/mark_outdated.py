"""After an error, what was to be made from what failed is known to be stale.

Snakemake takes away the old outputs of a job that fails, and then sees no reason to make them again: what
is made from them is there, so that the next call would call it up to date. Marked as incomplete it is made
again, together with all that it lacks.
"""

from pathlib import Path
from typing import Any


def mark_stale(dag: Any, persistence: Any) -> None:
    """Mark the outputs of every planned job that has lost an input, and of all that are made from them.

    Jobs that were planned but whose inputs are still there are as they were.

    Parameters
    ----------
    dag, persistence
        Snakemake's own.
    """
    waiting = [job for job in dag.needrun_jobs() if _lacks(job.input)]
    marked = set()
    while waiting:
        job = waiting.pop()
        if job not in marked:
            marked.add(job)
            waiting.extend(job for job in dag.depending[job] if dag.needrun(job))
    for job in marked:
        persistence.started(job)


def _lacks(files: list[str]) -> bool:
    return not all(Path(file).exists() for file in files)
