"""The datasets that planned jobs fetch."""

from typing import Any


def planned_downloads(dag: Any) -> set[str]:
    """Return the datasets that the jobs of ``dag``, Snakemake's object, will fetch."""
    return {job.wildcards.dataset for job in dag.needrun_jobs() if job.rule.name == "fetch_dataset"}
