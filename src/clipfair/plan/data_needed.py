"""The datasets that a study needs, and the study without some of them."""

from collections.abc import Iterable
from dataclasses import replace

from clipfair.plan.configuration.studies import Grid, Table
from clipfair.plan.configuration.types import NONE
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.table_checks import evaluations_named

# Tables of which each row or column is about one dataset: they can do without one.
LISTS_OF_DATASETS = ("datasets", "human_mentions", "conditions")


def datasets_needed(plan: StudyPlan) -> dict[str, list[str]]:
    """The datasets of a study -> the tables that are made from each."""
    needed: dict[str, list[str]] = {}
    for table in plan.tables:
        for dataset in datasets_of(plan, table):
            needed.setdefault(dataset, []).append(table)
    return needed


def datasets_of(plan: StudyPlan, table: str) -> list[str]:
    """The datasets that a table is made from, each once."""
    entry = plan.tables[table]
    grids = [plan.grids[name] for name in entry.grids if name in plan.grids]
    trained = [dataset for grid in grids for dataset in _trained_on(plan, grid)]
    evaluations = plan.configuration.evaluations
    evaluated = [evaluations[name].dataset for grid in grids for name in grid.evaluations]
    tabular = [plan.tabular_grids[name] for name in entry.grids if name in plan.tabular_grids]
    tasks = [plan.configuration.tasks[task].dataset for grid in tabular for task in grid.tasks]
    searched = [plan.configuration.searches[name].dataset for name in entry.searches]
    found = [*trained, *evaluated, *tasks, *entry.annotations, *entry.datasets, *searched]
    return list(dict.fromkeys(found))


def _trained_on(plan: StudyPlan, grid: Grid) -> list[str]:
    """The grid's dataset, if it has one, and those of the runs that its models start from."""
    own = [] if grid.dataset == NONE else [grid.dataset]
    starts = [plan.start_of(batch) for batch in grid.batches]
    return [*own, *(start.dataset for start in starts if start is not None)]


def without(plan: StudyPlan, datasets: Iterable[str]) -> StudyPlan:
    """The study less every grid whose models need one of ``datasets``, every task and evaluation on one, and
    the tables that then lack a grid or have nothing left."""
    gone = set(datasets)
    evaluations, tasks = plan.configuration.evaluations, plan.configuration.tasks
    grids = {
        name: grid.model_copy(
            update={"evaluations": [one for one in grid.evaluations if evaluations[one].dataset not in gone]}
        )
        for name, grid in plan.grids.items()
        if not gone & set(_trained_on(plan, grid))
    }
    tabular_grids = {
        name: grid.model_copy(
            update={"tasks": [task for task in grid.tasks if tasks[task].dataset not in gone]}
        )
        for name, grid in plan.tabular_grids.items()
    }
    rest = replace(
        plan,
        grids=grids,
        tabular_grids={name: grid for name, grid in tabular_grids.items() if grid.tasks},
        tables={name: _less(table, gone) for name, table in plan.tables.items()},
        left_out=tuple(sorted(gone)),
    )
    tables = {name: table for name, table in rest.tables.items() if _is_left(rest, name, gone)}
    used = {name for table in tables.values() for name in table.grids}
    return replace(
        rest, tables=tables, grids={name: grid for name, grid in rest.grids.items() if name in used}
    )


def _has_shown(rest: StudyPlan, table: Table, grid: Grid) -> bool:
    """Whether a grid has an evaluation that a table shows; any if the table names none."""
    named = evaluations_named(table, rest)
    return any(not named or name in named for name in grid.evaluations)


def _less(table: Table, gone: set[str]) -> Table:
    if table.builder not in LISTS_OF_DATASETS:
        return table
    kept = {
        key: [name for name in getattr(table, key) if name not in gone] for key in ("annotations", "datasets")
    }
    return table.model_copy(update=kept)


def _is_left(rest: StudyPlan, name: str, gone: set[str]) -> bool:
    table = rest.tables[name]
    if table.grids:
        has_all = rest.grids.keys() | rest.tabular_grids.keys() >= set(table.grids)
        return has_all and any(
            grid in rest.tabular_grids or _has_shown(rest, table, rest.grids[grid]) for grid in table.grids
        )
    left = datasets_of(rest, name)
    return bool(left) and not gone & set(left)
