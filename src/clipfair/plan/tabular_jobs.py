"""Jobs of mitigations on tables: everything that their rule asks for, by batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.plan.configuration.studies import TabularGrid
from clipfair.plan.study_plan import StudyPlan


@dataclass(frozen=True)
class TabularJob:
    """All repeats of one mitigation on one task; ``priority`` is larger for what takes longest."""

    settings: Mapping
    priority: int

    @property
    def kind(self) -> str:
        """The kind of its method."""
        return self.settings["kind"]


@cache
def tabular_job(plan: StudyPlan, batch: Run) -> TabularJob:
    """The job of a batch.

    Raises
    ------
    UserError
        If the study does not have it.
    """
    grid = _grid_of(plan, batch)
    [task] = [
        task
        for task in plan.configuration.tasks.values()
        if (task.dataset, task.sensitive) == (batch.dataset, batch.attr)
    ]
    method = plan.configuration.mitigations[batch.method]
    settings = {
        "dataset": batch.dataset,
        "version": plan.datasets[batch.dataset].version,
        "label": task.label,
        "sensitive": task.sensitive,
        "method": batch.method,
        "kind": method.kind,
        "settings": {key: value for key, value in method.job_settings().items() if key != "kind"},
        "classifier": plan.configuration.classifiers[batch.model].job_settings(),
        "test_share": grid.test_share,
        "seeds": grid.seeds,
    }
    return TabularJob(
        settings=settings,
        # A reduction fits some twenty classifiers a repeat: started last, it would leave the other cores idle
        # for minutes.
        priority=int(method.kind == "reduction"),
    )


def _grid_of(plan: StudyPlan, batch: Run) -> TabularGrid:
    for name, grid in plan.tabular_grids.items():
        if batch in plan.tabular_batches(name):
            return grid
    raise UserError(f"study {plan.study!r} has no run {batch.batch}; add it to one of its grids")


def tabular_records(plan: StudyPlan, grid: str) -> list[str]:
    """The metrics files of a grid of mitigations."""
    return [plan.path_of(f"{paths.TABULAR}/metrics.json", batch) for batch in plan.tabular_batches(grid)]
