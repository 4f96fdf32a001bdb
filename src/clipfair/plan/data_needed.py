"""The datasets that a study needs, and the study without some of them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

from clipfair.plan.configuration.studies import Grid, Table
from clipfair.plan.configuration.types import NONE
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.table_checks import evaluations_named

# Tables of which each row or column is about one dataset: they can do without one.
LISTS_OF_DATASETS = ("datasets", "human_mentions", "conditions")


def datasets_needed(plan: StudyPlan) -> dict[str, list[str]]:
    """The datasets of a study, draws of families among them -> the tables that are made from each."""
    needed: dict[str, list[str]] = {}
    for table in plan.tables:
        for dataset in dict.fromkeys(plan.draw_of(*read) for read in _read(plan, table)):
            needed.setdefault(dataset, []).append(table)
    return needed


def datasets_of(plan: StudyPlan, table: str) -> list[str]:
    """The datasets that a table is made from, each once; families without their draws."""
    return list(dict.fromkeys(dataset for dataset, _ in _read(plan, table)))


def _read(plan: StudyPlan, table: str) -> Iterator[tuple[str, int]]:
    """The datasets that a table is made from, each with the seeds of the runs that read it."""
    entry, configuration = plan.tables[table], plan.configuration
    grids = [plan.grids[name] for name in entry.grids if name in plan.grids]
    for grid in grids:
        yield from _trained_on(plan, grid)
    for grid in grids:
        evaluated = [configuration.evaluations[name].dataset for name in grid.evaluations]
        yield from product(evaluated, grid.seeds)
    tabular = [plan.tabular_grids[name] for name in entry.grids if name in plan.tabular_grids]
    tasks = [configuration.tasks[task].dataset for grid in tabular for task in grid.tasks]
    yield from ((dataset, 0) for dataset in (*tasks, *entry.annotations))
    for dataset in entry.datasets:
        yield from ((dataset, number) for number in range(len(plan.members_of(dataset))))
    searches = [configuration.searches[name] for name in entry.searches]
    yield from ((search.dataset, search.run_seed) for search in searches)


def _trained_on(plan: StudyPlan, grid: Grid) -> Iterator[tuple[str, int]]:
    """The grid's dataset, if it has one, and those of the runs its models start from, with their seeds."""
    if grid.dataset != NONE:
        yield from product([grid.dataset], grid.seeds)
    for batch in grid.batches:
        starts = [plan.start_of(replace(batch, seed=seed)) for seed in grid.seeds]
        yield from ((start.dataset, start.seed) for start in starts if start is not None)


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
        if not gone & {dataset for dataset, _ in _trained_on(plan, grid)}
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
