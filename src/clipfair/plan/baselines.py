"""Baselines: a method may be compared only with the same training without its treatment of groups."""

from collections.abc import Iterator

from clipfair.core.paths import Run
from clipfair.core.settings import Violation
from clipfair.plan.configuration.methods import FinetuneMethod
from clipfair.plan.configuration.studies import Grid, Table
from clipfair.plan.configuration.types import NONE
from clipfair.plan.study_plan import StudyPlan

# Switches that say what the fairness loss is.
LOSS = frozenset(
    {
        "distance",
        "score",
        "conditional",
        "groups",
        "normalise",
        "weights",
        "group_reduction",
        "divide_by_attributes",
        "overwritten",
        "nan_to_zero",
        "mismatched_pairs",
        "drop_last_groups",
    }
)
# Each is what a method without a fairness loss does about groups. All others say how a model is trained.
CONTROLS = frozenset({"example_weights", "sampler", "dro_step"})


def check_baselines(name: str, table: Table, plan: StudyPlan) -> None:
    """Check that each baseline of a table differs from its method in the fairness loss or one control alone.

    Compared are all switches, and of the runs in the table's grids dataset, condition, model, recipe and
    seeds. ``baseline_exceptions`` of the table declares further switches that may differ.

    Raises
    ------
    Violation
        If a baseline differs in something else, or is not among the runs of the table.
    """
    for method, baseline in table.baselines.items():
        key = ("tables", name, "baselines", method)
        for entry in (method, baseline):
            if not isinstance(plan.configuration.methods.get(entry), FinetuneMethod):
                raise Violation(key, f"{entry!r} is no method that fine-tunes")
        _check_switches(key, method, baseline, set(table.baseline_exceptions.get(method, ())), plan)
        for grid, batch in _batches_of(table, method, plan):
            _check_run(key, grid, batch, baseline, table, plan)


def _check_switches(key: tuple, method: str, baseline: str, allowed: set[str], plan: StudyPlan) -> None:
    own, other = (plan.configuration.methods[entry].job_settings() for entry in (method, baseline))
    if other["distance"] is not None:
        raise Violation(key, f"{baseline!r} has a fairness loss; a baseline has none")
    differing = sorted(switch for switch in own.keys() - LOSS - allowed if own[switch] != other[switch])
    is_control = own["distance"] is None and len(differing) == 1 and differing[0] in CONTROLS
    if differing and not is_control:
        raise Violation(
            key,
            f"{baseline!r} differs in more than the fairness loss ({', '.join(differing)}); name another "
            "baseline, or declare the switches in baseline_exceptions",
        )


def _check_run(key: tuple, grid: Grid, batch: Run, baseline: str, table: Table, plan: StudyPlan) -> None:
    """Check that the table has the baseline of a batch: same data, model, recipe and seeds."""
    seeds: set[int] = set()
    for other, run in _batches_of(table, baseline, plan):
        is_paired = run.attr in (NONE, batch.attr) and _trained_on(run) == _trained_on(batch)
        if is_paired:
            if other.recipe != grid.recipe:
                raise Violation(
                    key,
                    f"{baseline!r} is trained by recipe {other.recipe!r}, {batch.batch} by {grid.recipe!r}; "
                    "name another baseline",
                )
            seeds |= set(other.seeds)
    missing = sorted(set(grid.seeds) - seeds)
    if missing:
        listed = ", ".join(map(str, missing))
        raise Violation(
            key, f"no run of {baseline!r} for {batch.batch}, seeds {listed}; add its grid to the table"
        )


def _trained_on(run: Run) -> tuple[str, str, str]:
    return run.dataset, run.balance, run.model


def _batches_of(table: Table, method: str, plan: StudyPlan) -> Iterator[tuple[Grid, Run]]:
    """Yield the batches of a method in the table's grids, each with its grid."""
    for name in table.grids:
        grid = plan.grids[name]
        yield from ((grid, batch) for batch in grid.batches if batch.method == method)
